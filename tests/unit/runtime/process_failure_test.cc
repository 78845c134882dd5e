#include <gmock/gmock.h>

#include "process_fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ProcessFailure : public ProcessTest {};

TEST_F(ProcessFailure, StatusesDecide) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_EQ(run("400").code(), Code::rejected);
    EXPECT_EQ(run("400").text(), "status 400: the reason for 400");
    EXPECT_EQ(run("404").code(), Code::rejected);
    EXPECT_EQ(run("500").code(), Code::transient);
    EXPECT_EQ(run("500").text(), "status 500: the reason for 500");
    EXPECT_EQ(run("503").code(), Code::transient);
    EXPECT_EQ(run("202").output, "the reason\nfor 202");
    EXPECT_EQ(run("204").code(), Code::rejected);
    EXPECT_EQ(run("204").text(), "answered 204 without a result");
    EXPECT_EQ(run("302").text(), "unexpected status 302: the reason for 302");
    EXPECT_EQ(run("302").code(), Code::rejected);
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 0u);
}

TEST_F(ProcessFailure, AServerThatAsksForAnotherTryForEverIsAskedSixTimes) {
    const std::string runs = dir_.path() + "/runs";
    TransformSpec spec = server_spec();
    spec.env["ECHO_RUNS"] = runs;
    ASSERT_TRUE(start(spec).has_value());
    const auto result = run("again");
    EXPECT_EQ(result.code(), Code::transient);
    EXPECT_EQ(result.text(), "status 503: not delivered");
    std::ifstream file(runs);
    EXPECT_EQ(std::count(std::istreambuf_iterator<char>(file), {}, '\n'), 6);
}

TEST_F(ProcessFailure, CrashIsToldWithItsSignal) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const Outcome outcome = run("die");
    EXPECT_EQ(outcome.code(), Code::crashed);
    EXPECT_EQ(outcome.blame(), Blame::transform);
    EXPECT_EQ(outcome.text(), "killed by SIGABRT");
    EXPECT_TRUE(eventually([&] { return instance_->status().restarts == 1 && instance_->status().state == InstanceState::running; }));
}

TEST_F(ProcessFailure, ExitWhileServingIsACrash) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const Outcome outcome = run("exit");
    EXPECT_EQ(outcome.code(), Code::crashed);
    EXPECT_EQ(outcome.text(), "exit status 3: giving up on purpose");
    EXPECT_EQ(outcome.result.error().stderr_tail, "giving up on purpose\n");
}

TEST_F(ProcessFailure, CrashInTheMiddleOfTheAnswer) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const Outcome outcome = run("cut-die");
    EXPECT_EQ(outcome.code(), Code::crashed);
    EXPECT_EQ(outcome.text(), "killed by SIGKILL");
}

// The end of a connection is all that there is to see of the end of such an answer, and of its sender's.
TEST_F(ProcessFailure, AnAnswerWithoutALengthIsWholeIfItsSenderLivesOnOrEndsInOrder) {
    ASSERT_TRUE(start(server_spec()).has_value());
    for (const std::string end : {"open", "open child exit 0", "open exit 0"}) {
        const Outcome outcome = run(end);
        EXPECT_TRUE(outcome.ok()) << end << ": " << outcome.text();
        EXPECT_EQ(outcome.output, "some bytes") << end;
    }
    EXPECT_TRUE(eventually([&] { return instance_->status().restarts == 1 && instance_->status().state == InstanceState::running; }));
}

TEST_F(ProcessFailure, AnAnswerWithoutALengthIsACrashIfItsSenderBreaksOff) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const std::pair<std::string, std::string> ends[] = {{"open child die", "killed by SIGKILL"}, {"open child exit 7", "exit status 7"},
                                                        {"open die", "killed by SIGKILL"}, {"open exit 7", "exit status 7"}};
    for (const auto& [end, why] : ends) {
        const Outcome outcome = run(end);
        EXPECT_EQ(outcome.code(), Code::crashed) << end;
        EXPECT_THAT(outcome.text(), HasSubstr(why)) << end;
    }
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(ProcessFailure, EveryObjectInFlightIsASuspect) {
    ASSERT_TRUE(start(server_spec()).has_value());
    MemorySource source("hang");
    MemorySink sink(100);
    const ObjectRun one = object();
    auto hanging = boost::asio::co_spawn(other_lane_.executor(), instance_->run(1, one, source, sink), boost::asio::use_future);
    ASSERT_TRUE(eventually([&] { return instance_->log_tail().find("hanging\n") != std::string::npos; }));
    EXPECT_EQ(run("die").code(), Code::crashed);
    const RunResult result = hanging.get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::crashed) << result.error().error.context;
    EXPECT_THAT(result.error().error.context, StartsWith("killed by SIGABRT"));
}

