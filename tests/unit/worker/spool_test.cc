#include "worker/spool.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "core/loop.h"

namespace millrace::worker {
namespace {

namespace fs = std::filesystem;

class SpoolTest : public ::testing::Test {
protected:
    SpoolTest() {
        char name[] = "/tmp/spool-test-XXXXXX";
        path_ = ::mkdtemp(name);
    }
    ~SpoolTest() override { fs::remove_all(path_); }

    std::string path_;
    Loop lane_{"lane"};
};

TEST_F(SpoolTest, WhatATransformPutsBesideItsFileIsRemovedToo) {
    auto folder = SpoolFolder::open(path_ + "/spool");
    ASSERT_TRUE(folder.has_value());
    MemorySource content("hello");
    auto file = run_blocking(lane_, SpooledFile::make(*folder, "a/clip.wav", content));
    ASSERT_TRUE(file.has_value());
    const fs::path own = fs::path((*file)->path()).parent_path();
    std::ofstream(own / "clip.wav.idx") << "an index";
    fs::create_directories(own / "cache/inner");
    file->reset();
    EXPECT_TRUE(fs::is_empty(path_ + "/spool"));
}

}  // namespace
}  // namespace millrace::worker
