#include <gmock/gmock.h>

#include "fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;

class Filter : public InstanceTest {
protected:
    void start_filter(const std::string& cmd) {
        const auto spec = filter_spec("a-filter", cmd);
        ASSERT_TRUE(spec.has_value()) << spec.error().context;
        const auto started = start(*spec);
        ASSERT_TRUE(started.has_value()) << started.error().context;
    }
};

TEST_F(Filter, PassesBytesThrough) {
    start_filter("cat");
    EXPECT_EQ(run("hello").output, "hello");
    EXPECT_EQ(run("").output, "");
    EXPECT_TRUE(run("").ok());
    const Outcome outcome = run("hello");
    EXPECT_EQ(outcome.result->bytes_in, 5u);
    EXPECT_EQ(outcome.result->bytes_out, 5u);
    EXPECT_EQ(instance_->status().state, InstanceState::running);
    EXPECT_EQ(instance_->status().runs, 4u);
    EXPECT_EQ(instance_->status().failures, 0u);
}

TEST_F(Filter, TransformsBytes) {
    start_filter("tr a-z A-Z");
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(Filter, PipelinesGoThroughTheShell) {
    start_filter("gzip -c | gunzip -c | tr a-z A-Z");
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(Filter, ObjectsOfEverySizeArriveWhole) {
    start_filter("cat");
    for (const std::size_t size : {1u, 4096u, 65535u, 65536u, 65537u, 200'000u, 3'000'000u}) {
        std::string input(size, 'x');
        for (std::size_t i = 0; i < size; i += 97) input[i] = static_cast<char>(i);
        EXPECT_TRUE(run(input).output == input) << size;
        PatternSource source(size);
        ChecksumSink sink;
        const ObjectRun one = object();
        const RunResult result = run(one, source, sink);
        ASSERT_TRUE(result.has_value()) << result.error().error.context;
        EXPECT_EQ(sink.size, size);
        EXPECT_EQ(sink.checksum(), source.checksum());
        EXPECT_EQ(result->bytes_in, size);
    }
}

TEST_F(Filter, LargeObjectsStream) {
    start_filter("cat");
    PatternSource source(64 << 20);
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(sink.size, 64u << 20);
    EXPECT_EQ(sink.checksum(), source.checksum());
    EXPECT_LE(sink.piece_max, kBodyChunkBytes);
}

TEST_F(Filter, OutputMayBeLargerThanInput) {
    start_filter("sh -c 'cat > /dev/null; head -c 20000000 /dev/zero'");
    EXPECT_EQ(run("x").output.size(), 20'000'000u);
}

TEST_F(Filter, MayLeaveItsInputUnread) {
    start_filter("head -c 10");
    PatternSource source(64 << 20);
    MemorySink sink(1 << 20);
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(sink.bytes().size(), 10u);
    EXPECT_LT(source.offset(), 64u << 20);
}

TEST_F(Filter, MayReadNothing) {
    start_filter("true");
    EXPECT_TRUE(run(std::string(1 << 20, 'x')).ok());
    PatternSource source(1 << 20);
    source.blocks_at = 100'000;
    ChecksumSink sink;
    const ObjectRun one = object();
    EXPECT_TRUE(run(one, source, sink).has_value());
}

TEST_F(Filter, SeesItsObject) {
    start_filter("printf '%s|%s|%s' \"$MILLRACE_BUCKET\" \"$MILLRACE_OBJECT\" \"$MILLRACE_ARGS\"");
    EXPECT_EQ(run("", "speed=\"2\" x").output, "sounds|a/clip 7.wav|speed=\"2\" x");
}

TEST_F(Filter, HasACleanEnvironment) {
    ::setenv("RUNTIME_TEST_SECRET", "leak", 1);
    auto spec = filter_spec("a-filter", "env");
    spec->env = {{"COLOUR", "blue"}, {"MILLRACE_ARGS", "forged"}};
    ASSERT_TRUE(start(*spec).has_value());
    const std::string seen = run("").output;
    EXPECT_THAT(seen, HasSubstr("COLOUR=blue\n"));
    EXPECT_THAT(seen, HasSubstr("PATH=/"));
    EXPECT_THAT(seen, HasSubstr("LANG="));
    EXPECT_THAT(seen, HasSubstr("TMPDIR=" + dir_.path() + "/instance/work\n"));
    EXPECT_THAT(seen, HasSubstr("MILLRACE_ARGS=\n"));
    EXPECT_EQ(seen.find("RUNTIME_TEST_SECRET"), std::string::npos);
    EXPECT_EQ(seen.find("forged"), std::string::npos);
}

TEST_F(Filter, WorksInItsFolder) {
    start_filter("pwd; :");
    EXPECT_EQ(run("").output, dir_.path() + "/instance/work\n");
    stop();
    EXPECT_FALSE(std::filesystem::exists(dir_.path() + "/instance"));
    auto spec = filter_spec("a-filter", "pwd");
    spec->workdir = "/usr";
    ASSERT_TRUE(start(*spec).has_value());
    EXPECT_EQ(run("").output, "/usr\n");
}

TEST_F(Filter, BackgroundProcessesDieWithIt) {
    start_filter("sleep 1000 & echo $!");
    const Outcome outcome = run("");
    ASSERT_TRUE(outcome.ok()) << outcome.text();
    EXPECT_TRUE(eventually([&] { return !is_alive(std::stoi(outcome.output)); }));
}

TEST_F(Filter, RunIsolatedIsTheSame) {
    start_filter("tr a-z A-Z");
    EXPECT_EQ(run_isolated("hello").output, "HELLO");
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define MILLRACE_TEST_SPAWNS_SLOWLY 1  // a spawn then copies the page tables of the shadow memory: a fifth of a second
#endif
#endif
#ifdef MILLRACE_TEST_SPAWNS_SLOWLY
constexpr int kManyRuns = 100;
#else
constexpr int kManyRuns = 1000;
#endif

TEST_F(Filter, ManyRunsLeaveNothingBehind) {
    auto spec = filter_spec("a-filter", "cat");
    ASSERT_TRUE(start(*spec).has_value());
    EXPECT_TRUE(run("warm up").ok());
    const std::size_t before = open_descriptors();
    for (int i = 0; i < kManyRuns; ++i) ASSERT_EQ(run("hello " + std::to_string(i)).output, "hello " + std::to_string(i));
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(has_children());
}

TEST_F(Filter, ManyAtOnceOnTwoLanes) {
    start_filter("tr a-z A-Z");
    constexpr std::size_t kRuns = 64;
    std::vector<std::unique_ptr<MemorySource>> sources;
    std::vector<std::unique_ptr<MemorySink>> sinks;
    std::vector<std::future<RunResult>> results;
    std::vector<std::string> inputs;
    const ObjectRun one = object();
    for (std::size_t i = 0; i < kRuns; ++i) inputs.push_back(std::string(i * 5000, 'a') + "end");
    for (std::size_t i = 0; i < kRuns; ++i) {
        sources.push_back(std::make_unique<MemorySource>(inputs[i]));
        sinks.push_back(std::make_unique<MemorySink>(1 << 20));
        Loop& loop = i % 2 == 0 ? lane_ : other_lane_;
        results.push_back(boost::asio::co_spawn(loop.executor(), instance_->run(i % 2, one, *sources[i], *sinks[i]), boost::asio::use_future));
    }
    for (std::size_t i = 0; i < kRuns; ++i) {
        EXPECT_TRUE(results[i].get().has_value());
        EXPECT_EQ(sinks[i]->bytes(), std::string(i * 5000, 'A') + "END");
    }
}

}  // namespace
}  // namespace millrace::runtime
