// The sandbox of commands: its parts by themselves, and real children in it, spawned and forked.
#include "runtime/sandbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "runtime/disk_usage.h"
#include "runtime/sandbox_words.h"
#include "tests/unit/runtime/fixture.h"

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::uint64_t kWriteRight = 1u << 1;
constexpr std::uint64_t kReadRight = 1u << 2;
constexpr std::uint64_t kTruncateRight = 1u << 14;

TransformSpec shell_spec(std::vector<std::string> argv) {
    TransformSpec spec;
    spec.name = "sandboxed";
    spec.argv = std::move(argv);
    return spec;
}

void write_text(const std::string& path, const std::string& text, mode_t mode) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
}

TEST(Landlock, RightsAreCutToWhatTheKernelKnows) {
    EXPECT_EQ(handled_rights(0), 0u);
    for (int abi = 1; abi < 8; ++abi) {
        for (const FileAccess access : {FileAccess::read, FileAccess::write, FileAccess::device}) {
            for (const bool is_folder : {false, true}) {
                const std::uint64_t rights = rights_of(access, is_folder, abi);
                EXPECT_EQ(rights & ~handled_rights(abi), 0u) << abi << ": the kernel refuses a rule with others";
                EXPECT_NE(rights & kReadRight, 0u);
                EXPECT_EQ((rights & kWriteRight) != 0, access != FileAccess::read);
            }
        }
    }
    EXPECT_EQ(handled_rights(2) & kTruncateRight, 0u);
    EXPECT_NE(rights_of(FileAccess::write, true, 3) & kTruncateRight, 0u);
    EXPECT_EQ(rights_of(FileAccess::read, true, 7) & kTruncateRight, 0u);
}

TEST(UserRange, GivesEachUserToOneAtATime) {
    UserRange range(7);
    std::set<uid_t> taken;
    for (std::size_t i = 0; i < UserRange::kUsers; ++i) taken.insert(range.take().value());
    EXPECT_EQ(taken.size(), UserRange::kUsers);
    EXPECT_EQ(range.take(), std::nullopt);
    range.give_back(*taken.begin());
    EXPECT_EQ(range.take(), *taken.begin());
    EXPECT_FALSE(taken.contains(UserRange(8).first())) << "another target has others";
    EXPECT_EQ(UserRange(0x10007).first(), UserRange(7).first());
}

TEST(SandboxWords, SayWhichKeyOpensWhatWasRefused) {
    const ExitStatus failed{false, 1};
    spec::SandboxSpec opened;
    EXPECT_THAT(sandbox_words(opened, failed, "first\ncat: /models/a: Permission denied\n"),
                HasSubstr("as it printed 'cat: /models/a: Permission denied': name the folder in 'sandbox.read'"));
    EXPECT_THAT(sandbox_words(opened, failed, "curl: (6) Could not resolve host: x\n"), HasSubstr("{network: true}"));
    EXPECT_THAT(sandbox_words(opened, failed, "mount: Operation not permitted"), HasSubstr("'sandbox: off'"));
    EXPECT_THAT(sandbox_words(opened, ExitStatus{true, SIGSYS}, ""), HasSubstr("32-bit"));
    EXPECT_THAT(sandbox_words(opened, ExitStatus{false, 128 + SIGSYS}, ""), HasSubstr("32-bit"));
    EXPECT_EQ(sandbox_words(opened, failed, "no such number"), "");
    opened.network = true;
    EXPECT_EQ(sandbox_words(opened, failed, "curl: (6) Could not resolve host: x\n"), "");
}

