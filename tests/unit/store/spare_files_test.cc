// Files that are written over: only where nobody can notice.
#include "store/spare_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/state/temp_folder.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string content_of(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
}

ino_t inode_of(const std::string& path) {
    struct stat status {};
    return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

class Spares : public ::testing::Test {
protected:
    std::string make(const std::string& name, std::string_view content = "content of before") {
        const std::string path = dir_.path() + "/" + name;
        std::ofstream(path) << content;
        return path;
    }
    std::string spare(const std::string& name) const { return dir_.path() + "/spare-" + name; }

    TempFolder dir_;
    SpareFiles spares_;
};

TEST_F(Spares, AFileIsWrittenOverAndNothingOfItStays) {
    for (const std::string_view content : {"new", "", "much longer content than there was before"}) {
        const std::string path = make("old");
        ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
        const ino_t inode = inode_of(path);
        ASSERT_TRUE(spares_.keep(path, spare("1")));
        EXPECT_FALSE(fs::exists(path));
        auto file = spares_.take();
        ASSERT_TRUE(file.has_value());
        ASSERT_TRUE(file->append(bytes_of(content)));
        ASSERT_TRUE(file->rename_to(path));
        EXPECT_EQ(content_of(path), content);
        EXPECT_EQ(inode_of(path), inode);
        EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_write);
        EXPECT_FALSE(spares_.take().has_value());
        fs::remove(path);
    }
}

TEST_F(Spares, WhatIsSyncedHasItsLengthAlready) {
    ASSERT_TRUE(spares_.keep(make("old"), spare("1")));
    auto file = spares_.take();
    ASSERT_TRUE(file && file->append(bytes_of("new")) && file->sync());
    EXPECT_EQ(fs::file_size(spare("1")), 3u);
}

TEST_F(Spares, WhatSomebodyReadsIsLeftToThem) {
    const std::string path = make("old");
    auto reader = open_published(path);
    ASSERT_TRUE(reader);
    ASSERT_TRUE(spares_.keep(path, spare("1")));
    EXPECT_FALSE(spares_.take().has_value());
    EXPECT_FALSE(fs::exists(spare("1")));
    std::string seen(100, '\0');
    EXPECT_EQ(read_at(reader->get(), std::as_writable_bytes(std::span(seen)), 0, path).value(), std::string_view("content of before").size());
}

TEST_F(Spares, WhatIsMappedIsLeftToo) {
    const std::string path = make("old");
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    void* const mapped = ::mmap(nullptr, 4096, PROT_READ, MAP_SHARED, file.get(), 0);
    ASSERT_NE(mapped, MAP_FAILED);
    file.close();
    ASSERT_TRUE(spares_.keep(path, spare("1")));
    EXPECT_FALSE(spares_.take().has_value());
    ::munmap(mapped, 4096);
}

TEST_F(Spares, AnotherNameKeepsItsContent) {
    const std::string path = make("old");
    fs::create_hard_link(path, dir_.path() + "/copy");
    EXPECT_FALSE(spares_.keep(path, spare("1")));
    fs::remove(dir_.path() + "/copy");
    ASSERT_TRUE(spares_.keep(path, spare("1")));
    fs::create_hard_link(spare("1"), dir_.path() + "/copy");
    EXPECT_FALSE(spares_.take().has_value());
    EXPECT_EQ(content_of(dir_.path() + "/copy"), "content of before");
}

TEST_F(Spares, ThereAreNotMoreThanMayBe) {
    const std::string large = make("large");
    fs::resize_file(large, SpareFiles::kFileBytesMax + 1);
    EXPECT_FALSE(spares_.keep(large, spare("large")));
    std::uint64_t kept = 0;
    for (std::uint64_t i = 0; i <= SpareFiles::kBytesMax / SpareFiles::kFileBytesMax; ++i) {
        const std::string path = make(std::to_string(i));
        fs::resize_file(path, SpareFiles::kFileBytesMax);
        kept += spares_.keep(path, spare(std::to_string(i))) ? 1 : 0;
    }
    EXPECT_EQ(kept, SpareFiles::kBytesMax / SpareFiles::kFileBytesMax);
}

TEST_F(Spares, TheyGoWhenNobodyTakesThemOrTheDiskGetsFull) {
    ASSERT_TRUE(spares_.keep(make("a"), spare("a")));
    EXPECT_FALSE(spares_.tend(true, steady_now()));
    EXPECT_TRUE(fs::exists(spare("a")));
    EXPECT_TRUE(spares_.tend(true, steady_now() + SpareFiles::kTimeMax + std::chrono::seconds(1)));
    EXPECT_FALSE(fs::exists(spare("a")));

    ASSERT_TRUE(spares_.keep(make("b"), spare("b")));
    EXPECT_TRUE(spares_.tend(false, steady_now()));
    EXPECT_FALSE(fs::exists(spare("b")));
    EXPECT_FALSE(spares_.keep(make("c"), spare("c")));
    EXPECT_FALSE(spares_.tend(true, steady_now()));
    EXPECT_TRUE(spares_.keep(make("d"), spare("d")));
}

TEST_F(Spares, AFileThatIsGivenUpWhileItIsOpenedIsGone) {
    const std::string path = make("old");
    EXPECT_TRUE(open_published(path));
    ASSERT_TRUE(spares_.keep(path, spare("1")));
    EXPECT_EQ(open_published(path).error().code, Code::not_found);
    EXPECT_FALSE(TempFile::link(dir_.path() + "/link", path));
}

}  // namespace
}  // namespace millrace::store
