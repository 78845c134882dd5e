#include <gmock/gmock.h>

#include "process_fixture.h"
#include "runtime/orphans.h"
#include "runtime/run_mark.h"
#include "runtime/spawn.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;

class RunProcesses : public BothStartsTest {
protected:
    // A process writes its number there.
    std::string pid_file(const std::string& name) const { return dir_.path() + '/' + name; }
    int pid_in(const std::string& name) const {
        std::ifstream in(pid_file(name));
        int pid = 0;
        in >> pid;
        return pid;
    }
    // "echo $$ > FILE; exec sleep 1000" in quotes that fit into others.
    std::string sleeper(const std::string& name) const { return "echo $$ > " + pid_file(name) + "; exec sleep 1000"; }
    std::string wait_for(const std::string& name) const { return "while ! [ -s " + pid_file(name) + " ]; do sleep 0.01; done"; }
    // A daemon as they are made: a session of its own, another parent, no open files, an environment of its own.
    std::string daemon(const std::string& name) const {
        return "(cd / && env -i /usr/bin/setsid /bin/sh -c '" + sleeper(name) + "' < /dev/null > /dev/null 2>&1 &); " + wait_for(name);
    }
    // Runs until its time is over, which is longer each time until the process is there.
    void time_out_with(const std::string& name) {
        for (timeout_ = std::chrono::milliseconds(300); timeout_ < std::chrono::seconds(30) && pid_in(name) == 0; timeout_ *= 2) {
            EXPECT_EQ(run("x").code(), Code::timed_out);
        }
        ASSERT_NE(pid_in(name), 0);
    }
};

TEST_P(RunProcesses, AGroupOfItsOwnEndsWithTheTime) {
    start_filter("timeout 1000 sh -c '" + sleeper("pid") + "'; cat");
    time_out_with("pid");
    EXPECT_FALSE(is_alive(pid_in("pid")));
    EXPECT_EQ(children().size(), loaded_programs());
}

TEST_P(RunProcesses, ASessionOfItsOwnEndsWithTheTime) {
    start_filter("setsid sh -c '" + sleeper("pid") + "' > /dev/null; cat");
    time_out_with("pid");
    EXPECT_FALSE(is_alive(pid_in("pid")));
    EXPECT_EQ(children().size(), loaded_programs());
}

TEST_P(RunProcesses, ADaemonEndsWithTheTime) {
    start_filter(daemon("pid") + "; sleep 1000");
    time_out_with("pid");
    EXPECT_FALSE(is_alive(pid_in("pid")));
    EXPECT_EQ(children().size(), loaded_programs());
}

TEST_P(RunProcesses, ADaemonEndsWithTheFilter) {
    start_filter(daemon("pid") + "; cat");
    EXPECT_EQ(run("x").output, "x");
    ASSERT_NE(pid_in("pid"), 0);
    stop();
    EXPECT_FALSE(is_alive(pid_in("pid")));
    EXPECT_TRUE(children().empty());
}

TEST_P(RunProcesses, ADaemonEndsWhenNothingRunsBesideIt) {
    start_filter(daemon("pid") + "; cat");
    EXPECT_EQ(run("x").output, "x");
    ASSERT_NE(pid_in("pid"), 0);
    EXPECT_TRUE(eventually([&] { return !is_alive(pid_in("pid")); }));
    EXPECT_TRUE(eventually([&] { return children().size() == loaded_programs(); }));
}

TEST_P(RunProcesses, ADaemonServesTheRunsBesideIt) {
    start_filter("case $MILLRACE_ARGS in first) " + daemon("pid") + ";; later) kill -0 $(cat " + pid_file("pid") + ") || exit 1;; esac; cat");
    PatternSource source(1 << 20);
    source.blocks_at = 1000;
    ChecksumSink sink;
    const ObjectRun beside = object("slow");
    auto running = boost::asio::co_spawn(lane_.executor(), instance_->run(0, beside, source, sink), boost::asio::use_future);
    EXPECT_EQ(run("x", "first").output, "x");
    for (int i = 0; i < 3; ++i) EXPECT_EQ(run("x", "later").output, "x");
    EXPECT_TRUE(is_alive(pid_in("pid")));
    stop();
    EXPECT_FALSE(running.get().has_value());
    EXPECT_FALSE(is_alive(pid_in("pid")));
}

