#include "core/descriptor.h"
#include "runtime/fork_server.h"

#include <gmock/gmock.h>
#include <poll.h>

#include <thread>

#include "fixture.h"
#include "runtime/filter_launcher.h"
#include "runtime/filter_trial.h"
#include "runtime/forkable.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;

// Seen from inside of a process: only one that was forked has this in what it was loaded with.
const std::string kCountMark = "tr '\\0' '\\n' < /proc/$$/environ | grep -c ^MILLRACE_FORK_PARENT=; cat > /dev/null";

class ForkedFilter : public InstanceTest {
protected:
    ForkedFilter() { forking_ = ForkChoice::always; }

    void start_filter(TransformSpec spec) {
        ASSERT_TRUE(start(spec).has_value());
        ASSERT_TRUE(eventually([&] { return instance_->status().start == "forked"; }));
    }
    void start_filter(const std::string& cmd) { start_filter(*filter_spec("a-filter", cmd)); }
    // Kills the program that waits, and nothing else: no run is on.
    void kill_server(int signal = SIGKILL) {
        const std::vector<int> found = children();
        ASSERT_EQ(found.size(), 1u);
        ::kill(found[0], signal);
        if (signal == SIGKILL) ASSERT_TRUE(eventually([&] { return !is_alive(found[0]); }));
    }
};

TEST_F(ForkedFilter, IsAForkOfALoadedProgram) {
    start_filter(kCountMark);
    EXPECT_EQ(run("").output, "1\n");
    EXPECT_EQ(children().size(), 1u);
    stop();
    EXPECT_TRUE(children().empty());
    forking_ = ForkChoice::never;
    ASSERT_TRUE(start(*filter_spec("a-filter", kCountMark)).has_value());
    EXPECT_EQ(run("").output, "0\n");
    EXPECT_EQ(instance_->status().start, "spawned");
}

TEST_F(ForkedFilter, SeesWhatASpawnedOneSees) {
    const std::string look = "env; umask; ulimit -a | grep -v locks; cat /proc/self/cgroup; readlink /proc/$$/exe; tr '\\0' ' ' < /proc/$$/cmdline; "
                             "cat /proc/self/status | grep -E '^(Name|Umask|Uid|Gid|Groups|Threads|Sig[BIC]|ShdPnd|Cap|NoNewPrivs|Seccomp)'";
    start_filter(look);
    const std::string forked = run("").output;
    stop();
    forking_ = ForkChoice::never;
    ASSERT_TRUE(start(*filter_spec("a-filter", look)).has_value());
    EXPECT_EQ(run("").output, forked);
    EXPECT_THAT(forked, HasSubstr("MILLRACE_OBJECT=a/clip 7.wav\n"));
    EXPECT_THAT(forked, HasSubstr("NoNewPrivs:\t1\n"));
}

// Many programs write into nothing, and end well, where SIGPIPE is ignored, as it is in this process.
TEST_F(ForkedFilter, DiesOfAPipeThatNobodyReadsAsASpawnedOneDoes) {
    const std::string write_on = "(yes; printf %s $? > status) | head -c 1 > /dev/null; cat status";
    start_filter(write_on);
    EXPECT_EQ(run("").output, "141");
    stop();
    forking_ = ForkChoice::never;
    ASSERT_TRUE(start(*filter_spec("a-filter", write_on)).has_value());
    EXPECT_EQ(run("").output, "141");
}

TEST_F(ForkedFilter, ProgramThatDiesIsLoadedAgain) {
    start_filter(kCountMark);
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(run("").output, "1\n");
        kill_server();
        EXPECT_EQ(run("").output, "0\n");  // this run noticed
    }
    EXPECT_EQ(instance_->status().start, "forked");
}

TEST_F(ForkedFilter, IsSpawnedOnceItsProgramCouldNotBeLoadedForSomeTimes) {
    auto spec = *filter_spec("a-filter", MILLRACE_BEFORE_MAIN);
    spec.env = {{"BEFORE_MAIN", "thread"}};
    start_filter(spec);
    for (int i = 0; i < 5; ++i) {
        EXPECT_EQ(instance_->status().start, "forked");
        EXPECT_EQ(run("x").output, "x");
    }
    EXPECT_EQ(instance_->status().start, "spawned");
    EXPECT_EQ(run("x").output, "x");
}

TEST_F(ForkedFilter, ProgramThatIsStuckDoesNotBlockItsObjects) {
    start_filter(kCountMark);
    EXPECT_EQ(run("").output, "1\n");
    kill_server(SIGSTOP);
    EXPECT_EQ(run("").output, "0\n");
    EXPECT_EQ(run("").output, "1\n");
    EXPECT_EQ(children().size(), 1u);
}

