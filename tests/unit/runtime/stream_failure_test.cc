#include <gmock/gmock.h>

#include <set>

#include "stream_fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class StreamFailure : public StreamFixture {};

TEST_F(StreamFailure, ReadinessIsTheGreeting) {
    TransformSpec spec = python_spec("wrong-greeting");
    spec.init_timeout_ms = milliseconds(700);
    const auto wrong = start(spec);
    ASSERT_FALSE(wrong.has_value());
    EXPECT_THAT(wrong.error().context, HasSubstr("what listens there does not speak version 1 of the stream protocol"));
    stop();

    spec = python_spec("silent");
    spec.init_timeout_ms = milliseconds(700);
    const auto silent = start(spec);
    ASSERT_FALSE(silent.has_value());
    EXPECT_EQ(silent.error().code, Code::timed_out);
    EXPECT_THAT(silent.error().context, HasSubstr("the greeting on unix:"));
    stop();

    spec.argv = {"/usr/bin/python3", "-S", MILLRACE_ECHO_SERVER};
    const auto http = start(spec);
    ASSERT_FALSE(http.has_value());
    EXPECT_THAT(http.error().context, HasSubstr("not ready within 700ms (the greeting on unix:"));
}

TEST_F(StreamFailure, WhoBreaksTheProtocolLosesItsObjects) {
    for (const std::string how : {"garbage", "stranger"}) {
        ASSERT_TRUE(start(python_spec(how)).has_value());
        for (const Outcome& outcome : run_all({"one", "two"})) {
            EXPECT_EQ(outcome.code(), Code::crashed);
            EXPECT_THAT(outcome.text(), StartsWith("the transform broke the stream protocol: ")) << how;
        }
        EXPECT_EQ(instance_->status().restarts, 0u);
        stop();
    }
}

TEST_F(StreamFailure, AClosedConnectionLosesItsObjects) {
    ASSERT_TRUE(start(python_spec("closes")).has_value());
    for (const Outcome& outcome : run_all({"one", "two"})) {
        EXPECT_EQ(outcome.code(), Code::crashed);
        EXPECT_EQ(outcome.text(), "the connection was closed before its answer");
    }
    EXPECT_EQ(run("three").code(), Code::crashed);  // over a new one
}

TEST_F(StreamFailure, DeathInTheMiddleOfAnAnswer) {
    ASSERT_TRUE(start(python_spec("half")).has_value());
    const Outcome outcome = run("x");
    EXPECT_EQ(outcome.code(), Code::crashed);
    EXPECT_EQ(outcome.text(), "killed by SIGKILL");
}

TEST_F(StreamFailure, WhoDoesNotReadTimesOut) {
    ASSERT_TRUE(start(python_spec("deaf")).has_value());
    timeout_ = std::chrono::milliseconds(400);
    PatternSource source(8 << 20);
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::timed_out) << result.error().error.context;
    EXPECT_LT(source.offset(), 4u << 20);
}

TEST_F(StreamFailure, AnAnswerMayComeBeforeTheWholeObject) {
    ASSERT_TRUE(start(python_spec("early")).has_value());
    PatternSource source(4 << 20);
    source.blocks_at = 1 << 20;
    MemorySink sink(100);
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(sink.bytes(), "it is enough");
}

TEST_F(StreamFailure, WhoFindsNoRoomInTimeIsNotBlamed) {
    TransformSpec spec = python_spec();
    spec.batch_objects_max = 1;
    ASSERT_TRUE(start(spec).has_value());
    Outcome first;
    auto running = boost::asio::co_spawn(lane_.executor(), run_one(0, "sleep 1500", first), boost::asio::use_future);
    ASSERT_TRUE(said("sleeping"));
    timeout_ = std::chrono::milliseconds(50);
    PatternSource source(1 << 20);
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult large = run(one, source, sink);
    ASSERT_FALSE(large.has_value());
    EXPECT_EQ(large.error().error.code, Code::overloaded) << large.error().error.context;
    const Outcome small = run("hello");
    EXPECT_EQ(small.code(), Code::overloaded);
    EXPECT_EQ(small.text(), "the transform was busy with other objects for all of its time");
    running.get();
    EXPECT_EQ(first.output, "slept") << first.text();
}

TEST_F(StreamFailure, ResultsOfOddTypes) {
    ASSERT_TRUE(start(python_spec()).has_value());
    EXPECT_EQ(run("view").output, "a view");
    EXPECT_EQ(run("number").text(), "TypeError: the transform returned int; bytes or str were expected");
    EXPECT_TRUE(said("TypeError: the transform returned int; bytes or str were expected"));  // with a traceback, in its log
    EXPECT_EQ(run("exit 3").text(), "exit status 3: TypeError: the transform returned int; bytes or str were expected");
}

TEST_F(StreamFailure, LanesGetWorkersOfTheirOwn) {
    ASSERT_TRUE(start(python_spec("2")).has_value());
    const std::string first = run("pid").output;
    std::vector<Outcome> other;
    run_blocking(other_lane_, run_all(1, {"pid"}, other));
    EXPECT_NE(first, other[0].output);
    EXPECT_NE(first, std::to_string(instance_->status().pid));
    EXPECT_EQ(run("die").code(), Code::crashed);
    EXPECT_TRUE(eventually([&] { return !is_alive(std::stoi(first)) && !is_alive(std::stoi(other[0].output)); }));
    EXPECT_EQ(run("hello").output, "HELLO");
    const int parent = instance_->status().pid;
    const int worker = std::stoi(run("pid").output);
    ::kill(parent, SIGKILL);
    EXPECT_TRUE(eventually([&] { return !is_alive(worker); }));
}

}  // namespace
}  // namespace millrace::runtime