TEST_P(RunProcesses, AFolderThatADaemonIsInIsNotUsedAgain) {
    start_filter("if [ $MILLRACE_ARGS = first ]; then (setsid sh -c '" + sleeper("pid") + "' > /dev/null 2>&1 < /dev/null &); " + wait_for("pid") +
                 "; fi; pwd");
    const std::string first = run("", "first").output;
    EXPECT_NE(run("", "second").output, first);
}

TEST_P(RunProcesses, DaemonsDoNotPileUp) {
    start_filter("(setsid sleep 1000 > /dev/null 2>&1 < /dev/null &); cat");
    for (int i = 0; i < 40; ++i) ASSERT_EQ(run("x").output, "x");
    EXPECT_LT(children().size(), 40u);
}

TEST_P(RunProcesses, WhatTheShellLeavesInTheBackgroundEndsAtOnce) {
    start_filter("(timeout 1000 sh -c '" + sleeper("pid") + "' > /dev/null 2>&1 &); " + wait_for("pid") + "; cat");
    EXPECT_EQ(run("x").output, "x");
    EXPECT_TRUE(eventually([&] { return !is_alive(pid_in("pid")); }));
}

TEST_P(RunProcesses, AreAskedBeforeTheyAreKilled) {
    start_filter("trap 'echo asked > " + pid_file("asked") + "; exit' TERM; echo $$ > " + pid_file("pid") + "; while :; do sleep 0.01; done");
    time_out_with("pid");
    EXPECT_TRUE(std::filesystem::exists(pid_file("asked")));
}

TEST_P(RunProcesses, WhatIsAskedToStopHasNoResult) {
    start_filter("trap 'echo half; exit 0' TERM; echo $$ > " + pid_file("pid") + "; while :; do sleep 0.01; done");
    MemorySource source("x");
    MemorySink sink(100);
    const ObjectRun one = object();
    auto running = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, source, sink), boost::asio::use_future);
    ASSERT_TRUE(eventually([&] { return pid_in("pid") != 0; }));
    run_blocking(control_, instance_->stop());
    const RunResult result = running.get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().error.code, Code::unavailable);
    instance_.reset();
}

TEST_P(RunProcesses, ThatIgnoreTheQuestionAreKilled) {
    start_filter("trap '' TERM; echo $$ > " + pid_file("pid") + "; while :; do sleep 0.01; done");
    time_out_with("pid");
    EXPECT_FALSE(is_alive(pid_in("pid")));
    EXPECT_EQ(children().size(), loaded_programs());
}

TEST_P(RunProcesses, AreStoppedThoughTheyAreSuspended) {
    start_filter("echo $$ > " + pid_file("pid") + "; kill -STOP $$");
    time_out_with("pid");
    EXPECT_FALSE(is_alive(pid_in("pid")));
}

TEST_P(RunProcesses, LeaveNoZombies) {
    start_filter("for i in 1 2 3; do (setsid true &); (true &); done; cat");
    for (int i = 0; i < 10; ++i) ASSERT_EQ(run("x").output, "x");
    EXPECT_TRUE(eventually([&] { return children().size() == loaded_programs(); }));
}

INSTANTIATE_TEST_SUITE_P(BothStarts, RunProcesses, kBothStarts, start_name);

class RunMark : public ::testing::Test {
protected:
    Child marked(Mark mark, const std::string& script) {
        SpawnRequest request;
        request.file = "/bin/sh";
        request.argv = {"sh", "-c", script};
        request.env = {"PATH=/usr/bin:/bin"};
        request.folder = dir_.path();
        request.mark = mark;
        auto child = spawn(request);
        EXPECT_TRUE(child.has_value());
        return std::move(*child);
    }
    TempDir dir_;
    Marks marks_{dir_.path()};
};

