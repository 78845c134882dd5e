#include <gmock/gmock.h>

#include "fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class FilterFailure : public BothStartsTest {
protected:
    void expect_clean() {
        EXPECT_EQ(children().size(), loaded_programs());
        EXPECT_EQ(open_descriptors(), descriptors_);
    }
    // Tries once, to have counted what the first run opens for good, then runs the body and looks for what it left.
    template <class F>
    void leaving_nothing(F body) {
        body();
        descriptors_ = open_descriptors();
        body();
        expect_clean();
    }
    std::size_t descriptors_ = 0;
};

TEST_P(FilterFailure, ExitStatusIsARejectionWithItsLastLine) {
    start_filter("sh -c 'echo first >&2; echo cannot decode >&2; exit 3'");
    leaving_nothing([&] {
        const Outcome outcome = run("x");
        EXPECT_EQ(outcome.code(), Code::rejected);
        EXPECT_EQ(outcome.blame(), Blame::transform);
        EXPECT_EQ(outcome.text(), "exit status 3: cannot decode");
        EXPECT_EQ(outcome.result.error().stderr_tail, "first\ncannot decode\n");
    });
    EXPECT_THAT(instance_->log_tail(), HasSubstr("cannot decode"));
    EXPECT_EQ(instance_->status().failures, 2u);
}

TEST_P(FilterFailure, StatusesOfTheSpecificationMayPass) {
    auto spec = filter_spec("a-filter", "read -r status; exit $status");
    ASSERT_TRUE(start_filter(*spec).has_value());
    EXPECT_EQ(run("75\n").code(), Code::transient);
    EXPECT_EQ(run("2\n").code(), Code::rejected);
    stop();
    spec->retry_statuses = {2, 9};
    ASSERT_TRUE(start_filter(*spec).has_value());
    EXPECT_EQ(run("75\n").code(), Code::rejected);
    EXPECT_EQ(run("2\n").code(), Code::transient);
    EXPECT_EQ(run("9\n").code(), Code::transient);
}

TEST_P(FilterFailure, AnyCommandOfAPipeFailsTheObject) {
    start_filter("cat - no-such-file | tr a-z A-Z");
    EXPECT_EQ(run("x").code(), Code::rejected);
    EXPECT_THAT(run("x").text(), HasSubstr("no-such-file"));
    stop();
    start_filter("no-such-command | gzip -n");
    EXPECT_THAT(run("x").text(), StartsWith("exit status 127"));
    stop();
    start_filter("printf 'a\\nb\\n' | cat; cat | tr a-z A-Z | cat");
    EXPECT_EQ(run("x{1,2}").output, "a\nb\nX{1,2}");
}

TEST_P(FilterFailure, ARejectionBesideOthersMayBeChance) {
    start_filter("read -r x; test \"$x\" = wait && { while ! test -e " + dir_.path() + "/go; do sleep 0.01; done; exit 0; }; exit 2");
    EXPECT_FALSE(run("x\n").result.error().may_be_chance);
    MemorySource waits("wait\n");
    ChecksumSink sink;
    const ObjectRun one = object();
    auto other = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, waits, sink), boost::asio::use_future);
    ASSERT_TRUE(eventually([&] { return instance_->status().runs == 2; }));
    const Outcome outcome = run("x\n");
    EXPECT_EQ(outcome.code(), Code::rejected);
    EXPECT_TRUE(outcome.result.error().may_be_chance);
    dir_.file("go", "");
    EXPECT_TRUE(other.get().has_value());
}

TEST_P(FilterFailure, ACommandThatNobodyReadsFromAnyMoreHasNotFailed) {
    start_filter("yes | head -n 2");
    EXPECT_EQ(run("").output, "y\ny\n");
}

TEST_P(FilterFailure, ATrialFindsCommandsThatAreNotThere) {
    tries_shells_ = true;
    const auto started = start_filter(*filter_spec("a-filter", "no-such-command | gzip -n"));
    ASSERT_FALSE(started.has_value());
    EXPECT_THAT(started.error().context, HasSubstr("at a trial: exit status 127"));
    EXPECT_THAT(started.error().context, HasSubstr("no-such-command"));
    EXPECT_EQ(instance_->status().state, InstanceState::restarting);
    stop();
    start_filter("no-such-command; cat");
    EXPECT_THAT(instance_->status().reason, HasSubstr("printed at a trial"));
    EXPECT_EQ(run("x").output, "x");
    stop();
    start_filter("grep -q needle; exit $?");
    EXPECT_EQ(instance_->status().reason, "") << "that it fails on an empty object says nothing";
}

TEST_P(FilterFailure, ALimitThatIsReachedIsNamed) {
    auto spec = filter_spec("a-filter", "dd bs=65536 count=4 if=/dev/zero of=$TMPDIR/x 2>/dev/null");
    spec->limits.file_bytes = 4096;
    ASSERT_TRUE(start_filter(*spec).has_value());
    EXPECT_THAT(run("x").text(), HasSubstr("(its file_size limit is 4.0 KiB)"));
}

