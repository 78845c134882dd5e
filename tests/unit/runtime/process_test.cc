#include <gmock/gmock.h>

#include "core/uri.h"
#include "process_fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;

class Process : public ProcessTest {};

TEST_F(Process, ServesObjectsOverAUnixSocket) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const InstanceStatus status = instance_->status();
    EXPECT_EQ(status.state, InstanceState::running);
    EXPECT_TRUE(is_alive(status.pid));
    const Outcome outcome = run("hello");
    EXPECT_EQ(outcome.output, "HELLO") << outcome.text();
    EXPECT_EQ(outcome.result->bytes_in, 5u);
    EXPECT_EQ(outcome.result->bytes_out, 5u);
    EXPECT_EQ(run("").output, "");
    EXPECT_EQ(run("pid").output, std::to_string(status.pid));
    EXPECT_EQ(run("env MILLRACE_SOCKET").output, dir_.path() + "/instance/s1");
    EXPECT_EQ(run("env TMPDIR").output, dir_.path() + "/instance/work");
    stop();
    EXPECT_FALSE(is_alive(status.pid));
    EXPECT_FALSE(std::filesystem::exists(dir_.path() + "/instance"));
    EXPECT_FALSE(has_children());
}

TEST_F(Process, ServesObjectsOverTcp) {
    TransformSpec spec = server_spec();
    spec.listen = Listen::tcp;
    ASSERT_TRUE(start(spec).has_value());
    EXPECT_EQ(run("hello").output, "HELLO");
    EXPECT_EQ(run("env PORT").output, run("env MILLRACE_PORT").output);
    EXPECT_EQ(run("env MILLRACE_SOCKET").output, "");
}

TEST_F(Process, PlaceholdersAreFilledIn) {
    TransformSpec spec = server_spec();
    spec.argv = {"/bin/sh", "-c", "MILLRACE_SOCKET= exec env MILLRACE_SOCKET={socket} /usr/bin/python3 " MILLRACE_ECHO_SERVER};
    ASSERT_TRUE(start(spec).has_value());
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(Process, NamesAndArgumentsAreEncoded) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_EQ(run("path").output, "/sounds/a/clip%207.wav");
    EXPECT_EQ(run("path", "speed=2&x y/ä").output, "/sounds/a/clip%207.wav?etl_args=" + percent_encode("speed=2&x y/ä"));
}

TEST_F(Process, LongFoldersGetAShortSocket) {
    const std::string folder(120, 'f');
    ASSERT_TRUE(start(server_spec(), folder).has_value());
    const std::string socket = run("env MILLRACE_SOCKET").output;
    EXPECT_THAT(socket, ::testing::StartsWith("/tmp/millrace-"));
    stop();
    EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(socket).parent_path()));
}

TEST_F(Process, LargeObjectsStreamBothWays) {
    ASSERT_TRUE(start(server_spec()).has_value());
    PatternSource source(8 << 20);
    ChecksumSink sink;
    const ObjectRun one = object();
    const RunResult result = run(one, source, sink);
    ASSERT_TRUE(result.has_value()) << result.error().error.context;
    EXPECT_EQ(result->bytes_in, 8u << 20);
    EXPECT_EQ(sink.size, 8u << 20);
    EXPECT_LE(sink.piece_max, kBodyChunkBytes);
    EXPECT_EQ(run("big 3000000").output.size(), 3'000'000u);
}

TEST_F(Process, LogIsKept) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_EQ(run("log the weather is fine").output, "ok");
    EXPECT_TRUE(eventually([&] { return instance_->log_tail().find("the weather is fine\n") != std::string::npos; }));
}

TEST_F(Process, ServerThatDiesWhileIdleIsRestarted) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_TRUE(run("hello").ok());
    const int pid = instance_->status().pid;
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(eventually([&] { return instance_->status().restarts == 1 && instance_->status().state == InstanceState::running; }));
    EXPECT_NE(instance_->status().pid, pid);
    EXPECT_EQ(run("hello").output, "HELLO");
}

TEST_F(Process, RunsWaitForARestart) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_TRUE(run("hello").ok());
    EXPECT_EQ(run("die").code(), Code::crashed);
    const Outcome outcome = run("hello");
    EXPECT_EQ(outcome.output, "HELLO") << outcome.text();
}

TEST_F(Process, IsolatedRunsUseAServerOfTheirOwn) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const std::string shared = run("pid").output;
    const Outcome first = run_isolated("pid");
    ASSERT_TRUE(first.ok()) << first.text();
    EXPECT_NE(first.output, shared);
    EXPECT_EQ(run_isolated("pid").output, first.output);
    stop();
    EXPECT_FALSE(is_alive(std::stoi(first.output)));
    EXPECT_FALSE(has_children());
}

TEST_F(Process, IsolationFindsTheGuiltyObject) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const int shared = instance_->status().pid;
    EXPECT_EQ(run_isolated("hello").output, "HELLO");
    const Outcome guilty = run_isolated("die");
    EXPECT_EQ(guilty.code(), Code::crashed);
    EXPECT_EQ(guilty.text(), "killed by SIGABRT");
    EXPECT_EQ(run_isolated("hello again").output, "HELLO AGAIN");
    EXPECT_EQ(instance_->status().pid, shared);
    EXPECT_EQ(instance_->status().restarts, 0u);
}

TEST_F(Process, IsolatedRunsTakeTurns) {
    ASSERT_TRUE(start(server_spec()).has_value());
    constexpr std::size_t kRuns = 8;
    std::vector<std::string> inputs;
    std::vector<std::unique_ptr<MemorySource>> sources;
    std::vector<std::unique_ptr<MemorySink>> sinks;
    std::vector<std::future<RunResult>> results;
    const ObjectRun one = object();
    for (std::size_t i = 0; i < kRuns; ++i) inputs.push_back(i % 2 == 0 ? "die" : "good");
    for (std::size_t i = 0; i < kRuns; ++i) {
        sources.push_back(std::make_unique<MemorySource>(inputs[i]));
        sinks.push_back(std::make_unique<MemorySink>(100));
        Loop& loop = i % 4 < 2 ? lane_ : other_lane_;
        results.push_back(boost::asio::co_spawn(loop.executor(), instance_->run_isolated(i % 4 / 2, one, *sources[i], *sinks[i]),
                                                boost::asio::use_future));
    }
    for (std::size_t i = 0; i < kRuns; ++i) {
        const RunResult result = results[i].get();
        if (i % 2 == 0) {
            ASSERT_FALSE(result.has_value());
            EXPECT_EQ(result.error().error.code, Code::crashed);
        } else {
            EXPECT_TRUE(result.has_value());
            EXPECT_EQ(sinks[i]->bytes(), "GOOD");
        }
    }
}

TEST_F(Process, ManyRunsLeaveNothingBehind) {
    ASSERT_TRUE(start(server_spec()).has_value());
    EXPECT_TRUE(run("warm up").ok());
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 300; ++i) ASSERT_EQ(run("hello").output, "HELLO");
    EXPECT_LE(open_descriptors(), before);
    stop();
    EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace millrace::runtime
