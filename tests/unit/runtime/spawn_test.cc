#include "core/descriptor.h"
#include "runtime/spawn.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;

class Spawn : public ::testing::Test {
protected:
    struct Ended {
        ExitStatus status;
        std::string output;
    };

    SpawnRequest shell(const std::string& script) {
        SpawnRequest request;
        request.file = "/bin/sh";
        request.argv = {"sh", "-c", script};
        request.env = {"PATH=/usr/bin:/bin", "COLOUR=blue"};
        request.folder = dir_.path();
        return request;
    }

    Ended run(SpawnRequest request) {
        Descriptor read;
        Descriptor write;
        int fds[2];
        EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
        read = Descriptor(fds[0]);
        write = Descriptor(fds[1]);
        request.stdout_fd = request.stderr_fd = write.get();
        auto child = spawn(request);
        write.close();
        EXPECT_TRUE(child.has_value()) << child.error().context;
        if (!child.has_value()) return {};
        Ended ended;
        char buffer[4096];
        for (ssize_t count; (count = ::read(read.get(), buffer, sizeof buffer)) > 0;) ended.output.append(buffer, static_cast<std::size_t>(count));
        ended.status = child->reap();
        return ended;
    }

    TempDir dir_;
};

TEST_F(Spawn, GivesArgumentsEnvironmentAndFolder) {
    EXPECT_EQ(run(shell("printf '%s|' \"$COLOUR\" \"$HOME\" \"$(pwd)\"")).output, "blue||" + dir_.path() + "|");
    SpawnRequest request = shell("");
    request.file = "/usr/bin/printf";
    request.argv = {"printf", "%s|%s", "a b", ""};
    EXPECT_EQ(run(request).output, "a b|");
}

TEST_F(Spawn, ExitStatusesAreTold) {
    EXPECT_EQ(run(shell("exit 0")).status.text(), "exit status 0");
    EXPECT_TRUE(run(shell("exit 0")).status.ok());
    EXPECT_EQ(run(shell("exit 3")).status.text(), "exit status 3");
    EXPECT_EQ(run(shell("kill -SEGV $$")).status.text(), "killed by SIGSEGV");
    EXPECT_FALSE(run(shell("kill -KILL $$")).status.ok());
}

TEST_F(Spawn, InheritsNoDescriptors) {
    const Descriptor leaky(::open("/dev/null", O_RDONLY));  // deliberately without close-on-exec
    ASSERT_TRUE(leaky.is_open());
    // 3 is the folder that ls itself reads.
    EXPECT_EQ(run(shell("exec ls /proc/self/fd")).output, "0\n1\n2\n3\n");
    EXPECT_EQ(run(shell("exec readlink /proc/self/fd/0")).output, "/dev/null\n");
}

TEST_F(Spawn, SetsLimits) {
    SpawnRequest request = shell("ulimit -n; ulimit -f; ulimit -t; ulimit -v; ulimit -c");
    request.limits = {.memory_bytes = 512ull << 20, .cpu_seconds = 7, .open_files = 33, .file_bytes = 1 << 20, .processes = 0};
    EXPECT_EQ(run(request).output, "33\n2048\n7\n524288\n0\n");
    request = shell("cat /proc/self/limits");
    request.limits.processes = 77;
    EXPECT_THAT(run(request).output, ::testing::ContainsRegex("Max processes +77 "));
    request = shell("head -c 2000000 /dev/zero > big");
    request.limits.file_bytes = 1 << 20;
    EXPECT_FALSE(run(request).status.ok());
}

