#include "runtime/run_folder.h"

#include <sys/mount.h>

#include <limits>

#include "fixture.h"
#include "runtime/remove_tree.h"

namespace millrace::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();

class RemoveTree : public ::testing::Test {
protected:
    bool removes(const std::string& path, std::size_t entries_max = kAll) {
        const auto removed = remove_tree(path, entries_max);
        EXPECT_TRUE(removed.has_value()) << removed.error().context;
        return removed.has_value() && *removed && !fs::exists(fs::symlink_status(path));
    }
    TempDir dir_;
    const std::string tree_ = dir_.path() + "/tree";
};

TEST_F(RemoveTree, TakesEverythingAway) {
    EXPECT_TRUE(removes(tree_));
    fs::create_directories(tree_ + "/a/b/c");
    fs::create_directories(tree_ + "/.moved-1/x");
    for (const char* name : {"/f", "/a/f", "/a/b/f", "/a/b/c/f", "/a/b/.hidden"}) std::ofstream(tree_ + name) << "x";
    ASSERT_EQ(::mkfifo((tree_ + "/a/pipe").c_str(), 0600), 0);
    EXPECT_TRUE(removes(tree_));
    (void)dir_.file("tree", "a file");
    EXPECT_TRUE(removes(tree_));
}

TEST_F(RemoveTree, FollowsNoLinks) {
    const std::string precious = dir_.path() + "/precious";
    fs::create_directories(precious + "/inner");
    fs::create_directories(tree_ + "/a");
    fs::create_directory_symlink(precious, tree_ + "/link");
    fs::create_directory_symlink(precious, tree_ + "/a/link");
    fs::create_hard_link(dir_.file("kept", "text"), tree_ + "/a/hard");
    EXPECT_TRUE(removes(tree_));
    fs::create_directory_symlink(precious, tree_);
    EXPECT_TRUE(removes(tree_));
    EXPECT_TRUE(fs::exists(precious + "/inner"));
    EXPECT_TRUE(fs::exists(dir_.path() + "/kept"));
}

TEST_F(RemoveTree, OpensWhatWasClosed) {
    fs::create_directories(tree_ + "/a/b/c");
    for (const char* name : {"/a/b/c", "/a/b", "/a", ""}) fs::permissions(tree_ + name, fs::perms::none);
    EXPECT_TRUE(removes(tree_));
}

TEST_F(RemoveTree, AnyDepthWillDo) {
    fs::create_directories(tree_);
    const int here = ::open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ASSERT_EQ(::chdir(tree_.c_str()), 0);
    for (int depth = 0; depth < 850; ++depth) {
        ASSERT_EQ(::mkdir("deep", 0700), 0);
        ASSERT_EQ(::chdir("deep"), 0);
    }
    ASSERT_EQ(::fchdir(here), 0);
    ::close(here);
    EXPECT_TRUE(removes(tree_));
}

TEST_F(RemoveTree, GoesOnWhereItStopped) {
    for (int i = 0; i < 30; ++i) fs::create_directories(tree_ + "/" + std::to_string(i) + "/a/b");
    int calls = 1;
    while (!removes(tree_, 10) && calls < 1000) ++calls;
    EXPECT_GT(calls, 9);
    EXPECT_LT(calls, 40);
    EXPECT_FALSE(fs::exists(tree_));
}

TEST_F(RemoveTree, MountsAreDetachedAndNotEntered) {
    const std::string precious = dir_.path() + "/precious";
    fs::create_directories(precious + "/inner");
    fs::create_directories(tree_ + "/a/mount");
    if (::mount(precious.c_str(), (tree_ + "/a/mount").c_str(), nullptr, MS_BIND, nullptr) < 0) GTEST_SKIP() << "mounts are not allowed here";
    EXPECT_TRUE(removes(tree_));
    fs::create_directories(tree_);
    ASSERT_EQ(::mount(precious.c_str(), tree_.c_str(), nullptr, MS_BIND, nullptr), 0);
    EXPECT_TRUE(removes(tree_));
    EXPECT_TRUE(fs::exists(precious + "/inner"));
}

