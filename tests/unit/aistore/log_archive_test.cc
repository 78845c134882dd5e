#include "aistore/log_archive.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace millrace::aistore {
namespace {

// What tar makes of it.
std::string unpacked(const std::string& archive, const std::string& name) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("log_archive_test." + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "log.tar.gz", std::ios::binary) << archive;
    const std::string command = "tar -xzf " + (folder / "log.tar.gz").string() + " -C " + folder.string();
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ostringstream content;
    content << std::ifstream(folder / name, std::ios::binary).rdbuf();
    std::filesystem::remove_all(folder);
    return content.str();
}

TEST(LogArchive, TarAndGzipReadIt) {
    for (const std::size_t size : {1u, 511u, 512u, 65'535u, 65'536u, 1'000'000u}) {
        std::string content;
        while (content.size() < size) content += "line " + std::to_string(content.size()) + "\n";
        content.resize(size);
        EXPECT_EQ(unpacked(log_archive("t1.log", content, 1'795'978'424), "t1.log"), content) << size;
    }
}

TEST(LogArchive, AnEmptyLogIsAnEmptyFile) { EXPECT_EQ(unpacked(log_archive("p-1.log", "", 0), "p-1.log"), ""); }

}  // namespace
}  // namespace millrace::aistore