TEST_F(ProcessFailure, LostConnectionIsACrashThoughTheServerLives) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_TRUE(run("hello").ok());
    for (const std::string what : {"cut", "no-reply"}) {
        const Outcome outcome = run(what);
        EXPECT_EQ(outcome.code(), Code::crashed) << what;  // of a worker behind it
        EXPECT_THAT(outcome.text(), StartsWith("connection lost")) << what;
    }
    EXPECT_EQ(instance_->status().restarts, 0u);
}

TEST_F(ProcessFailure, HangingServerTimesOut) {
    ASSERT_TRUE(start(server_spec()).has_value());
    timeout_ = std::chrono::milliseconds(300);
    const Outcome outcome = run("hang");
    EXPECT_EQ(outcome.code(), Code::timed_out);
    EXPECT_THAT(outcome.text(), ::testing::MatchesRegex("timeout: no result within [0-9]+ms"));
    timeout_ = std::chrono::seconds(20);
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 0u) << "it says that it is well";
}

TEST_F(ProcessFailure, AStuckServerIsStartedAgain) {
    ASSERT_TRUE(start(server_spec()).has_value());
    ASSERT_EQ(::kill(instance_->status().pid, SIGSTOP), 0);
    timeout_ = std::chrono::milliseconds(300);
    EXPECT_EQ(run("hello").code(), Code::timed_out);
    timeout_ = std::chrono::seconds(20);
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 1u);
    EXPECT_THAT(instance_->status().last_death, StartsWith("stuck: "));
}

TEST_F(ProcessFailure, AServerThatHungAloneIsNotUsedAgain) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const std::string first = run_isolated("pid").output;
    timeout_ = std::chrono::milliseconds(300);
    EXPECT_EQ(run_isolated("hang").code(), Code::timed_out);
    timeout_ = std::chrono::seconds(20);
    const Outcome next = run_isolated("pid");
    EXPECT_TRUE(next.ok());
    EXPECT_NE(next.output, first);
}

TEST_F(ProcessFailure, SourceAndSinkFailuresAreTheirs) {
    ASSERT_TRUE(start(server_spec()).has_value());
    for (const bool is_short : {false, true}) {
        PatternSource source(4 << 20);
        (is_short ? source.ends_at : source.fails_at) = 1 << 20;
        ChecksumSink sink;
        const ObjectRun one = object();
        const RunResult result = run(one, source, sink);
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().blame, Blame::source);
        EXPECT_EQ(result.error().error.code, is_short ? Code::incomplete_body : Code::corrupt);
    }
    MemorySource source("big 3000000");
    ChecksumSink sink;
    sink.fails_after = 100'000;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().blame, Blame::sink);
    EXPECT_EQ(result.error().error.context, "the disk is full");
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(ProcessFailure, BlockedSourceTimesOut) {
    ASSERT_TRUE(start(server_spec()).has_value());
    timeout_ = std::chrono::milliseconds(300);
    PatternSource source(4 << 20);
    source.blocks_at = 1 << 20;
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::timed_out);
}

TEST_F(ProcessFailure, MissingBinaryIsSaidAtStart) {
    TransformSpec spec = server_spec();
    spec.argv = {"no-such-server"};
    const auto started = start(spec);
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().context,
              "transform 'a-server': command not found: no-such-server; install it on this target or correct the specification");
    EXPECT_EQ(instance_->status().state, InstanceState::restarting);
    EXPECT_THAT(instance_->status().reason, HasSubstr("command not found"));
    timeout_ = std::chrono::milliseconds(50);
    EXPECT_EQ(run("x").code(), Code::unavailable);
    EXPECT_THAT(run("x").text(), HasSubstr("command not found: no-such-server"));
    EXPECT_EQ(run_isolated("x").code(), Code::unavailable);
}

TEST_F(ProcessFailure, ServerThatEndsAtOnceSaysWhy) {
    TransformSpec spec = server_spec();
    spec.env["ECHO_EXIT"] = "4";
    const auto started = start(spec);
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().context, "transform 'a-server': it ended before it was ready: exit status 4: cannot load the model");
}

