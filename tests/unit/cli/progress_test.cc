#include "cli/progress.h"

#include <gmock/gmock.h>

#include "cli/progress_display.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;

json running_job() {
    return json::parse(R"({"id":"job-1","state":"running",
        "objects":{"total":1000,"total_known":true,"done":510,"skipped":0,"failed":2,"quarantined":0},
        "bytes":{"total":1048576,"in":524288,"out":700000,"moved":0},
        "rate":{"objects_per_second":160.4,"bytes_per_second":1258291.2},
        "eta_seconds":3.1,"slowest_target":"t-abc","elapsed_seconds":3.2})");
}

TEST(Progress, ALineSaysHowFarAndHowLong) {
    EXPECT_EQ(progress_line(running_job()),
              "job-1 running 51% 512/1000 objects, 2 failed, 160/s, 1.2 MiB/s, ETA 3s, slowest t-abc");
}

TEST(Progress, TheEtaIsNotYetKnown) {
    json job = running_job();
    job["eta_seconds"] = nullptr;
    job["slowest_target"] = "";
    job["rate"]["objects_per_second"] = 0.25;
    EXPECT_THAT(progress_line(job), EndsWith("2 failed, 0.2/s, 1.2 MiB/s, ETA not yet known"));
}

TEST(Progress, OneHundredPercentOnlyWhenAllIsSettled) {
    json job = running_job();
    job["objects"]["done"] = 997;
    EXPECT_THAT(progress_line(job), HasSubstr(" 99% 999/1000 "));
    job["objects"]["skipped"] = 1;
    EXPECT_THAT(progress_line(job), HasSubstr(" 100% 1000/1000 objects, 1 skipped, 2 failed"));
    job["objects"]["total"] = 0;
    job["objects"]["done"] = 0;
    EXPECT_THAT(progress_line(job), HasSubstr(" 100% "));
}

TEST(Progress, OtherStatesSayWhatMatters) {
    json job = running_job();
    job["state"] = "preparing";
    job["objects"]["total_known"] = false;
    EXPECT_EQ(progress_line(job), "job-1 preparing: 1000 objects found so far");
    job["state"] = "paused";
    job["reason"] = "by\x1b request";
    EXPECT_EQ(progress_line(job), "job-1 paused 512 objects, 2 failed (by\\x1b request)");
    job["dry_run"] = "plan";
    EXPECT_THAT(progress_line(job), HasSubstr("paused (dry run)"));
}

TEST(Progress, RemarksAreForWhoThinksThatAllIsWell) {
    json job = running_job();
    EXPECT_TRUE(remarks(job).empty());
    job["objects"]["unmapped"] = 7;
    job["objects"]["near_empty"] = 3;
    job["slices"] = json::parse(R"([{"target":"t-1","objects":{"total":900}},
                                    {"target":"t-2","objects":{"total":100}},{"target":"t-3","objects":{"total":0}}])");
    const std::vector<std::string> lines = remarks(job);
    ASSERT_EQ(lines.size(), 3u);
    EXPECT_THAT(lines[0], HasSubstr("7 of 1000 names have none of the old extensions"));
    EXPECT_THAT(lines[1], HasSubstr("3 results are empty"));
    EXPECT_THAT(lines[2], HasSubstr("t-1 has 900 of the 1000 objects"));
    job["slices"][1]["objects"]["total"] = 900;
    EXPECT_EQ(remarks(job).size(), 2u) << "no more than half more than its share";
}

TEST(Progress, WhatWasSkippedAsUnchangedMayHaveAChangedProgram) {
    json job = running_job();
    job["transform"] = "to-wav";
    job["objects"]["skipped"] = 5;
    EXPECT_TRUE(remarks(job).empty());
    job["spec"] = {{"overwrite", "changed"}};
    ASSERT_EQ(remarks(job).size(), 1u);
    EXPECT_THAT(remarks(job)[0], HasSubstr("5 skipped: their results are of the same specification"));
    EXPECT_THAT(remarks(job)[0], HasSubstr("millrace etl restart to-wav --new-version"));
}