TEST_F(Spawn, LimitsAboveWhatIsAllowedAreCut) {
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    SpawnRequest request = shell("ulimit -Hn");
    request.limits.open_files = 1'000'000'000;
    const std::string shown = run(request).output;
    EXPECT_EQ(shown, std::to_string(std::min<rlim_t>(before.rlim_max, 1'000'000'000)) + "\n");
}

TEST_F(Spawn, SignalsAreReset) {
    struct sigaction ignore {};
    struct sigaction before {};
    ignore.sa_handler = SIG_IGN;
    ASSERT_EQ(::sigaction(SIGPIPE, &ignore, &before), 0);
    sigset_t block;
    sigset_t mask_before;
    ::sigemptyset(&block);
    ::sigaddset(&block, SIGTERM);
    ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, &block, &mask_before), 0);
    const std::string output = run(shell("grep -E '^Sig(Ign|Blk)' /proc/self/status")).output;
    ::pthread_sigmask(SIG_SETMASK, &mask_before, nullptr);
    ::sigaction(SIGPIPE, &before, nullptr);
    EXPECT_EQ(output, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_F(Spawn, NewPrivilegesAreForbidden) {
    EXPECT_EQ(run(shell("grep NoNewPrivs /proc/self/status")).output, "NoNewPrivs:\t1\n");
}

TEST_F(Spawn, LeadsASessionWithoutATerminal) {
    std::istringstream fields(run(shell("cut -d' ' -f1,5,6,7 /proc/$$/stat; :")).output);
    int pid = 0;
    int group = 0;
    int session = 0;
    int terminal = -1;
    ASSERT_TRUE(fields >> pid >> group >> session >> terminal);
    EXPECT_EQ(group, pid);
    EXPECT_EQ(session, pid);
    EXPECT_EQ(terminal, 0);
    EXPECT_THAT(run(shell("cat < /dev/tty")).output, HasSubstr("No such device"));
}

TEST_F(Spawn, SaysWhyItCouldNotStart) {
    SpawnRequest request = shell("");
    request.folder = "/nowhere";
    EXPECT_THAT(spawn(request).error().context, HasSubstr("cannot enter the working folder /nowhere: No such file"));
    request = shell("");
    request.file = "/nowhere/sh";
    EXPECT_EQ(spawn(request).error().code, Code::not_found);
    EXPECT_THAT(spawn(request).error().context, HasSubstr("cannot execute /nowhere/sh"));
    request.file = dir_.file("script", "#!/nowhere/interpreter\n", true);
    EXPECT_THAT(spawn(request).error().context, HasSubstr("the program or its interpreter does not exist"));
    request.file = dir_.file("text", "hello\n", true);
    EXPECT_THAT(spawn(request).error().context, HasSubstr("neither a binary of this machine nor a script"));
    request = shell("");
    request.argv.push_back(std::string(1 << 20, 'x'));
    EXPECT_EQ(spawn(request).error().code, Code::too_large);
    EXPECT_FALSE(has_children());
}

TEST_F(Spawn, DestroyingAChildKillsItsGroup) {
    int pid = 0;
    {
        auto child = spawn(shell("sleep 1000 & wait"));
        ASSERT_TRUE(child.has_value());
        pid = child->pid();
    }
    EXPECT_TRUE(eventually([&] { return ::kill(-pid, 0) < 0; }));
    EXPECT_FALSE(has_children());
}

TEST_F(Spawn, DiesWithTheThreadThatSpawnedIt) {
    std::optional<Child> child;
    std::thread([&] {
        auto spawned = spawn(shell("exec sleep 1000"));
        ASSERT_TRUE(spawned.has_value());
        child.emplace(std::move(*spawned));
    }).join();
    ASSERT_TRUE(child.has_value());
    pollfd ended{child->pidfd(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 10'000), 1);
    EXPECT_EQ(child->reap().text(), "killed by SIGKILL");
}

TEST_F(Spawn, LeaksNoDescriptors) {
    const std::size_t before = open_descriptors();
    for (int i = 0; i < 50; ++i) (void)run(shell("exit 0"));
    SpawnRequest missing = shell("");
    missing.file = "/nowhere";
    for (int i = 0; i < 50; ++i) EXPECT_FALSE(spawn(missing).has_value());
    EXPECT_EQ(open_descriptors(), before);
    EXPECT_FALSE(has_children());
}

TEST_F(Spawn, ProgramsAreFound) {
    const std::string tool = dir_.file("tool", "#!/bin/sh\n", true);
    (void)dir_.file("data", "x");
    EXPECT_EQ(*find_program("tool", "/nowhere:" + dir_.path(), "/"), tool);
    EXPECT_EQ(*find_program("./tool", "", dir_.path()), dir_.path() + "/./tool");
    EXPECT_EQ(*find_program(tool, "", "/"), tool);
    EXPECT_EQ(find_program("gzipp", "/usr/bin:/bin", "/").error().context, "command not found: gzipp");
    EXPECT_EQ(find_program("gzipp", "/usr/bin:/bin", "/").error().code, Code::not_found);
    EXPECT_EQ(find_program("/no/such", "", "/").error().context, "command not found: /no/such");
    EXPECT_THAT(find_program("data", dir_.path(), "/").error().context, HasSubstr("/data is not an executable file"));
    EXPECT_EQ(find_program(dir_.path(), "", "/").error().code, Code::permission);
}

}  // namespace
}  // namespace millrace::runtime