TEST_P(FilterFailure, OnlyTheTailOfStderrIsKept) {
    auto spec = filter_spec("a-filter", "seq 1 200000 >&2; exit 1");
    spec->stderr_bytes_max = 100;
    ASSERT_TRUE(start_filter(*spec).has_value());
    const Outcome outcome = run("x");
    EXPECT_EQ(outcome.text(), "exit status 1: 200000");
    EXPECT_LE(outcome.result.error().stderr_tail.size(), 100u);
    EXPECT_THAT(outcome.result.error().stderr_tail, HasSubstr("199999\n200000\n"));
}

TEST_P(FilterFailure, SignalIsACrash) {
    start_filter("sh -c 'kill -SEGV $$'");
    leaving_nothing([&] {
        const Outcome outcome = run("x");
        EXPECT_EQ(outcome.code(), Code::crashed);
        EXPECT_EQ(outcome.text(), "killed by SIGSEGV");
    });
}

TEST_P(FilterFailure, DeadlineKillsTheWholeGroup) {
    const std::string pids_file = dir_.path() + "/pids";
    start_filter("echo working >&2; sleep 1000 & echo $! $$ > " + pids_file + "; wait");
    // On a busy machine the shell may not get that far in time: then the next run has twice as long.
    Outcome outcome;
    for (timeout_ = std::chrono::milliseconds(200); timeout_ < std::chrono::seconds(30) && words_in(pids_file) < 2; timeout_ *= 2) {
        outcome = run("x");
        EXPECT_EQ(outcome.code(), Code::timed_out);
        EXPECT_THAT(outcome.text(), ::testing::MatchesRegex("timeout: no result within [0-9ms]+"));
        EXPECT_EQ(children().size(), loaded_programs());
    }
    ASSERT_EQ(words_in(pids_file), 2u);
    EXPECT_EQ(outcome.result.error().stderr_tail, "working\n");
    std::ifstream pids(pids_file);
    for (int pid = 0; pids >> pid;) EXPECT_TRUE(eventually([&] { return !is_alive(pid); }));
}

TEST_P(FilterFailure, DeadlineLeavesNothingBehind) {
    start_filter("sleep 1000");
    timeout_ = std::chrono::milliseconds(50);
    leaving_nothing([&] { EXPECT_EQ(run("x").code(), Code::timed_out); });
}

TEST_P(FilterFailure, DeadlineHoldsForABlockedSource) {
    start_filter("cat");
    timeout_ = std::chrono::milliseconds(200);
    PatternSource source(1 << 20);
    source.blocks_at = 100'000;
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::timed_out);
    EXPECT_EQ(children().size(), loaded_programs());
}

TEST_P(FilterFailure, SourceFailureIsTheSources) {
    start_filter("cat");
    leaving_nothing([&] {
        PatternSource source(1 << 20);
        source.fails_at = 150'000;
        ChecksumSink sink;
        const ObjectRun one = object();
        const RunResult result = run(one, source, sink);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().blame, Blame::source);
        EXPECT_EQ(result.error().error.code, Code::corrupt);
        EXPECT_EQ(result.error().error.context, "the disk lies");
    });
}

TEST_P(FilterFailure, ShortSourceIsNotTakenForTheWholeObject) {
    start_filter("cat");
    PatternSource source(1 << 20);
    source.ends_at = 150'000;
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().blame, Blame::source);
    EXPECT_EQ(result.error().error.code, Code::incomplete_body);
}

TEST_P(FilterFailure, SinkFailureIsTheSinks) {
    start_filter("cat");
    leaving_nothing([&] {
        PatternSource source(16 << 20);
        ChecksumSink sink;
        sink.fails_after = 1 << 20;
        const ObjectRun one = object();
        const RunResult result = run(one, source, sink);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().blame, Blame::sink);
        EXPECT_EQ(result.error().error.code, Code::no_space);
        EXPECT_EQ(result.error().error.context, "the disk is full");
    });
}

// Were it killed with the end of the first process, a part of the output would look like all of it.
TEST_P(FilterFailure, WhatAFilterLeavesBehindMayWriteTheRestOfItsOutput) {
    start_filter("sh -c '(while ! grep -q \") Z\" /proc/$$/stat; do :; done; echo late) & echo early'");
    leaving_nothing([&] {
        const Outcome outcome = run("x");
        EXPECT_TRUE(outcome.ok()) << outcome.text();
        EXPECT_EQ(outcome.output, "early\nlate\n");
    });
}

