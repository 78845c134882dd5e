#include "worker/handed_out.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "tests/unit/state/temp_folder.h"

namespace millrace::worker {
namespace {

namespace fs = std::filesystem;

// A node's folder, closed, in which that of objects can be entered, as a container that uses paths has made it.
class HandedOut : public testing::Test {
protected:
    void SetUp() override {
        make(node_, 0700);
        make(objects_, 0711);
        make(objects_ + "/a", 0700);
        make(objects_ + "/a/b", 0700);
        std::ofstream(file_) << "content";
        ::chmod(file_.c_str(), 0600);
    }
    static void make(const std::string& folder, mode_t mode) {
        fs::create_directory(folder);
        ::chmod(folder.c_str(), mode);
    }
    static mode_t mode(const std::string& path) {
        struct stat info {};
        EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
        return info.st_mode & 07777;
    }

    TempFolder folder_;
    const std::string node_ = folder_ / "node";
    const std::string objects_ = node_ + "/objects";
    const std::string file_ = objects_ + "/a/b/1";
};

TEST_F(HandedOut, TheFileAndTheWayToItAreOpenAndNothingElse) {
    std::ofstream(objects_ + "/a/b/2") << "another";
    ::chmod((objects_ + "/a/b/2").c_str(), 0600);
    ASSERT_TRUE(hand_out(file_));
    EXPECT_EQ(mode(file_), 0644u);
    EXPECT_EQ(mode(objects_ + "/a/b"), 0711u);
    EXPECT_EQ(mode(objects_ + "/a"), 0711u);
    EXPECT_EQ(mode(objects_), 0711u);
    EXPECT_EQ(mode(node_), 0700u);
    EXPECT_EQ(mode(objects_ + "/a/b/2"), 0600u);
    EXPECT_TRUE(hand_out(file_)) << "again";
}

// Copies of large objects share their file.
TEST_F(HandedOut, OfAFileThatIsOpenUnderAnotherNameTheWayIsOpenedToo) {
    ASSERT_TRUE(hand_out(file_));
    make(objects_ + "/c", 0700);
    fs::create_hard_link(file_, objects_ + "/c/1");
    ASSERT_TRUE(hand_out(objects_ + "/c/1"));
    EXPECT_EQ(mode(objects_ + "/c"), 0711u);
}

TEST_F(HandedOut, AFileThatIsGoneMayBeThereWithTheNextTry) {
    fs::remove(file_);
    const auto handed = hand_out(file_);
    ASSERT_FALSE(handed);
    EXPECT_EQ(handed.error().code, Code::unavailable);
}

}  // namespace
}  // namespace millrace::worker
