#include <gmock/gmock.h>

#include "stream_fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;

// Both libraries.
class Stream : public StreamFixture, public ::testing::WithParamInterface<bool> {
protected:
    static TransformSpec server_spec() { return GetParam() ? cpp_spec() : python_spec(); }
};

INSTANTIATE_TEST_SUITE_P(Library, Stream, ::testing::Bool(), [](const auto& chosen) { return chosen.param ? "Cpp" : "Python"; });

std::uint64_t resident_bytes() {
    std::ifstream statm("/proc/self/statm");
    std::uint64_t pages = 0;
    statm >> pages >> pages;
    return pages * 4096;
}

class WatchedSink final : public ChecksumSink {
public:
    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        resident_max = std::max(resident_max, resident_bytes());
        return ChecksumSink::write(bytes);
    }
    std::uint64_t resident_max = 0;
};

TEST_P(Stream, ServesObjects) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const Outcome outcome = run("hello");
    EXPECT_EQ(outcome.output, "HELLO") << outcome.text();
    EXPECT_EQ(outcome.result->bytes_in, 5u);
    EXPECT_EQ(outcome.result->bytes_out, 5u);
    EXPECT_EQ(run("").output, "");
    EXPECT_TRUE(run("").ok());
    EXPECT_EQ(run("name").output, "sounds/a/clip 7.wav");
    EXPECT_EQ(run("args", "speed=2 ä").output, "speed=2 ä");
    EXPECT_EQ(run("pid").output, std::to_string(instance_->status().pid));
    stop();
    EXPECT_FALSE(has_children());
}

TEST_P(Stream, FailuresDecide) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_EQ(run("raise not a\nrecording").code(), Code::rejected);
    EXPECT_EQ(run("raise not a\nrecording").text(), "ValueError: not a recording");
    EXPECT_EQ(run("reject no").code(), Code::rejected);
    EXPECT_EQ(run("reject no").text(), "no");
    EXPECT_EQ(run("retry later").code(), Code::transient);
    EXPECT_EQ(run("retry later").text(), "later");
    EXPECT_EQ(run("reject ").text(), "failed without a reason");
    EXPECT_EQ(run("hello", std::string(600'000, 'a')).code(), Code::rejected);
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 0u);
}

Task<void> run_range(Instance& instance, std::size_t lane, std::size_t first, std::size_t end, std::size_t& right) {
    for (std::size_t i = first; i < end; ++i) {
        const std::string input = "object " + std::to_string(i) + std::string(i % 4096, 'x');
        std::string expected = input;
        std::ranges::transform(expected, expected.begin(), [](unsigned char c) { return std::toupper(c); });
        MemorySource source(input);
        MemorySink sink(8192);
        const ObjectRun one{"b", "o", "", steady_now() + std::chrono::seconds(20)};
        const RunResult result = co_await instance.run(lane, one, source, sink);
        if (result.has_value() && sink.bytes() == expected) ++right;
    }
}

Task<void> run_ranges(Executor executor, Instance& instance, std::size_t lane, std::size_t& right) {
    TaskGroup group(executor);
    for (std::size_t i = 0; i < 100; ++i) group.spawn(run_range(instance, lane, 50 * i, 50 * (i + 1), right));
    co_await group.join();
}

TEST_P(Stream, ManyObjectsFromTwoLanes) {
    ASSERT_TRUE(start(server_spec()).has_value());
    std::size_t right = 0;
    std::size_t other_right = 0;
    auto other = boost::asio::co_spawn(other_lane_.executor(), run_ranges(other_lane_.executor(), *instance_, 1, other_right), boost::asio::use_future);
    run_blocking(lane_, run_ranges(lane_.executor(), *instance_, 0, right));
    other.get();
    EXPECT_EQ(right, 5000u);
    EXPECT_EQ(other_right, 5000u);
}

TEST_P(Stream, LargeObjectsBothWaysInBoundedMemory) {
    ASSERT_TRUE(start(server_spec()).has_value());
    PatternSource source(64 << 20);
    WatchedSink sink;
    const ObjectRun one = object("same");
    [[maybe_unused]] const std::uint64_t before = resident_bytes();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(result->bytes_in, 64u << 20);
    EXPECT_EQ(sink.size, 64u << 20);
    EXPECT_EQ(sink.checksum(), source.checksum());
    EXPECT_LE(sink.piece_max, 2u << 20);
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
    EXPECT_LT(sink.resident_max, before + (24u << 20));
#endif
    const std::string in_memory(3'000'001, 'm');
    EXPECT_EQ(run(in_memory, "same").output, in_memory);
    EXPECT_EQ(run("big 1048576").output.size(), 1u << 20);
    EXPECT_EQ(run("big 2097153").output.size(), (2u << 20) + 1);
}

TEST_P(Stream, SlowSinksHoldUpTheResultAndNobodyIsBlamed) {
    class SlowSink final : public ChecksumSink {
    public:
        Task<Result<void>> write(std::span<const std::byte> bytes) override {
            if (std::exchange(is_first, false)) co_await sleep_for(std::chrono::milliseconds(800));
            co_return co_await ChecksumSink::write(bytes);
        }
        bool is_first = true;
    };
    ASSERT_TRUE(start(server_spec()).has_value());
    timeout_ = std::chrono::milliseconds(600);
    MemorySource source("big 20000000");
    SlowSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(sink.size, 20'000'000u);
}

TEST_P(Stream, CrashMakesEveryUnansweredObjectASuspect) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const auto outcomes = run_all({"sleep 100", "die", "hello"});
    EXPECT_EQ(outcomes[1].code(), Code::crashed);
    EXPECT_EQ(outcomes[2].code(), Code::crashed);
    EXPECT_THAT(outcomes[2].text(), HasSubstr("killed by SIGABRT"));
    EXPECT_TRUE(outcomes[0].ok() || outcomes[0].code() == Code::crashed);  // its answer may have been on its way
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(run_isolated("die").code(), Code::crashed);
    EXPECT_EQ(run_isolated("hello").output, "HELLO");
    EXPECT_EQ(run("exit 3").code(), Code::crashed);
}

