#include "runtime/disk_usage.h"

#include <sys/stat.h>

#include <filesystem>

namespace millrace::runtime {
namespace fs = std::filesystem;

std::uint64_t disk_usage(const std::string& folder, std::uint64_t bytes_max) {
    constexpr std::size_t kEntriesMax = 10'000;  // the lane waits for it
    constexpr std::uint64_t kBlockBytes = 512;   // of st_blocks, on any file system
    std::uint64_t bytes = 0;
    std::size_t entries = 0;
    std::error_code error;
    const auto options = fs::directory_options::skip_permission_denied;
    for (fs::recursive_directory_iterator entry(folder, options, error), end; !error && entry != end; entry.increment(error)) {
        struct stat info {};
        if (::lstat(entry->path().c_str(), &info) == 0) bytes += static_cast<std::uint64_t>(info.st_blocks) * kBlockBytes;
        if (bytes > bytes_max || ++entries >= kEntriesMax) break;
    }
    return bytes;
}

}  // namespace millrace::runtime
