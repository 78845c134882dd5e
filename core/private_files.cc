#include "core/private_files.h"

#include <sys/stat.h>

#include <cerrno>

namespace millrace {
namespace {

constexpr mode_t kOthers = S_IRWXG | S_IRWXO;

mode_t callers = S_IWGRP | S_IWOTH;

}  // namespace

void keep_files_private() { callers = ::umask(kOthers); }

mode_t callers_umask() { return callers; }

Result<void> make_private(const std::string& folder) {
    struct stat info {};
    if (::stat(folder.c_str(), &info) != 0) return errno_error("cannot look at folder " + folder, errno);
    if ((info.st_mode & kOthers) == 0) return {};
    if (::chmod(folder.c_str(), info.st_mode & 07777 & ~kOthers) != 0) return errno_error("cannot take folder " + folder + " from others", errno);
    return {};
}

}  // namespace millrace