TEST_F(RunMark, TellsRunInstanceAndTarget) {
    Marks others(dir_.path());
    TempDir elsewhere;
    const Mark one = marks_.next_run();
    const Mark two = marks_.next_run();
    EXPECT_NE(one, 0u);
    EXPECT_NE(one, two);
    EXPECT_LT(one, marks_.of_instance());  // a forked child can lower the limit only
    EXPECT_TRUE(marks_.is_instances(one) && marks_.is_instances(marks_.of_instance()));
    EXPECT_FALSE(others.is_instances(one));
    EXPECT_EQ(instance_of(one), marks_.of_instance());
    EXPECT_TRUE(marked_by_target(dir_.path())(one) && marked_by_target(dir_.path())(others.next_run()));
    EXPECT_FALSE(marked_by_target(elsewhere.path())(one));
    EXPECT_FALSE(marked_by_target(elsewhere.path() + "/nowhere")(one));
    EXPECT_FALSE(marks_.is_instances(0) || marks_.is_instances(~Mark{0}));
}

TEST_F(RunMark, NothingElseIsKilled) {
    const Mark mine = marks_.next_run();
    const Mark next = marks_.next_run();
    const Child one = marked(mine, "exec sleep 1000");
    const Child other = marked(next, "exec sleep 1000");
    const Child none = marked(0, "exec sleep 1000");
    EXPECT_EQ(mark_of(one.pid()), mine);
    EXPECT_EQ(mark_of(none.pid()), 0u);
    EXPECT_EQ(kill_marked([&](Mark mark) { return mark == mine; }), 1u);
    EXPECT_TRUE(eventually([&] { return !is_alive(one.pid()); }));
    EXPECT_TRUE(is_alive(other.pid()));
    EXPECT_TRUE(is_alive(none.pid()));
}

// The process that watches over a container of its own process namespace, as conmon does, sees the container end.
TEST_F(RunMark, WhatWatchesOverAContainerCanTidyUp) {
    const Mark mine = marks_.next_run();
    const std::string done = dir_.path() + "/done";
    const std::string up = dir_.path() + "/up";
    // Its children are in another namespace than itself.
    const Child monitor = marked(mine, "exec unshare --pid sh -c 'sleep 1000 & echo > " + up + "; wait; echo tidied > " + done + "'");
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(up) || !is_alive(monitor.pid()); }));
    if (!is_alive(monitor.pid())) GTEST_SKIP() << "process namespaces are not allowed here";
    const Child other = marked(mine, "exec sleep 1000");
    Loop loop("lane");
    const MarkFilter of_run = [mine](Mark mark) { return mark == mine; };
    EXPECT_TRUE(run_blocking(loop, end_marked(of_run, std::chrono::seconds(5))));
    EXPECT_FALSE(is_alive(monitor.pid()));
    EXPECT_FALSE(is_alive(other.pid()));
    EXPECT_EQ(words_in(done), 1u);
}

class ServerProcesses : public ProcessTest {};

TEST_F(ServerProcesses, ADaemonOfAServerEndsWithIt) {
    const std::string pid_file = dir_.path() + "/pid";
    TransformSpec spec = server_spec();
    std::string command = "(env -i /usr/bin/setsid /bin/sh -c 'echo $$ > " + pid_file + "; exec sleep 1000' < /dev/null > /dev/null 2>&1 &); exec";
    for (const std::string& word : spec.argv) command += " '" + word + "'";
    spec.argv = {"sh", "-c", command};
    ASSERT_TRUE(start(spec).has_value());
    ASSERT_TRUE(eventually([&] { return words_in(pid_file) == 1; }));
    int pid = 0;
    std::ifstream(pid_file) >> pid;
    EXPECT_TRUE(is_alive(pid));
    stop();
    EXPECT_FALSE(is_alive(pid));
    EXPECT_TRUE(children().empty());
}

TEST_F(ServerProcesses, EachLifeOfAServerHasAFreshFolder) {
    ASSERT_TRUE(start(server_spec()).has_value());
    const std::string folder = dir_.path() + "/instance/work";
    std::ofstream(folder + "/half-made") << "x";
    const int first = instance_->status().pid;
    ::kill(first, SIGKILL);
    ASSERT_TRUE(eventually([&] { return instance_->status().pid != first && instance_->status().state == InstanceState::running; }));
    EXPECT_TRUE(std::filesystem::is_empty(folder));
}

}  // namespace
}  // namespace millrace::runtime
