#include "cli/local_path.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "core/whole_number.h"

namespace millrace::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kLinksMax = 40;  // as the system

std::string real_folder(const std::string& path) {
    std::error_code ignored;
    const std::string folder = folder_of(path);
    return fs::canonical(folder.empty() ? "." : folder, ignored).string();
}

// /proc/PID/fd of this process, or of one of its threads.
bool holds_own_descriptors(const std::string& folder) {
    std::error_code ignored;
    const std::string self = fs::canonical("/proc/self", ignored).string();
    return !self.empty() && folder.starts_with(self + "/") && folder.ends_with("/fd");
}

Result<Descriptor> copy_of(const std::string& path) {
    const auto number = parse_whole<std::uint32_t>(std::string_view(path).substr(folder_of(path).size()));
    Descriptor copy(number ? ::fcntl(static_cast<int>(*number), F_DUPFD_CLOEXEC, 0) : -1);
    if (!copy.is_open()) return fail(Code::invalid_argument, "no descriptor " + path + " is open");
    return copy;
}

// A file that is mounted on its name cannot be given another one.
bool is_mounted(const std::string& path) {
    struct statx status {};
    return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_TYPE, &status) == 0 && (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == path.npos ? "" : path.substr(0, slash + 1);
}

Result<LocalPath> follow_links(const std::string& path) {
    LocalPath place{path, {}};
    for (int links = 0; links <= kLinksMax; ++links) {
        const std::string folder = real_folder(place.path);
        if (holds_own_descriptors(folder)) {
            MILLRACE_TRY_ASSIGN(place.own, copy_of(place.path));
            return place;
        }
        std::error_code error;
        const fs::file_status status = fs::symlink_status(place.path, error);
        const bool is_path = !folder.starts_with("/proc/");  // what a link there says is often no path
        if (status.type() != fs::file_type::symlink || !is_path) return place;
        const fs::path leads_to = fs::read_symlink(place.path, error);
        if (error) return errno_error("cannot read the link " + place.path, error.value());
        place.path = (fs::path(folder_of(place.path)) / leads_to).string();
    }
    return fail(Code::invalid_argument, path + " is a link that leads round in a circle");
}

bool is_replaceable(const LocalPath& place) {
    if (place.own.is_open()) return false;
    struct stat status {};
    if (::lstat(place.path.c_str(), &status) != 0) return true;
    const std::string folder = folder_of(place.path);
    return S_ISREG(status.st_mode) && !is_mounted(place.path) && ::access(folder.empty() ? "." : folder.c_str(), W_OK) == 0;
}

}  // namespace millrace::cli