TEST(DiskUsage, IsOfAllFilesAndFollowsNoLink) {
    const TempDir folder;
    fs::create_directory(folder.path() + "/a");
    write_text(folder.path() + "/a/one", std::string(100'000, 'x'), 0600);
    const std::uint64_t used = disk_usage(folder.path(), 1 << 30);
    EXPECT_GE(used, 100'000u);
    fs::create_directory_symlink("/usr", folder.path() + "/link");
    EXPECT_LT(disk_usage(folder.path(), 1 << 30), used + 8192);
}

TEST(PassablePath, LeavesOutWhatOthersDoNotEnter) {
    const TempDir folder;
    fs::create_directory(folder.path() + "/bin");
    ::chmod((folder.path() + "/bin").c_str(), 0755);
    ::chmod(folder.path().c_str(), 0700);
    EXPECT_EQ(passable_path("/usr/bin:" + folder.path() + "/bin" + ":/bin"), "/usr/bin:/bin");
    EXPECT_EQ(first_private_folder(folder.path() + "/bin/x"), folder.path());
    ::chmod(folder.path().c_str(), 0755);
    EXPECT_EQ(passable_path(folder.path() + "/bin" + ":/bin"), folder.path() + "/bin" + ":/bin");
}

class Sandboxed : public InstanceTest, public ::testing::WithParamInterface<ForkChoice> {
protected:
    void SetUp() override {
        forking_ = GetParam();
        sandboxes_ = SandboxHost::make(dir_.path() + "/run", {dir_.path() + "/store"});
        if (sandboxes_->landlock() == 0) GTEST_SKIP() << "this kernel has no Landlock";
        fs::create_directory(dir_.path() + "/store");
        write_text(dir_.path() + "/store/object", "an object\n", 0666);
    }
    // Of a shell's text, run once it is ready.
    Outcome run_text(const std::string& text, const spec::SandboxSpec& opened = {}) {
        TransformSpec spec = shell_spec({"/bin/sh", "-c", text});
        spec.sandbox = opened;
        const auto started = start(spec, "run/instance");
        EXPECT_TRUE(started) << started.error().context;
        EXPECT_TRUE(eventually([&] { return instance_->status().start == (GetParam() == ForkChoice::always ? "forked" : "spawned"); }));
        return run("input\n");
    }
};

TEST_P(Sandboxed, ReadsItsInputAndWritesItsFolder) {
    const Outcome outcome = run_text("cat > file && cat file && ls -A && echo x > /dev/null && echo y > /dev/stderr");
    ASSERT_TRUE(outcome.ok()) << outcome.text();
    EXPECT_EQ(outcome.output, "input\nfile\n");
    EXPECT_THAT(instance_->status().sandbox, HasSubstr("landlock"));
}

TEST_P(Sandboxed, ReachesNothingOfItsTarget) {
    const Outcome outcome = run_text("for f in '" + dir_.path() + "/store/object' '" + dir_.path() + "/run/other/x' ../../other/x; do cat \"$f\" && echo READ; "
                                     "echo z >> \"$f\" && echo WRITTEN; done 2> /dev/null; "
                                     "kill -0 " + std::to_string(::getpid()) + " 2> /dev/null && echo SIGNALLED; "
                                     "(echo x > ../beside) 2> /dev/null && echo BESIDE; echo end");
    ASSERT_TRUE(outcome.ok()) << outcome.text();
    EXPECT_EQ(outcome.output, "end\n");
}

// A program that its children are forked of may write into all of their folders, and each child into its own.
TEST_P(Sandboxed, ReachesNoFolderOfAnotherRun) {
    TransformSpec spec = shell_spec({"/bin/sh", "-c", "p=$(dirname \"$(dirname \"$TMPDIR\")\"); for d in \"$p\" \"$p/instance\"; "
                                                  "do cat $d/other/x; echo z > $d/other/y; "
                                                  "done 2> /dev/null; ls other ../other ../../other 2> /dev/null; echo end"});
    ASSERT_TRUE(start(spec, "run/instance"));
    ASSERT_TRUE(eventually([&] { return instance_->status().start == (GetParam() == ForkChoice::always ? "forked" : "spawned"); }));
    const std::string other = dir_.path() + "/run/instance/other";
    fs::create_directory(other);
    ::chmod(other.c_str(), 0777);
    write_text(other + "/x", "another's\n", 0666);
    const Outcome outcome = run("input\n");
    ASSERT_TRUE(outcome.ok()) << outcome.text();
    EXPECT_EQ(outcome.output, "end\n");
    EXPECT_FALSE(fs::exists(other + "/y"));
}

TEST_P(Sandboxed, IsAnotherUserWithoutRights) {
    if (!sandboxes_->has_users()) GTEST_SKIP() << "this target cannot have users of its own";
    const Outcome outcome = run_text("id -u; id -G; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status");
    ASSERT_TRUE(outcome.ok()) << outcome.text();
    std::istringstream lines(outcome.output);
    uid_t user = 0;
    gid_t group = 0;
    lines >> user >> group;
    EXPECT_GE(user, sandboxes_->users().first());
    EXPECT_LT(user, sandboxes_->users().first() + UserRange::kUsers);
    EXPECT_EQ(group, user);
    EXPECT_THAT(outcome.output, HasSubstr("CapEff:\t0000000000000000"));
    EXPECT_THAT(outcome.output, HasSubstr("NoNewPrivs:\t1"));
    EXPECT_THAT(outcome.output, HasSubstr("Seccomp:\t2"));
}

TEST_P(Sandboxed, OffIsOff) {
    spec::SandboxSpec off;
    off.off = true;
    const Outcome outcome = run_text("cat '" + dir_.path() + "/store/object'", off);
    ASSERT_TRUE(outcome.ok()) << outcome.text();
    EXPECT_EQ(outcome.output, "an object\n");
    EXPECT_EQ(instance_->status().sandbox, "off");
}

TEST_P(Sandboxed, NeverOpensWhatTheTargetKeeps) {
    TransformSpec spec = shell_spec({"/bin/cat"});
    for (const std::string& path : {dir_.path() + "/store", dir_.path() + "/store/object", std::string("/")}) {
        spec.sandbox.read = {path};
        const auto started = start(spec, "run/instance");
        ASSERT_FALSE(started) << path;
        EXPECT_THAT(started.error().context, HasSubstr("where the target keeps its objects"));
        stop();
    }
}

INSTANTIATE_TEST_SUITE_P(BothStarts, Sandboxed, ::testing::Values(ForkChoice::never, ForkChoice::always),
                         [](const auto& info) { return info.param == ForkChoice::always ? "Forked" : "Spawned"; });

}  // namespace
}  // namespace millrace::runtime
