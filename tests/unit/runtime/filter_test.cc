#include <gmock/gmock.h>

#include "fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;

class Filter : public BothStartsTest {};

TEST_P(Filter, PassesBytesThrough) {
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

TEST_P(Filter, TransformsBytes) {
    start_filter("tr a-z A-Z");
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_P(Filter, PipelinesGoThroughTheShell) {
    start_filter("gzip -c | gunzip -c | tr a-z A-Z");
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_P(Filter, ObjectsOfEverySizeArriveWhole) {
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

TEST_P(Filter, LargeObjectsStream) {
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

TEST_P(Filter, OutputMayBeLargerThanInput) {
    start_filter("sh -c 'cat > /dev/null; head -c 20000000 /dev/zero'");
    EXPECT_EQ(run("x").output.size(), 20'000'000u);
}

TEST_P(Filter, MayLeaveItsInputUnread) {
    start_filter("head -c 10");
    PatternSource source(64 << 20);
    MemorySink sink(1 << 20);
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(sink.bytes().size(), 10u);
    EXPECT_LT(source.offset(), 64u << 20);
}

TEST_P(Filter, MayReadNothing) {
    start_filter("true");
    EXPECT_TRUE(run(std::string(1 << 20, 'x')).ok());
    PatternSource source(1 << 20);
    source.blocks_at = 100'000;
    ChecksumSink sink;
    const ObjectRun one = object();
    EXPECT_TRUE(run(one, source, sink).has_value());
}

TEST_P(Filter, SeesItsObject) {
    start_filter("printf '%s|%s|%s' \"$MILLRACE_BUCKET\" \"$MILLRACE_OBJECT\" \"$MILLRACE_ARGS\"");
    EXPECT_EQ(run("", "speed=\"2\" x").output, "sounds|a/clip 7.wav|speed=\"2\" x");
}

TEST_P(Filter, HasACleanEnvironment) {
    ::setenv("RUNTIME_TEST_SECRET", "leak", 1);
    auto spec = filter_spec("a-filter", "env");
    spec->env = {{"COLOUR", "blue"}, {"MILLRACE_ARGS", "forged"}};
    ASSERT_TRUE(start_filter(*spec).has_value());
    const std::string seen = run("").output;
    EXPECT_THAT(seen, HasSubstr("COLOUR=blue\n"));
    EXPECT_THAT(seen, HasSubstr("PATH=/"));
    EXPECT_THAT(seen, HasSubstr("LANG="));
    EXPECT_THAT(seen, HasSubstr("TMPDIR=" + dir_.path() + "/instance/run-0.1\n"));
    EXPECT_THAT(seen, HasSubstr("MILLRACE_ARGS=\n"));
    EXPECT_EQ(seen.find("RUNTIME_TEST_SECRET"), std::string::npos);
    EXPECT_EQ(seen.find("forged"), std::string::npos);
}

TEST_P(Filter, WorksInItsFolder) {
    start_filter("pwd; :");
    EXPECT_EQ(run("").output, dir_.path() + "/instance/run-0.1\n");
    stop();
    EXPECT_FALSE(std::filesystem::exists(dir_.path() + "/instance"));
    auto spec = filter_spec("a-filter", "pwd");
    spec->argv = {"sh", "-c", "pwd; echo $TMPDIR"};
    spec->workdir = "/usr";
    ASSERT_TRUE(start_filter(*spec).has_value());
    EXPECT_EQ(run("").output, "/usr\n" + dir_.path() + "/instance/run-0.1\n");
}

TEST_P(Filter, LooksTheSameFromInside) {
    auto spec = filter_spec("a-filter", "cat /proc/self/status | grep -E '^(Threads|Sig[BIC]|NoNewPrivs)'; exec ls /proc/self/fd");
    ASSERT_TRUE(start_filter(*spec).has_value());
    EXPECT_EQ(run("").output, "Threads:\t1\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\nSigCgt:\t0000000000000000\nNoNewPrivs:\t1\n0\n1\n2\n3\n");
}

TEST_P(Filter, IsAChildOfItsTargetAndLeadsASession) {
    start_filter("cut -d' ' -f1,4,5,6 /proc/$$/stat; :");
    std::istringstream seen(run("").output);
    int pid = 0;
    int parent = 0;
    int group = 0;
    int session = 0;
    ASSERT_TRUE(seen >> pid >> parent >> group >> session);
    EXPECT_EQ(parent, ::getpid());
    EXPECT_EQ(group, pid);
    EXPECT_EQ(session, pid);
}

TEST_P(Filter, LimitsHold) {
    auto spec = filter_spec("a-filter", "ulimit -n; ulimit -f; ulimit -t; ulimit -v; ulimit -c; grep 'Max proc' /proc/self/limits | cut -c27-29");
    spec->limits = {.memory_bytes = 512ull << 20, .cpu_seconds = 7, .open_files = 33, .file_bytes = 1 << 20, .processes = 77};
    ASSERT_TRUE(start_filter(*spec).has_value());
    EXPECT_EQ(run("").output, "33\n2048\n7\n524288\n0\n77 \n");
}

TEST_P(Filter, BackgroundProcessesDieWithIt) {
    start_filter("sleep 1000 & echo $!");
    const Outcome outcome = run("");
    ASSERT_TRUE(outcome.ok()) << outcome.text();
    EXPECT_TRUE(eventually([&] { return !is_alive(std::stoi(outcome.output)); }));
}

TEST_P(Filter, RunIsolatedIsTheSame) {
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

TEST_P(Filter, ManyRunsLeaveNothingBehind) {
    auto spec = filter_spec("a-filter", "cat");
    ASSERT_TRUE(start_filter(*spec).has_value());
    EXPECT_TRUE(run("warm up").ok());
    const std::size_t before = open_descriptors();
    for (int i = 0; i < kManyRuns; ++i) ASSERT_EQ(run("hello " + std::to_string(i)).output, "hello " + std::to_string(i));
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_EQ(children().size(), loaded_programs());
}

// A wait that ends too early must not be taken for the end of a process, nor for a child that is missing.
TEST_P(Filter, EveryObjectRunsOnceHoweverManyRunAtOnce) {
    start_filter("echo x >> " + dir_.path() + "/runs; cat");
    constexpr std::size_t kAtOnce = 16;
    constexpr std::size_t kRounds = kManyRuns / kAtOnce / 2;
    const ObjectRun one = object();
    for (std::size_t round = 0; round < kRounds; ++round) {
        std::vector<std::unique_ptr<MemorySource>> sources;
        std::vector<std::unique_ptr<MemorySink>> sinks;
        std::vector<std::future<RunResult>> results;
        for (std::size_t i = 0; i < kAtOnce; ++i) {
            sources.push_back(std::make_unique<MemorySource>("body"));
            sinks.push_back(std::make_unique<MemorySink>(100));
            results.push_back(boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, *sources[i], *sinks[i]), boost::asio::use_future));
        }
        for (std::size_t i = 0; i < kAtOnce; ++i) {
            const RunResult result = results[i].get();
            ASSERT_TRUE(result.has_value()) << result.error().error.context;
            EXPECT_EQ(sinks[i]->bytes(), "body");
        }
        EXPECT_EQ(words_in(dir_.path() + "/runs"), (round + 1) * kAtOnce);
    }
}

TEST_P(Filter, ManyAtOnceOnTwoLanes) {
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

INSTANTIATE_TEST_SUITE_P(BothStarts, Filter, kBothStarts, start_name);

}  // namespace
}  // namespace millrace::runtime
