#include "worker/handed_out.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <ranges>
#include <vector>

namespace millrace::worker {
namespace {

constexpr mode_t kMayRead = S_IRGRP | S_IROTH;
constexpr mode_t kMayEnter = S_IXGRP | S_IXOTH;
constexpr std::size_t kFoldersMax = 8;

Result<mode_t> mode_of(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return fail(Code::unavailable, errno_error("cannot look at " + path, errno).context);
    return info.st_mode & 07777;
}

Result<void> add_rights(const std::string& path, mode_t rights) {
    MILLRACE_TRY_ASSIGN(const mode_t mode, mode_of(path));
    if ((mode & rights) == rights || ::chmod(path.c_str(), mode | rights) == 0) return {};
    return fail(Code::unavailable, errno_error("cannot open " + path + " to a container", errno).context);
}

}  // namespace

// From the outermost folder inwards, and the file last: what another thread finds open can be reached.
Result<void> hand_out(const std::string& file) {
    std::vector<std::string> closed;
    for (std::filesystem::path folder = std::filesystem::path(file).parent_path(); closed.size() < kFoldersMax; folder = folder.parent_path()) {
        MILLRACE_TRY_ASSIGN(const mode_t mode, mode_of(folder.string()));
        if ((mode & kMayEnter) == kMayEnter) break;
        closed.push_back(folder.string());
    }
    for (const std::string& folder : std::views::reverse(closed)) MILLRACE_TRY(add_rights(folder, kMayEnter));
    return add_rights(file, kMayRead);
}

}  // namespace millrace::worker
