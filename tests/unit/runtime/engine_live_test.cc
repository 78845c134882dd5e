// The engine client against a real engine: MILLRACE_ENGINE_SOCKET names its socket, MILLRACE_ENGINE_IMAGE an image with
// /bin/sh and /usr/bin/python3 (tests/support/containers.py makes both). Skipped without them.
#include <cstdlib>

#include "fixture.h"
#include "runtime/cgroup.h"
#include "runtime/engine.h"

namespace millrace::runtime {
namespace {

class LiveEngineTest : public ::testing::Test {
protected:
    void SetUp() override {
        const char* socket = std::getenv("MILLRACE_ENGINE_SOCKET");
        const char* image = std::getenv("MILLRACE_ENGINE_IMAGE");
        if (socket == nullptr || image == nullptr) GTEST_SKIP() << "MILLRACE_ENGINE_SOCKET and MILLRACE_ENGINE_IMAGE are not set";
        request_.image = image;
        request_.labels = {{"millrace-test", label_}};
        request_.memory_bytes = 64 << 20;
        request_.pids_max = 32;
        request_.user = "1000:1000";
        engine_ = std::make_unique<Engine>(loop_.executor(), socket);
    }
    void TearDown() override {
        if (!engine_) return;
        for (const std::string& id : labelled()) EXPECT_TRUE(run_blocking(loop_, engine_->remove(id)));
        EXPECT_TRUE(labelled().empty());
        const auto drop = [this]() -> Task<void> {
            engine_.reset();
            co_return;
        };
        run_blocking(loop_, drop());
    }

    std::vector<std::string> labelled() {
        auto ids = run_blocking(loop_, engine_->list("millrace-test=" + label_));
        EXPECT_TRUE(ids) << ids.error().context;
        return ids ? *ids : std::vector<std::string>{};
    }

    void create(std::vector<std::string> argv) {
        request_.argv = std::move(argv);
        const auto created = run_blocking(loop_, engine_->create(request_));
        ASSERT_TRUE(created) << created.error().context;
        id_ = *created;
    }
    ContainerState state() { return run_blocking(loop_, engine_->inspect(id_)).value_or(ContainerState{}); }

    // Everything the container writes from its start to its end, up to a bound.
    std::string run_to_end(std::size_t bytes_max = 1 << 20) {
        const Instant deadline = steady_now() + std::chrono::seconds(60);
        auto output = run_blocking(loop_, engine_->attach(id_, deadline));
        if (!output) return "attach: " + output.error().context;
        const auto started = run_blocking(loop_, engine_->start(id_));
        if (!started) return "start: " + started.error().context;
        MemorySink sink(bytes_max);
        const auto moved = run_blocking(loop_, pump(**output, sink));
        if (!moved) return "output: " + moved.error().context;
        EXPECT_TRUE(eventually([&] { return !state().running; }));
        return sink.bytes();
    }

