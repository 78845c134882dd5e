#include "core/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/state/temp_folder.h"

namespace millrace {
namespace {

TEST(WriteFile, ReplacesAllAndIsItsUsersAlone) {
    const TempFolder folder;
    const std::string path = folder / "key";
    ASSERT_TRUE(write_file(path, "a long first content"));
    ASSERT_TRUE(write_file(path, "second"));
    EXPECT_EQ(read_file(path).value_or(""), "second");
    struct stat found{};
    ASSERT_EQ(::stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u);
    EXPECT_NE(::access((path + ".new").c_str(), F_OK), 0);
}

TEST(WriteFile, ThatCannotBeWrittenLeavesWhatWasThere) {
    const TempFolder folder;
    EXPECT_FALSE(write_file(folder / "absent/key", "x"));
    ASSERT_TRUE(make_folder(folder / "key"));
    EXPECT_FALSE(write_file(folder / "key", "x")) << "a folder of that name";
    EXPECT_NE(::access((folder / "key.new").c_str(), F_OK), 0);
}

TEST(WriteNewFile, NeverReplaces) {
    const TempFolder folder;
    ASSERT_TRUE(write_new_file(folder / "key", "first"));
    const auto refused = write_new_file(folder / "key", "second");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::already_exists);
    EXPECT_EQ(read_file(folder / "key").value_or(""), "first");
}

}  // namespace
}  // namespace millrace