TEST_P(Stream, OnlyTheHangingObjectTimesOut) {
    ASSERT_TRUE(start(server_spec()).has_value());
    timeout_ = std::chrono::milliseconds(800);
    const auto outcomes = run_all({"hello", "hang", "hello", "hello"});
    EXPECT_EQ(outcomes[0].output, "HELLO") << outcomes[0].text();  // a ready answer does not wait for the next object
    EXPECT_EQ(outcomes[1].code(), Code::timed_out) << outcomes[1].text();
    EXPECT_THAT(outcomes[1].text(), ::testing::MatchesRegex("timeout: no result within [0-9]+ms"));
    for (const std::size_t i : {2u, 3u}) {
        EXPECT_EQ(outcomes[i].code(), Code::crashed);
        EXPECT_THAT(outcomes[i].text(), HasSubstr("the time of an earlier object was up"));
    }
    timeout_ = std::chrono::seconds(20);
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 0u);
}

TEST_P(Stream, WaitingBehindOthersIsNotAnObjectsTime) {
    ASSERT_TRUE(start(server_spec()).has_value());
    timeout_ = std::chrono::milliseconds(800);
    for (const Outcome& outcome : run_all({"sleep 250", "sleep 250", "sleep 250", "sleep 250", "hello"})) {
        EXPECT_TRUE(outcome.ok()) << outcome.text();
    }
}

