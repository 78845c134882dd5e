#include "worker/handed_out.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

namespace millrace::worker {
namespace {

constexpr mode_t kMayRead = S_IRGRP | S_IROTH;
constexpr mode_t kMayEnter = S_IXGRP | S_IXOTH;
constexpr int kFoldersMax = 8;

// True when they were there before.
Result<bool> add_rights(const std::string& path, mode_t rights) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return errno_error("cannot look at " + path, errno);
    if ((info.st_mode & rights) == rights) return true;
    if (::chmod(path.c_str(), (info.st_mode & 07777) | rights) != 0) return errno_error("cannot open " + path + " to a container", errno);
    return false;
}

}  // namespace

Result<void> hand_out(const std::string& file) {
    MILLRACE_TRY_ASSIGN(const bool was_open, add_rights(file, kMayRead));
    if (was_open) return {};
    std::filesystem::path folder = std::filesystem::path(file).parent_path();
    for (int i = 0; i < kFoldersMax; ++i, folder = folder.parent_path()) {
        MILLRACE_TRY_ASSIGN(const bool was_entered, add_rights(folder.string(), kMayEnter));
        if (was_entered) break;
    }
    return {};
}

}  // namespace millrace::worker
