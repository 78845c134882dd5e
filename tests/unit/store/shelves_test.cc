#include "store/shelves.h"

#include <gtest/gtest.h>

#include <set>

#include "state/families.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::store {
namespace {

class ShelvesTest : public testing::Test {
protected:
    void SetUp() override {
        kv_ = *state::Kv::open(folder_ / "db", state::target_families(), {});
        sequence_ = *Sequence::open(*kv_);
    }
    TempFolder folder_;
    std::unique_ptr<state::Kv> kv_;
    std::unique_ptr<Sequence> sequence_;
};

TEST_F(ShelvesTest, NoPathIsGivenTwice) {
    std::set<std::string> paths;
    for (int restart = 0; restart < 3; ++restart) {
        sequence_ = *Sequence::open(*kv_);
        Shelves shelves(*sequence_);
        for (int i = 0; i < 2000; ++i) EXPECT_TRUE(paths.insert(*shelves.place("dir/name" + std::to_string(i % 300))).second);
    }
}

TEST_F(ShelvesTest, FoldersAreSharedByDifferentBasenames) {
    Shelves shelves(*sequence_);
    std::set<std::string> folders;
    for (int i = 0; i < 1024; ++i) {
        const std::string path = *shelves.place("name" + std::to_string(i));
        folders.insert(path.substr(0, path.rfind('/')));
        EXPECT_EQ(path.substr(path.rfind('/') + 1), "name" + std::to_string(i));
    }
    EXPECT_LE(folders.size(), 8u);
}

TEST_F(ShelvesTest, NumbersOfCreationsHoldTheCounterBack) {
    const std::uint64_t before = sequence_->lowest_unfinished();
    {
        const auto first = *sequence_->take_for_creation();
        EXPECT_EQ(first.number(), before);
        EXPECT_GT(*sequence_->take(), first.number());
        EXPECT_EQ(sequence_->lowest_unfinished(), first.number());
    }
    EXPECT_EQ(sequence_->lowest_unfinished(), before + 2);
}

TEST_F(ShelvesTest, NumbersGoOnBehindWhatWasReserved) {
    std::uint64_t last = 0;
    for (int i = 0; i < 70'000; ++i) last = *sequence_->take();  // more than one block
    sequence_ = *Sequence::open(*kv_);
    EXPECT_GT(*sequence_->take(), last);
}

TEST(FileBasename, IsTheObjectsOwnWhenFileSystemsAllow) {
    EXPECT_EQ(file_basename("a/b/c.txt"), "c.txt");
    EXPECT_EQ(file_basename("c"), "c");
    const std::string longest(255, 'x');
    EXPECT_EQ(file_basename("a/" + longest), longest);
}

TEST(FileBasename, KeepsAShortExtensionOfALongName) {
    const std::string stem(300, 'x');
    EXPECT_TRUE(file_basename(stem + ".tar.gz").ends_with(".tar.gz"));
    EXPECT_TRUE(file_basename("." + stem + ".gz").ends_with(".gz"));
    EXPECT_TRUE(file_basename(stem + "." + stem + ".gz").ends_with(".gz"));
    EXPECT_EQ(file_basename(stem + "." + stem).find('.'), std::string::npos);
    EXPECT_EQ(file_basename(std::string(300, '.')).size(), 16u);
    EXPECT_NE(file_basename(stem + "a.gz"), file_basename(stem + "b.gz"));
}

}  // namespace
}  // namespace millrace::store