TEST_P(Stream, SourceFailuresAreTheirs) {
    TransformSpec spec = server_spec();
    spec.batch_objects_max = 1;  // so that the next object shows that an aborted one is answered
    ASSERT_TRUE(start(spec).has_value());
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
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_P(Stream, SinkFailuresAreTheirs) {
    ASSERT_TRUE(start(server_spec()).has_value());
    MemorySource source("big 30000000");
    ChecksumSink sink;
    sink.fails_after = 100'000;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().blame, Blame::sink);
    EXPECT_EQ(result.error().error.context, "the disk is full");
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_P(Stream, BlockedSourceTimesOutAloneWhileOthersAreServed) {
    ASSERT_TRUE(start(server_spec()).has_value());
    timeout_ = std::chrono::milliseconds(400);
    PatternSource source(4 << 20);
    source.blocks_at = 1 << 20;
    ChecksumSink sink;
    const ObjectRun one = object();
    auto blocked = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, source, sink), boost::asio::use_future);
    EXPECT_EQ(run("hello").output, "HELLO");
    const RunResult result = blocked.get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::timed_out);
    EXPECT_EQ(run("hello").output, "HELLO");
}

// Size not known beforehand.
class EndlessSource final : public PatternSource {
public:
    using PatternSource::PatternSource;
    std::optional<std::uint64_t> size() const override { return std::nullopt; }
};

TEST_P(Stream, ObjectsOfUnknownSize) {
    ASSERT_TRUE(start(server_spec()).has_value());
    for (const std::uint64_t size : {0u, 100u, 256u << 10, 3'000'000u}) {
        EndlessSource source(size);
        ChecksumSink sink;
        const ObjectRun one = object("same");
        const RunResult result = run(one, source, sink);
        ASSERT_TRUE(result.has_value()) << result.error().error.context;
        EXPECT_EQ(sink.size, size);
        EXPECT_EQ(sink.checksum(), source.checksum());
    }
}

TEST_P(Stream, CancelledRunCleansUp) {
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

TEST_P(Stream, CancelledWhileTheTransformWorksOnIt) {
    ASSERT_TRUE(start(server_spec()).has_value());
    Outcome outcome;
    const auto cancel_it = [&]() -> Task<void> {
        TaskGroup group(lane_.executor());
        group.spawn(run_one(0, "sleep 200", outcome));
        while (instance_->log_tail().find("sleeping") == std::string::npos) co_await sleep_for(std::chrono::milliseconds(1));
        group.cancel();
        co_await group.join();
    };
    run_blocking(lane_, cancel_it());
    EXPECT_EQ(outcome.code(), Code::cancelled) << outcome.text();
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(instance_->status().restarts, 0u);
}

// Nobody waits for its answer any more, yet what is behind it is not blamed.
TEST_P(Stream, CancelledObjectThatHangsIsCutOffInItsTime) {
    ASSERT_TRUE(start(server_spec()).has_value());
    Outcome outcome;
    const auto cancel_it = [&]() -> Task<void> {
        TaskGroup group(lane_.executor());
        group.spawn(run_one(0, "hang", outcome));
        while (instance_->log_tail().find("hanging") == std::string::npos) co_await sleep_for(std::chrono::milliseconds(1));
        group.cancel();
        co_await group.join();
    };
    timeout_ = std::chrono::milliseconds(400);
    run_blocking(lane_, cancel_it());
    EXPECT_EQ(outcome.code(), Code::cancelled) << outcome.text();
    timeout_ = std::chrono::seconds(20);
    const Outcome behind = run("hello");
    EXPECT_EQ(behind.code(), Code::crashed);
    EXPECT_THAT(behind.text(), HasSubstr("the time of an earlier object was up"));
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_P(Stream, StopEndsRuns) {
    ASSERT_TRUE(start(server_spec()).has_value());
    std::vector<Outcome> outcomes;
    const std::vector<std::string> inputs(200, "hang");  // more than fit
    auto running = boost::asio::co_spawn(lane_.executor(), run_all(0, inputs, outcomes), boost::asio::use_future);
    ASSERT_TRUE(said("hanging"));
    run_blocking(control_, instance_->stop());
    running.get();
    for (const Outcome& outcome : outcomes) EXPECT_EQ(outcome.code(), Code::unavailable) << outcome.text();
    instance_.reset();
    EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace millrace::runtime
