#include "aistore/job_view.h"

#include <gtest/gtest.h>

namespace millrace::aistore {
namespace {

using nlohmann::json;
using scheduler::Job;
using scheduler::JobState;

Job job_in(JobState state) {
    Job job{.id = "job-1", .state = state, .created_unix_ns = 1'000'000'000};
    job.spec.source = "src";
    job.spec.destination = "dst";
    job.spec.num_workers = 3;
    job.finished_unix_ns = scheduler::is_terminal(state) ? 5'000'000'000 : 0;
    for (const char* target : {"t1", "t2"}) {
        job.slices[target].heard = true;
        job.slices[target].status.counters = {.done = 10, .bytes_in = 100, .bytes_moved = 7};
    }
    return job;
}

TEST(JobView, ARunningJobHasNoEnd) {
    const json status = job_status(job_in(JobState::running));
    EXPECT_EQ(status, json::parse(R"({"kind":"etl-bck","uuid":"job-1","err":"","end_time":0,"aborted":false})"));
    const json snap = job_snapshots(job_in(JobState::running))[0].second;
    EXPECT_EQ(snap["end-time"], "0001-01-01T00:00:00Z");
    EXPECT_EQ(snap["is_idle"], false);
    EXPECT_EQ(snap["aborted"], false);
}

TEST(JobView, ACompletedJobIsIdleAndWithoutError) {
    EXPECT_EQ(job_status(job_in(JobState::completed))["end_time"], 5'000'000'000);
    EXPECT_EQ(job_status(job_in(JobState::completed))["err"], "");
    const json snap = job_snapshots(job_in(JobState::completed))[0].second;
    EXPECT_EQ(snap["is_idle"], true);
    EXPECT_EQ(snap["start-time"], "1970-01-01T00:00:01.000Z");
    EXPECT_EQ(snap["end-time"], "1970-01-01T00:00:05.000Z");
}

TEST(JobView, FailedObjectsAreCountedInTheError) {
    Job job = job_in(JobState::completed_with_errors);
    job.slices["t1"].status.counters.failed = 2;
    job.slices["t2"].status.counters.quarantined = 1;
    const json status = job_status(job);
    EXPECT_TRUE(status["err"].get<std::string>().starts_with("3 objects failed")) << status;
    EXPECT_EQ(status["aborted"], false);
    EXPECT_EQ(job_snapshots(job)[0].second["abort-err"], "");
    job.state = JobState::running;
    EXPECT_EQ(job_status(job)["err"], "") << "it may yet go on";
}

TEST(JobView, AFailedOrCancelledJobIsAborted) {
    Job failed = job_in(JobState::failed);
    failed.reason = "too many failed";
    EXPECT_EQ(job_status(failed)["err"], "too many failed");
    EXPECT_EQ(job_status(failed)["aborted"], true);
    const json snap = job_snapshots(job_in(JobState::cancelled))[1].second;
    EXPECT_EQ(snap["aborted"], true);
    EXPECT_NE(snap["abort-err"], "");
    EXPECT_EQ(snap["is_idle"], true);
}

TEST(JobView, SnapshotsHaveNumbersAsText) {
    const auto snapshots = job_snapshots(job_in(JobState::running));
    ASSERT_EQ(snapshots.size(), 2u);
    EXPECT_EQ(snapshots[0].first, "t1");
    const json& snap = snapshots[0].second;
    EXPECT_EQ(snap["stats"], json::parse(R"({"loc-objs":"10","loc-bytes":"100","out-objs":"0","out-bytes":"7","in-objs":"0","in-bytes":"0"})"));
    EXPECT_EQ(snap["glob.id"], std::to_string(1 | 3 << 10));
    Job busiest = job_in(JobState::running);
    busiest.spec.num_workers = 1024;  // one more than ten bits hold
    EXPECT_EQ(job_snapshots(busiest)[0].second["glob.id"], std::to_string(1 | 1023 << 10));
    EXPECT_EQ(snap["src-bck"]["name"], "src");
    EXPECT_EQ(snap["dst-bck"]["name"], "dst");
    EXPECT_TRUE(snap["ext"].is_null());
}

TEST(JobView, TheKindIsTheSubmittersOrWhatComesClosest) {
    Job job = job_in(JobState::running);
    EXPECT_EQ(job_kind(job), "etl-bck");
    job.spec.has_list = true;
    EXPECT_EQ(job_kind(job), "etl-listrange");
    job.spec.operation = wire::Operation::copy;
    EXPECT_EQ(job_kind(job), "copy-listrange");
    job.spec.has_list = false;
    EXPECT_EQ(job_kind(job), "copy-bck");
    job.spec.operation = wire::Operation::remove;
    EXPECT_EQ(job_kind(job), "delete-listrange");
    job.spec.kind = "etl-bck";
    EXPECT_EQ(job_kind(job), "etl-bck");
}

TEST(JobView, AFilterMatchesByIdKindTargetAndActivity) {
    const Job running = job_in(JobState::running);
    EXPECT_TRUE(matches(*parse_job_filter({{"ID", "job-1"}, {"Kind", ""}, {"DaemonID", ""}, {"Bck", nullptr}}), running));
    EXPECT_FALSE(matches(*parse_job_filter({{"ID", "job-2"}}), running));
    EXPECT_TRUE(matches(*parse_job_filter({{"kind", "etl-bck"}, {"node", "t2"}, {"show_active", true}}), running));
    EXPECT_FALSE(matches(*parse_job_filter({{"kind", "copy-bck"}}), running));
    EXPECT_FALSE(matches(*parse_job_filter({{"node", "t3"}}), running));
    EXPECT_FALSE(matches(*parse_job_filter({{"DaemonID", "t3"}}), running));
    EXPECT_FALSE(matches({.active = true}, job_in(JobState::cancelled)));
    EXPECT_TRUE(matches({.active = true}, job_in(JobState::paused)));
    EXPECT_EQ(parse_job_filter({{"ID", 7}}).error().context, "'id' must be a text");
    EXPECT_FALSE(parse_job_filter({{"show_active", "x"}}));
}

TEST(JobView, AFilterMatchesByBucket) {
    const Job job = job_in(JobState::running);
    EXPECT_TRUE(matches(*parse_job_filter({{"kind", "etl-bck"}, {"bck", {{"name", "src"}, {"provider", "ais"}}}}), job));
    EXPECT_TRUE(matches(*parse_job_filter({{"Bck", {{"name", "dst"}}}}), job));
    EXPECT_FALSE(matches(*parse_job_filter({{"kind", "etl-bck"}, {"bck", {{"name", "other"}}}}), job)) << "a stop of one bucket's jobs stops no others";
    EXPECT_TRUE(matches(*parse_job_filter({{"bck", {{"name", ""}}}, {"buckets", {{{"name", "other"}}, {{"name", "src"}}}}}), job));
    EXPECT_FALSE(parse_job_filter({{"bck", {{"name", 7}}}}));
}

TEST(JobView, WhatHasEndedIsAmongTheActiveForAWhile) {
    const Job ended = job_in(JobState::completed);
    const std::int64_t end = ended.finished_unix_ns;
    EXPECT_TRUE(has_just_ended(ended, end + 14'000'000'000));
    EXPECT_FALSE(has_just_ended(ended, end + 15'000'000'000));
    EXPECT_FALSE(has_just_ended(job_in(JobState::running), end));
}

TEST(JobView, AJobWithoutADestinationIsAboutOneBucket) {
    Job job = job_in(JobState::running);
    job.spec.destination.clear();
    const json snap = job_snapshots(job)[0].second;
    EXPECT_EQ(snap["bck"]["name"], "src");
    EXPECT_EQ(snap["src-bck"]["name"], "");
    EXPECT_EQ(snap["dst-bck"]["name"], "");
}

TEST(JobView, KindsThatNeverRunHereAreKnown) {
    for (const char* kind : {"archive", "lru", "summary-bck", "etl-listrange"}) EXPECT_TRUE(is_known_kind(kind)) << kind;
    EXPECT_FALSE(is_known_kind("nonsense"));
}

}  // namespace
}  // namespace millrace::aistore