TEST_F(ProcessFailure, FailedStartIsTriedAgain) {
    TransformSpec spec = server_spec();
    spec.env["ECHO_FAIL_UNTIL"] = dir_.path() + "/model";
    ASSERT_FALSE(start(spec).has_value());
    (void)dir_.file("model", "x");
    EXPECT_TRUE(eventually([&] { return instance_->status().state == InstanceState::running; }));
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(ProcessFailure, NeverReady) {
    TransformSpec spec = server_spec();
    spec.env["ECHO_NEVER_READY"] = "1";
    spec.init_timeout_ms = milliseconds(700);
    const auto started = start(spec);
    ASSERT_FALSE(started.has_value());
    EXPECT_EQ(started.error().code, Code::timed_out);
    EXPECT_THAT(started.error().context, HasSubstr("not ready within 700ms (GET /health on unix:"));
    stop();
    EXPECT_FALSE(has_children());
}

TEST_F(ProcessFailure, StopDuringStart) {
    TransformSpec spec = server_spec();
    spec.env["ECHO_NEVER_READY"] = "1";
    instance_ = make_instance(spec, {control_.executor(), {lane_.executor()}, dir_.path() + "/instance"});
    auto started = boost::asio::co_spawn(control_.executor(), instance_->start(), boost::asio::use_future);
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(dir_.path() + "/instance/pid"); }));
    run_blocking(control_, instance_->stop());
    EXPECT_FALSE(started.get().has_value());
    EXPECT_EQ(instance_->status().state, InstanceState::stopped);
    instance_.reset();
    EXPECT_FALSE(has_children());
}

TEST_F(ProcessFailure, StopKillsGrandchildren) {
    TransformSpec spec = server_spec();
    spec.env["ECHO_CHILD"] = "1";
    ASSERT_TRUE(start(spec).has_value());
    std::ifstream children("/proc/" + run("pid").output + "/task/" + run("pid").output + "/children");
    int grandchild = 0;
    ASSERT_TRUE(children >> grandchild);
    EXPECT_TRUE(is_alive(grandchild));
    stop();
    EXPECT_FALSE(is_alive(grandchild));
}

TEST_F(ProcessFailure, CrashKillsGrandchildren) {
    TransformSpec spec = server_spec();
    spec.env["ECHO_CHILD"] = "1";
    ASSERT_TRUE(start(spec).has_value());
    const std::string pid = run("pid").output;
    std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
    int grandchild = 0;
    ASSERT_TRUE(children >> grandchild);
    EXPECT_EQ(run("die").code(), Code::crashed);
    EXPECT_TRUE(eventually([&] { return !is_alive(grandchild); }));
}

TEST_F(ProcessFailure, StopInsistsOnAServerThatIgnoresTerm) {
    TransformSpec spec = server_spec();
    spec.env["ECHO_IGNORE_TERM"] = "1";
    ASSERT_TRUE(start(spec).has_value());
    const int pid = instance_->status().pid;
    stop();
    EXPECT_FALSE(is_alive(pid));
}

TEST_F(ProcessFailure, StopEndsRuns) {
    ASSERT_TRUE(start(server_spec()).has_value());
    MemorySource source("hang");
    MemorySource alone("hang");
    MemorySink sink(100);
    const ObjectRun one = object();
    auto running = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, source, sink), boost::asio::use_future);
    auto isolated = boost::asio::co_spawn(other_lane_.executor(), instance_->run_isolated(1, one, alone, sink), boost::asio::use_future);
    const auto hangs = [&] {  // in both servers
        const std::string log = instance_->log_tail();
        const std::size_t first = log.find("hanging\n");
        return first != std::string::npos && log.find("hanging\n", first + 1) != std::string::npos;
    };
    ASSERT_TRUE(eventually(hangs));
    run_blocking(control_, instance_->stop());
    for (const RunResult& result : {running.get(), isolated.get()}) {
        ASSERT_FALSE(result.has_value());
        EXPECT_EQ(result.error().error.code, Code::unavailable) << result.error().error.context;
    }
    EXPECT_EQ(run("x").code(), Code::unavailable);
    instance_.reset();
    EXPECT_FALSE(has_children());
}

TEST_F(ProcessFailure, CancelledRunCleansUp) {
    ASSERT_TRUE(start(server_spec()).has_value());
    std::optional<RunResult> result;
    const auto cancel_it = [&]() -> Task<void> {
        TaskGroup group(lane_.executor());
        PatternSource source(4 << 20);
        source.blocks_at = 1 << 20;
        ChecksumSink sink;
        const ObjectRun one = object();
        const auto one_run = [&]() -> Task<void> { result = co_await instance_->run(0, one, source, sink); };
        group.spawn(one_run());
        while (source.offset() < (1 << 20)) co_await sleep_for(std::chrono::milliseconds(1));
        group.cancel();
        co_await group.join();
    };
    run_blocking(lane_, cancel_it());
    ASSERT_TRUE(result.has_value());
    ASSERT_FALSE(result->has_value());
    EXPECT_EQ(result->error().error.code, Code::cancelled) << result->error().error.context;
    EXPECT_EQ(run("hello").output, "HELLO");
}

}  // namespace
}  // namespace millrace::runtime