class RunFoldersTest : public ::testing::Test {
protected:
    // Takes one, does that to it, gives it back, and expects the next to be empty; whether it has the same path.
    template <class F>
    bool stays_after(F work, bool is_alone = true) {
        auto folder = folders_.take();
        EXPECT_TRUE(folder.has_value());
        const std::string path = folder->path();
        work(path);
        folders_.give_back(*std::move(folder), is_alone);
        auto next = folders_.take();
        EXPECT_TRUE(next.has_value()) << next.error().context;
        if (!next.has_value()) return false;
        EXPECT_TRUE(fs::is_empty(next->path()));
        EXPECT_EQ(fs::status(next->path()).permissions(), fs::perms::owner_all);
        std::ofstream(next->path() + "/probe") << "x";
        EXPECT_TRUE(fs::exists(next->path() + "/probe"));
        const std::string again = next->path();
        folders_.give_back(*std::move(next), true);
        return again == path;
    }

    TempDir dir_;
    RunFolders folders_{dir_.path() + "/run."};
};

TEST_F(RunFoldersTest, AreEmptyAndApart) {
    auto one = folders_.take();
    auto other = folders_.take();
    ASSERT_TRUE(one.has_value() && other.has_value());
    EXPECT_NE(one->path(), other->path());
    EXPECT_TRUE(fs::is_empty(one->path()) && fs::is_empty(other->path()));
}

TEST_F(RunFoldersTest, OneThatWasNotTouchedServesAgain) {
    auto folder = folders_.take();
    struct stat before {};
    ASSERT_EQ(::stat(folder->path().c_str(), &before), 0);
    folders_.give_back(*std::move(folder), true);
    folder = folders_.take();
    struct stat after {};
    ASSERT_EQ(::stat(folder->path().c_str(), &after), 0);
    EXPECT_EQ(before.st_ino, after.st_ino);
    EXPECT_EQ(before.st_ctim.tv_nsec, after.st_ctim.tv_nsec);
}

TEST_F(RunFoldersTest, WhateverWasDoneToOneTheNextIsFresh) {
    EXPECT_TRUE(stays_after([](const std::string& path) { std::ofstream(path + "/file") << "x"; }));
    EXPECT_TRUE(stays_after([](const std::string& path) {
        std::ofstream(path + "/file") << "x";
        fs::remove(path + "/file");
    }));
    EXPECT_TRUE(stays_after([](const std::string& path) { fs::create_directories(path + "/a/b/c"); }));
    EXPECT_TRUE(stays_after([](const std::string& path) { fs::remove(path); }));
    EXPECT_TRUE(stays_after([](const std::string& path) { fs::permissions(path, fs::perms::none); }));
    EXPECT_TRUE(stays_after([](const std::string& path) { fs::permissions(path, fs::perms::owner_read); }));
    stays_after([](const std::string& path) { fs::rename(path, path + ".away"); });
    stays_after([](const std::string& path) {
        fs::remove(path);
        std::ofstream(path) << "a file in its place";
    });
    stays_after([](const std::string& path) {
        fs::remove(path);
        fs::create_directories(path);
    });
    const std::string precious = dir_.path() + "/precious";
    fs::create_directories(precious + "/inner");
    stays_after([&](const std::string& path) {
        fs::remove(path);
        fs::create_directory_symlink(precious, path);
    });
    EXPECT_TRUE(fs::exists(precious + "/inner"));
}

TEST_F(RunFoldersTest, ComeBackWhenTheFolderAboveIsGone) {
    RunFolders deeper(dir_.path() + "/above/run.");
    auto folder = deeper.take();
    ASSERT_TRUE(folder.has_value());
    fs::remove_all(dir_.path() + "/above");
    deeper.give_back(*std::move(folder), true);
    folder = deeper.take();
    ASSERT_TRUE(folder.has_value()) << folder.error().context;
    EXPECT_TRUE(fs::is_empty(folder->path()));
}

TEST_F(RunFoldersTest, OneThatSomebodyStillUsesIsNotUsedAgain) {
    EXPECT_FALSE(stays_after([](const std::string&) {}, false));
    EXPECT_FALSE(fs::exists(dir_.path() + "/run.1"));
}

TEST_F(RunFoldersTest, ALargeOneIsRemovedElsewhere) {
    stays_after([](const std::string& path) {
        for (int i = 0; i < 400; ++i) std::ofstream(path + "/" + std::to_string(i)) << "x";
    });
    EXPECT_TRUE(eventually([&] {
        return std::none_of(fs::directory_iterator(dir_.path()), fs::directory_iterator(),
                            [](const fs::directory_entry& entry) { return entry.path().string().contains(".old-"); });
    }));
}

}  // namespace
}  // namespace millrace::runtime