TEST(Progress, ThatNothingSucceedsIsSaidEarly) {
    json job = running_job();
    job["objects"] = {{"total", 1000}, {"total_known", true}, {"failed", 19}};
    EXPECT_EQ(early_warning(job), "");
    job["objects"]["quarantined"] = 1;
    EXPECT_THAT(early_warning(job), HasSubstr("all 20 objects so far have failed; see why: millrace job errors job-1"));
    job["objects"]["done"] = 1;
    EXPECT_EQ(early_warning(job), "");
}

TEST(Progress, NonsenseFromTheServerIsShownNotObeyed) {
    for (
        const char* text :
        {"null", "[]", "{}", R"({"id":7,"state":[],"objects":"x","rate":null,"eta_seconds":"soon"})",
         R"({"state":"running","objects":{"total":1,"total_known":true,"done":18446744073709551615},"eta_seconds":-1e300,
                                 "rate":{"objects_per_second":1e300,"bytes_per_second":-1}})"}) {
        const json job = json::parse(text);
        EXPECT_FALSE(progress_line(job).empty());
        EXPECT_FALSE(outcome_line(job).empty());
        EXPECT_LE(progress_bar(job, 20).size(), 20u);
        EXPECT_FALSE(is_terminal(job));
    }
}

TEST(Progress, TheBarFitsTheTerminal) {
    const std::string bar = progress_bar(running_job(), 120);
    EXPECT_THAT(bar, HasSubstr("job-1 [##########"));
    EXPECT_THAT(bar, HasSubstr("-] 51% 512/1000"));
    EXPECT_LE(bar.size(), 120u);
    EXPECT_EQ(progress_bar(running_job(), 30).size(), 30u);
}

TEST(Progress, TheOutcomeAndTheNextStep) {
    json job = running_job();
    job["state"] = "completed_with_errors";
    job["objects"]["done"] = 998;
    EXPECT_EQ(outcome_line(job),
              "job-1 completed_with_errors: 1000 objects (998 done, 2 failed) in 3s, 512.0 KiB in, 683.6 KiB out");
    EXPECT_EQ(next_step(job), "millrace job retry job-1");
    EXPECT_EQ(exit_status_of(job), kExitFailedObjects);
    job["state"] = "failed";
    EXPECT_EQ(next_step(job), "millrace job resume job-1");
    EXPECT_EQ(exit_status_of(job), kExitFailed);
    job["state"] = "cancelled";
    EXPECT_EQ(next_step(job), "millrace job resume job-1");
    job["state"] = "completed";
    EXPECT_EQ(next_step(job), "");
    EXPECT_EQ(exit_status_of(job), kExitDone);
}

struct Screen {
    std::istringstream in;
    std::ostringstream out;
    std::ostringstream err;
    Console console{in, out, err, {}};
};

TEST(ProgressDisplay, OffATerminalALineEveryFewSecondsAndAtAChange) {
    Screen screen;
    ProgressDisplay display(screen.console, true, std::chrono::seconds(5));
    const Instant start = steady_now();
    json job = running_job();
    const std::string line = progress_line(job) + "\n";
    display.update(job, start);
    display.update(job, start + std::chrono::seconds(4));
    display.tick(start + std::chrono::seconds(4));
    EXPECT_EQ(screen.err.str(), line);
    display.tick(start + std::chrono::seconds(5));
    EXPECT_EQ(screen.err.str(), line + line);
    job["state"] = "paused";
    display.update(job, start + std::chrono::seconds(6));
    EXPECT_EQ(screen.err.str(), line + line + progress_line(job) + "\n");
}

TEST(ProgressDisplay, OnATerminalTheBarIsRedrawn) {
    Screen screen;
    screen.console.err_is_terminal = true;
    ProgressDisplay display(screen.console, true, std::chrono::seconds(5));
    display.update(running_job(), steady_now());
    display.say("hello");
    EXPECT_EQ(screen.err.str(), "\r" + progress_bar(running_job(), 79) + "\x1b[K\nmillrace: hello\n");
}

TEST(ProgressDisplay, SilentWhenNotWanted) {
    Screen screen;
    ProgressDisplay display(screen.console, false, std::chrono::seconds(5));
    display.update(running_job(), steady_now());
    display.tick(steady_now());
    display.end();
    EXPECT_EQ(screen.err.str(), "");
}

}  // namespace
}  // namespace millrace::cli