TEST_F(ForkedFilter, StopDoesNotWaitForAProgramThatIsStuck) {
    start_filter("cat");
    EXPECT_EQ(run("x").output, "x");
    kill_server(SIGSTOP);
    MemorySource source("x");
    MemorySink sink(100);
    const ObjectRun one = object();
    auto running = boost::asio::co_spawn(lane_.executor(), instance_->run(0, one, source, sink), boost::asio::use_future);
    run_blocking(control_, instance_->stop());
    EXPECT_FALSE(running.get().has_value());
    EXPECT_TRUE(children().empty());
}

TEST_F(ForkedFilter, ProgramThatIsReplacedIsNoticed) {
    const std::string tool = dir_.path() + "/tool";
    std::filesystem::copy_file("/bin/cat", tool);
    start_filter(tool);
    EXPECT_EQ(run("x").output, "x");
    std::filesystem::remove(tool);
    EXPECT_EQ(run("x").code(), Code::unavailable);
    std::filesystem::copy_file("/usr/bin/md5sum", tool);
    EXPECT_EQ(run("x").output, "9dd4e461268c8034f5c8564e155c67a6  -\n");
}

TEST_F(ForkedFilter, LongArgumentsAreSpawned) {
    start_filter("printf '%s' \"$MILLRACE_ARGS\" | wc -c; " + kCountMark);
    EXPECT_EQ(run("", std::string(100'000, 'a')).output, "100000\n0\n");
    EXPECT_EQ(run("", std::string(60'000, 'a')).output, "60000\n1\n");
}

TEST_F(ForkedFilter, KeepsWhatWasSetBeforeMain) {
    auto spec = *filter_spec("a-filter", MILLRACE_BEFORE_MAIN);
    spec.env = {{"BEFORE_MAIN", "setenv"}};
    start_filter(spec);
    EXPECT_EQ(run("hello ").output, "hello before main a/clip 7.wav");
}

class ForkServerTest : public ::testing::Test {
protected:
    SpawnRequest request(const std::string& file, const std::string& before_main = "") const {
        SpawnRequest request;
        request.file = file;
        request.argv = {file};
        request.env = {"PATH=/usr/bin:/bin", "BEFORE_MAIN=" + before_main, "MILLRACE_BUCKET=b", "MILLRACE_OBJECT=o", "MILLRACE_ARGS=",
                       "TMPDIR=/tmp", "HOME=/"};
        request.folder = dir_.path();
        return request;
    }
    std::string refusal(const SpawnRequest& request, const std::string& library = MILLRACE_FORK_LIBRARY) {
        const auto started = run_blocking(lane_, ForkServer::start(request, library, children_, lane_.executor()));
        return started.has_value() ? "" : started.error().context;
    }
    std::string copy(const std::string& file, std::filesystem::perms mode = std::filesystem::perms::owner_all) const {
        const std::string copied = dir_.path() + "/copy";
        std::filesystem::copy_file(file, copied, std::filesystem::copy_options::overwrite_existing);
        std::filesystem::permissions(copied, mode);
        return copied;
    }

    TempDir dir_;
    ChildList children_;
    Loop lane_{"lane"};
};

TEST_F(ForkServerTest, ProgramsSayWhyTheyCannotBeForked) {
    const std::string program = MILLRACE_BEFORE_MAIN;
    EXPECT_EQ(refusal(request(program)), "");
    EXPECT_EQ(refusal(request(program, "slow")), "");
    EXPECT_EQ(refusal(request(program, "thread")), "it starts threads before main");
    EXPECT_EQ(refusal(request(program, "file")), "it opens files before main");
    EXPECT_EQ(refusal(request(program, "memory")), "it maps shared memory before main");
    EXPECT_EQ(refusal(request(program, "write")), "it writes before main");
    EXPECT_EQ(refusal(request(program, "environment")), "it changes its environment before main");
    EXPECT_THAT(refusal(request(program, "exit")), HasSubstr("it ends before main"));
    EXPECT_EQ(refusal(request(program, "hang")), "it does not wait before main");
    EXPECT_TRUE(children().empty());
}

TEST_F(ForkServerTest, FilesSayWhyTheyCannotBeForked) {
    using std::filesystem::perms;
    EXPECT_EQ(refusal(request(MILLRACE_STATIC_PROGRAM)), "the program is linked statically");
    EXPECT_EQ(refusal(request(dir_.file("script", "#!/bin/sh\n", true))), "the program is a script");
    EXPECT_EQ(refusal(request("/no/such")), "the program cannot be read");
    EXPECT_EQ(refusal(request(copy("/bin/cat"))), "");
    EXPECT_EQ(refusal(request(copy("/bin/cat", perms::owner_all | perms::set_uid))), "the program has privileges of its own");
    EXPECT_THAT(refusal(request("/bin/cat"), ""), HasSubstr("libmillrace_fork.so is not beside this executable"));
    EXPECT_THAT(refusal(request("/bin/cat"), "/a b/c.so"), HasSubstr("has a space"));
    EXPECT_EQ(refusal(request("/bin/cat"), "/no/such.so"), "the library /no/such.so cannot be read");
    SpawnRequest preloads = request("/bin/cat");
    preloads.env.insert(preloads.env.begin(), "LD_PRELOAD=/no/such.so");
    EXPECT_THAT(refusal(preloads), HasSubstr("LD_PRELOAD"));
    SpawnRequest nowhere = request("/bin/cat");
    nowhere.folder = "/nowhere";
    EXPECT_THAT(refusal(nowhere), HasSubstr("cannot enter the working folder /nowhere"));
}

TEST_F(ForkServerTest, ErrorsOfAChildAreThoseOfSpawn) {
    const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    SpawnRequest one = request("/bin/cat");
    one.stdin_fd = one.stdout_fd = one.stderr_fd = null.get();
    auto server = run_blocking(lane_, ForkServer::start(one, MILLRACE_FORK_LIBRARY, children_, lane_.executor()));
    ASSERT_TRUE(server.has_value()) << server.error().context;
    auto child = run_blocking(lane_, (*server)->fork(one));
    ASSERT_TRUE(child && child->has_value());
    EXPECT_TRUE((*child)->reap().ok());
    one.folder = dir_.path() + "/gone";
    const auto refused = run_blocking(lane_, (*server)->fork(one));
    ASSERT_TRUE(refused && !refused->has_value());
    EXPECT_EQ(refused->error().context, spawn(one).error().context);
    EXPECT_EQ(children().size(), 1u);  // the program
    EXPECT_TRUE((*server)->is_usable());
}

// A run may take its folder right before forking is chosen: its user would be that of all forks to come.
TEST_F(ForkServerTest, WhatHasAFolderOfTheSpawnedIsSpawned) {
    const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    SpawnRequest one = request("/bin/cat");
    one.stdin_fd = one.stdout_fd = one.stderr_fd = null.get();
    FilterProcesses processes(dir_.path());
    Forking forking{.transform = "a-filter", .library = MILLRACE_FORK_LIBRARY};
    RunFolders spawned(dir_.path() + "/s."), forked(dir_.path() + "/f.");
    FilterLauncher launcher(forking, processes, spawned, forked, lane_.executor());
    const RunFolders& taken_before = launcher.folders();
    forking.wanted = true;
    auto early = run_blocking(lane_, launcher.launch(one, taken_before));
    ASSERT_TRUE(early.has_value());
    EXPECT_TRUE(early->reap().ok());
    EXPECT_EQ(launcher.forks(), 0u);
    auto late = run_blocking(lane_, launcher.launch(one, launcher.folders()));
    ASSERT_TRUE(late.has_value());
    EXPECT_TRUE(late->reap().ok());
    EXPECT_EQ(launcher.forks(), 1u);
}

TEST_F(ForkServerTest, ChildrenDieWithTheThreadThatLoadedTheProgram) {
    const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    SpawnRequest one = request("/bin/sleep");
    one.argv = {"sleep", "1000"};
    one.stdin_fd = one.stdout_fd = one.stderr_fd = null.get();
    std::unique_ptr<ForkServer> server;
    std::optional<Child> child;
    {
        Loop short_lived("short");
        auto started = run_blocking(short_lived, ForkServer::start(one, MILLRACE_FORK_LIBRARY, children_, short_lived.executor()));
        ASSERT_TRUE(started.has_value()) << started.error().context;
        server = std::move(*started);
        auto forked = run_blocking(short_lived, server->fork(one));
        ASSERT_TRUE(forked && forked->has_value());
        child.emplace(std::move(**forked));
    }
    pollfd ended{child->pidfd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
    EXPECT_EQ(child->reap().text(), "killed by SIGKILL");
    EXPECT_TRUE(eventually([&] { return children().size() == 1 && !is_alive(children()[0]); }));  // the program, which is not reaped yet
}

class Trial : public ForkServerTest {
protected:
    FilterProcesses processes_{dir_.path()};

    std::string refusal_of(const std::string& cmd, const std::string& before_main = "") {
        auto spec = *filter_spec("a-filter", cmd);
        FilterProgram program;
        program.file = *find_program(spec.argv[0], "/usr/bin:/bin", dir_.path());
        program.argv = spec.argv;
        program.env = {"PATH=/usr/bin:/bin", "BEFORE_MAIN=" + before_main};
        const auto tried = run_blocking(lane_, try_forking(spec, program, MILLRACE_FORK_LIBRARY, processes_, dir_.path(), lane_.executor()));
        EXPECT_TRUE(children().empty());
        return tried.has_value() ? "" : tried.error().context;
    }
};

TEST_F(Trial, ForksWhatLoadsSlowly) { EXPECT_EQ(refusal_of(MILLRACE_BEFORE_MAIN, "slow"), ""); }

TEST_F(Trial, SpawnsWhatGainsNothing) { EXPECT_EQ(refusal_of("sleep 0.3"), "there is no gain"); }

TEST_F(Trial, SpawnsWhatIsDifferentEachTime) {
    const std::string counter = dir_.path() + "/n";
    EXPECT_EQ(refusal_of("head -c 16 /dev/urandom"), "its results are not the same each time");
    EXPECT_EQ(refusal_of("echo x >> " + counter + "; exit $(wc -l < " + counter + ")"), "its results are not the same each time");
}

TEST_F(Trial, SpawnsWhatMakesMuchOutOfNothing) {
    EXPECT_THAT(refusal_of("head -c 100000000 /dev/zero"), HasSubstr("it makes much out of nothing"));
}

TEST_F(Trial, SpawnsWhatCannotBeForked) {
    EXPECT_EQ(refusal_of(MILLRACE_BEFORE_MAIN, "thread"), "it starts threads before main");
    EXPECT_EQ(refusal_of(dir_.file("script", "#!/bin/sh\n", true)), "the program is a script");
}

TEST_F(Trial, SpawnsWhatRemembersAnObjectFromBeforeMain) {
    EXPECT_EQ(refusal_of(MILLRACE_BEFORE_MAIN, "name"), "it asks for the object's variables before main");
    EXPECT_EQ(refusal_of(MILLRACE_BEFORE_MAIN, "name by itself"), "its results are not the same each time");
}

TEST_F(Trial, EndsWhenItsChildrenAreKilled) {
    auto spec = *filter_spec("a-filter", "touch started; sleep 1000");
    const FilterProgram program{.file = "/bin/sh", .argv = spec.argv, .env = {"PATH=/usr/bin:/bin"}, .workdir = dir_.path()};
    const std::string library = MILLRACE_FORK_LIBRARY;
    const std::string folder = dir_.path();
    auto tried = boost::asio::co_spawn(lane_.executor(), try_forking(spec, program, library, processes_, folder, lane_.executor()), boost::asio::use_future);
    ASSERT_TRUE(eventually([&] { return std::filesystem::exists(dir_.path() + "/started"); }));
    processes_.children.close(SIGKILL);
    EXPECT_FALSE(tried.get().has_value());
    EXPECT_TRUE(children().empty());
}

TEST_F(InstanceTest, FilterIsForkedWhereThatPays) {
    forking_ = ForkChoice::where_it_pays;
    auto spec = *filter_spec("a-filter", MILLRACE_BEFORE_MAIN);
    spec.env = {{"BEFORE_MAIN", "slow"}};
    ASSERT_TRUE(start(spec).has_value());
    EXPECT_EQ(run("at once").output, "at once");
    EXPECT_TRUE(eventually([&] { return instance_->status().start == "forked"; }));
    EXPECT_EQ(run("later").output, "later");
    EXPECT_EQ(instance_->status().runs, 2u);
}

TEST_F(InstanceTest, FilterThatReadsItsObjectBeforeMainGetsItsOwn) {
    forking_ = ForkChoice::where_it_pays;
    for (const std::string how : {"name", "name by itself"}) {
        auto spec = *filter_spec("a-filter", MILLRACE_BEFORE_MAIN);
        spec.env = {{"BEFORE_MAIN", how}};
        ASSERT_TRUE(start(spec).has_value());
        for (int i = 0; i < 20; ++i) ASSERT_EQ(run("of ").output, "of a/clip 7.wav") << how;
        EXPECT_EQ(instance_->status().start, "spawned");
        stop();
    }
}

}  // namespace
}  // namespace millrace::runtime
