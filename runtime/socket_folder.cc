#include "runtime/socket_folder.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>

namespace millrace::runtime {
namespace {
constexpr std::size_t kSocketNameBytesMax = 16;
constexpr std::string_view kPrefix = "/tmp/millrace-";

bool is_plain(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '.' || c == '_' || c == '-'; }
}  // namespace

Result<std::string> make_socket_folder(const std::string& instance_folder) {
    const bool is_absolute = instance_folder.starts_with('/');
    if (is_absolute && instance_folder.size() + kSocketNameBytesMax < kSocketPathBytesMax && std::ranges::all_of(instance_folder, is_plain)) {
        return instance_folder;
    }
    std::string folder = std::string(kPrefix) + "XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) return errno_error("cannot make a folder for sockets in /tmp", errno);
    return folder;
}

bool is_short_socket_folder(const std::string& folder) {
    if (!folder.starts_with(kPrefix) || folder.size() != kPrefix.size() + 6 || folder.find('/', kPrefix.size()) != folder.npos) return false;
    struct stat info {};
    return ::lstat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode) && info.st_uid == ::geteuid();
}

}  // namespace millrace::runtime
