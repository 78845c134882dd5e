#include "core/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "core/descriptor.h"

namespace millrace {

Result<void> make_folder(const std::string& path) {
    std::error_code error;
    const bool is_new = std::filesystem::create_directories(path, error);
    if (is_new && !error) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
    if (error) return errno_error("cannot create folder " + path, error.value());
    if (::access(path.c_str(), W_OK | X_OK) != 0) {
        return errno_error("cannot write to folder " + path + " (choose another 'dir', or make this one writable)", errno);
    }
    return {};
}

namespace {

// Its errno; 0: all of it is on disk.
int fill(const std::string& path, std::string_view content) {
    const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file.is_open()) return errno;
    const ssize_t written = ::write(file.get(), content.data(), content.size());
    if (written < 0) return errno;
    if (static_cast<std::size_t>(written) < content.size()) return ENOSPC;
    return ::fdatasync(file.get()) == 0 ? 0 : errno;
}

int sync_folder_of(const std::string& path) {
    const std::filesystem::path parent = std::filesystem::path(path).parent_path();
    const Descriptor folder(::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return folder.is_open() && ::fsync(folder.get()) == 0 ? 0 : errno;
}

}  // namespace

Result<void> write_file(const std::string& path, std::string_view content) {
    const std::string temporary = path + ".new";
    int failure = fill(temporary, content);
    if (failure == 0 && ::rename(temporary.c_str(), path.c_str()) != 0) failure = errno;
    if (failure != 0) ::unlink(temporary.c_str());
    if (failure == 0) failure = sync_folder_of(path);
    return failure == 0 ? Result<void>() : errno_error("cannot write " + path, failure);
}

Result<void> write_new_file(const std::string& path, std::string_view content) {
    if (::access(path.c_str(), F_OK) == 0) return fail(Code::already_exists, path + " is there already; move it away first if it is to be replaced");
    return write_file(path, content);
}

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open()) return errno_error("cannot read " + path, errno);
    std::string content;
    char chunk[16384];
    for (;;) {
        const ssize_t count = ::read(file.get(), chunk, sizeof chunk);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno_error("cannot read " + path, errno);
        if (count == 0) return content;
        if (content.size() + static_cast<std::size_t>(count) > bytes_max) return errno_error("cannot read " + path, EFBIG);
        content.append(chunk, static_cast<std::size_t>(count));
    }
}

}  // namespace millrace