    Loop loop_{"engine"};
    ContainerRequest request_;
    std::string label_ = std::to_string(::getpid());
    std::unique_ptr<Engine> engine_;
    std::string id_;
};

TEST_F(LiveEngineTest, AnswersAndKnowsTheImage) {
    const auto version = run_blocking(loop_, engine_->ping());
    ASSERT_TRUE(version) << version.error().context;
    const auto image = run_blocking(loop_, engine_->image(request_.image));
    ASSERT_TRUE(image) << image.error().context;
    EXPECT_EQ(image->argv, std::vector<std::string>{"/usr/bin/python3"});
    EXPECT_EQ(run_blocking(loop_, engine_->image("localhost/nothere")).error().code, Code::not_found);
}

TEST_F(LiveEngineTest, OutputAndExitCodeArrive) {
    create({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"});
    const std::string output = run_to_end();
    EXPECT_NE(output.find("out\n"), std::string::npos) << output;
    EXPECT_NE(output.find("err\n"), std::string::npos) << output;
    EXPECT_EQ(state().exit_code, 7);
    EXPECT_EQ(run_blocking(loop_, engine_->kill(id_, "KILL")).error().code, Code::conflict);
}

TEST_F(LiveEngineTest, IsHardened) {
    const TempDir shared;
    std::filesystem::permissions(shared.path(), std::filesystem::perms::all);
    request_.binds = {{shared.path(), "/run/shared", false}, {shared.path(), "/in", true}};
    create({"/bin/sh", "-c", "id; cat /proc/self/status; echo x >/tmp/x && echo temporary; echo x >/run/shared/x && echo shared; "
                             "echo x >/in/y || echo in-kept; echo x >/y || echo root-kept; ls /sys/class/net"});
    const std::string output = run_to_end();
    for (const char* fact : {"uid=1000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "temporary", "shared", "in-kept", "root-kept"}) {
        EXPECT_NE(output.find(fact), std::string::npos) << fact << " in " << output;
    }
    EXPECT_EQ(output.find("eth0"), std::string::npos);
    EXPECT_TRUE(std::filesystem::exists(shared.path() + "/x"));
}

TEST_F(LiveEngineTest, MoreMemoryThanItsLimitKills) {
    create({"/usr/bin/python3", "-c", "x = bytearray(300 << 20); print(len(x))"});
    EXPECT_EQ(run_to_end(), "");
    EXPECT_EQ(state().exit_code, 137);
}

TEST_F(LiveEngineTest, TheKernelCountsWhatWasKilledForMemoryAndWhatWasUsed) {
    const std::string hog = "bytearray(300 << 20)";
    create({"/usr/bin/python3", "-c", "import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', '" + hog + "'])\ntime.sleep(60)"});
    ASSERT_TRUE(run_blocking(loop_, engine_->start(id_)));
    const auto group = Cgroup::of_process(state().pid);
    ASSERT_TRUE(group) << group.error().context;
    EXPECT_TRUE(eventually([&] { return group->oom_kills().value_or(0) == 1; }));
    EXPECT_TRUE(state().running);
    EXPECT_GT(group->memory_bytes().value(), 1u << 20);
    EXPECT_LE(group->memory_bytes().value(), 64u << 20);
    EXPECT_GT(group->cpu_seconds().value(), 0.001);
}

TEST_F(LiveEngineTest, ARunningContainerHasAPidAndCanBeKilled) {
    create({"/bin/sh", "-c", "trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"});
    ASSERT_TRUE(run_blocking(loop_, engine_->start(id_)));
    const ContainerState running = state();
    EXPECT_TRUE(running.running);
    EXPECT_TRUE(is_alive(running.pid));
    EXPECT_TRUE(run_blocking(loop_, engine_->kill(id_, "KILL")));
    EXPECT_TRUE(eventually([&] { return !state().running; }));
    EXPECT_EQ(state().exit_code, 137);
    EXPECT_FALSE(is_alive(running.pid));
}

TEST_F(LiveEngineTest, RemoveEndsItAndCanBeRepeated) {
    create({"/bin/sleep", "60"});
    ASSERT_TRUE(run_blocking(loop_, engine_->start(id_)));
    const int pid = state().pid;
    EXPECT_EQ(labelled(), std::vector<std::string>{id_});
    EXPECT_TRUE(run_blocking(loop_, engine_->remove(id_)));
    EXPECT_TRUE(run_blocking(loop_, engine_->remove(id_)));
    EXPECT_FALSE(is_alive(pid));
    EXPECT_EQ(run_blocking(loop_, engine_->inspect(id_)).error().code, Code::not_found);
}

TEST_F(LiveEngineTest, WhatCannotStartSaysWhy) {
    create({"/bin/nothere"});
    const std::string output = run_to_end();
    EXPECT_NE(output.find("/bin/nothere"), std::string::npos) << output;
    request_.image = "localhost/nothere";
    EXPECT_EQ(run_blocking(loop_, engine_->create(request_)).error().code, Code::not_found);
}

TEST_F(LiveEngineTest, ANameIsTakenOnce) {
    request_.name = "millrace-test-" + label_;
    create({"/bin/true"});
    EXPECT_EQ(run_blocking(loop_, engine_->create(request_)).error().code, Code::already_exists);
}

TEST_F(LiveEngineTest, AFloodOfOutputArrivesWhole) {
    create({"/usr/bin/python3", "-c", "import os\nfor i in range(1000): os.write(1, b'x' * 100000)\nos.write(2, b'last words')"});
    const std::string output = run_to_end(200 << 20);
    EXPECT_EQ(output.size(), 100'000'010u);
    EXPECT_NE(output.find("last words"), std::string::npos);
}

TEST_F(LiveEngineTest, ItsAddressOnABridgeIsKnown) {
    request_.network = "bridge";
    create({"/bin/sleep", "60"});
    const auto started = run_blocking(loop_, engine_->start(id_));
    ASSERT_TRUE(started) << started.error().context;
    EXPECT_NE(state().address, "");
}

}  // namespace
}  // namespace millrace::runtime