TEST_P(FilterFailure, EscapedProcessThatHoldsTheOutputIsRefused) {
    const std::string pid_file = dir_.path() + "/pid";
    start_filter("setsid sh -c 'echo $$ > " + pid_file + "; exec sleep 1000' & while ! [ -s " + pid_file + " ]; do :; done; echo hi");
    const Outcome outcome = run("x");
    EXPECT_EQ(outcome.code(), Code::rejected);
    EXPECT_THAT(outcome.text(), HasSubstr("holds its output open"));
    std::ifstream file(pid_file);
    int pid = 0;
    ASSERT_TRUE(file >> pid);
    EXPECT_FALSE(is_alive(pid));
}

TEST_P(FilterFailure, ProgramThatVanishesIsUnavailable) {
    const std::string tool = dir_.file("tool", "#!/bin/sh\ncat\n", true);
    start_filter(tool);
    EXPECT_EQ(run("x").output, "x");
    std::filesystem::remove(tool);
    leaving_nothing([&] {
        const Outcome outcome = run("x");
        EXPECT_EQ(outcome.code(), Code::unavailable);
        EXPECT_THAT(outcome.text(), HasSubstr("cannot execute " + tool));
    });
}

TEST_P(FilterFailure, MissingProgramIsSaidAtStartAndFoundLater) {
    const std::string tool = dir_.path() + "/tool";
    const auto started = start(*filter_spec("a-filter", tool));
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().context, "transform 'a-filter': command not found: " + tool +
                                           "; install it on this target or correct the specification");
    EXPECT_EQ(instance_->status().state, InstanceState::restarting);
    EXPECT_EQ(instance_->status().reason, started.error().context);
    EXPECT_EQ(run("x").code(), Code::unavailable);
    (void)dir_.file("tool", "#!/bin/sh\ncat\n", true);
    EXPECT_TRUE(eventually([&] { return instance_->status().state == InstanceState::running; }));
    EXPECT_EQ(run("x").output, "x");
}

TEST_P(FilterFailure, MissingProgramDoesNotHinderStop) {
    EXPECT_THAT(start(*filter_spec("a-filter", "gzipp -9")).error().context, StartsWith("transform 'a-filter': command not found: gzipp; "));
    stop();
}

TEST_P(FilterFailure, ArgumentsMustFit) {
    start_filter("cat");
    EXPECT_EQ(run("x", std::string(200'000, 'a')).code(), Code::rejected);
    EXPECT_EQ(run("x", std::string("a\0b", 3)).code(), Code::rejected);
}

TEST_P(FilterFailure, CpuTimeLimitIsNamed) {
    auto spec = filter_spec("a-filter", "while :; do :; done");
    spec->limits.cpu_seconds = 1;
    timeout_ = std::chrono::seconds(90);  // a second of processor time may take long
    ASSERT_TRUE(start_filter(*spec).has_value());
    const Outcome outcome = run("x");
    EXPECT_EQ(outcome.code(), Code::crashed);
    EXPECT_EQ(outcome.text(), "killed by SIGXCPU (its cpu_time limit is 1s)");
}

TEST_P(FilterFailure, StopEndsRuns) {
    const std::string started = dir_.path() + "/started";
    start_filter("touch " + started + "; sleep 1000");
    MemorySource source("x");
    MemorySink sink(100);
    const ObjectRun one = object();
    auto running = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, source, sink), boost::asio::use_future);
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(started); }));
    run_blocking(control_, instance_->stop());
    const RunResult result = running.get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::unavailable);
    EXPECT_THAT(result.error().error.context, HasSubstr("is stopped"));
    EXPECT_EQ(run("x").code(), Code::unavailable);
    EXPECT_EQ(instance_->status().state, InstanceState::stopped);
    EXPECT_FALSE(has_children());
    instance_.reset();
}

TEST_P(FilterFailure, CancelledRunCleansUp) {
    const std::string started = dir_.path() + "/started";
    start_filter("touch " + started + "; sleep 1000");
    leaving_nothing([&] {
        std::filesystem::remove(started);
        std::optional<RunResult> result;
        const auto cancel_it = [&]() -> Task<void> {
            TaskGroup group(lane_.executor());
            MemorySource source("x");
            MemorySink sink(100);
            const ObjectRun one = object();
            const auto one_run = [&]() -> Task<void> { result = co_await instance_->run(0, one, source, sink); };
            group.spawn(one_run());
            while (!std::filesystem::exists(started)) co_await sleep_for(std::chrono::milliseconds(1));
            group.cancel();
            co_await group.join();
        };
        run_blocking(lane_, cancel_it());
        ASSERT_TRUE(result.has_value());
        ASSERT_FALSE(result->has_value());
        EXPECT_EQ(result->error().error.code, Code::cancelled);
    });
}

INSTANTIATE_TEST_SUITE_P(BothStarts, FilterFailure, kBothStarts, start_name);

}  // namespace
}  // namespace millrace::runtime
