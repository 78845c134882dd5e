#include "store/file_io.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace millrace::store {
namespace {

constexpr mode_t kFileMode = 0600;

bool is_still(const std::string& path, const Descriptor& file) {
    struct stat named {};
    struct stat opened {};
    return ::stat(path.c_str(), &named) == 0 && ::fstat(file.get(), &opened) == 0 && named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

}  // namespace

Error file_error(const std::string& action, int errno_value) {
    Error error = errno_error(action, errno_value);
    if (error.code == Code::not_found) error.code = Code::io;
    return error;
}

Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return file_error("write to " + path, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    return {};
}

Result<std::size_t> read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset, const std::string& path) {
    std::size_t total = 0;
    while (total < buffer.size()) {
        const ssize_t count = ::pread(fd, buffer.data() + total, buffer.size() - total, static_cast<off_t>(offset + total));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error("read " + path, errno);
        if (count == 0) break;
        total += static_cast<std::size_t>(count);
    }
    return total;
}

// Open by then, it is not written over; and what was given up before that has lost this name.
Result<Descriptor> open_published(const std::string& path) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open() && errno != ENOENT && errno != ENOTDIR) return file_error("open " + path, errno);
    if (!file.is_open() || !is_still(path, file)) return fail(Code::not_found, "the file " + path + " is gone");
    return file;
}

Result<void> make_folders(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return file_error("create the folder " + path, error.value());
    return {};
}

Result<void> sync_folder(const std::string& path) {
    const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder.is_open()) return file_error("open the folder " + path, errno);
    if (::fsync(folder.get()) != 0) return file_error("sync the folder " + path, errno);
    return {};
}

Result<void> replace_file(const std::string& path, const std::string& content) {
    const std::string next = path + ".new";
    ::unlink(next.c_str());
    MILLRACE_TRY_ASSIGN(TempFile file, TempFile::create(next));
    MILLRACE_TRY(file.append(std::as_bytes(std::span(content))));
    MILLRACE_TRY(file.sync());
    MILLRACE_TRY(file.rename_to(path));
    return sync_folder(std::filesystem::path(path).parent_path());
}

Result<TempFile> TempFile::create(std::string path) {
    Descriptor file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, kFileMode));
    if (!file.is_open()) return file_error("create " + path, errno);
    return TempFile(std::move(path), std::move(file));
}

// A lease for writing (fcntl(2), F_SETLEASE) is given only while nobody else has the file open. Whoever opens it meanwhile waits until it is
// given back; the signal about that is one that is ignored.
Result<TempFile> TempFile::over(std::string path) {
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!file.is_open()) return file_error("open " + path, errno);
    if (::fcntl(file.get(), F_SETSIG, SIGURG) != 0 || ::fcntl(file.get(), F_SETLEASE, F_WRLCK) != 0) {
        return fail(Code::conflict, path + " may be in use: " + std::strerror(errno));
    }
    struct stat status {};
    const bool is_known = ::fstat(file.get(), &status) == 0;
    if (::fcntl(file.get(), F_SETLEASE, F_UNLCK) != 0 || !is_known || status.st_nlink != 1) return fail(Code::conflict, path + " has another name");
    if ((status.st_mode & 0777) != kFileMode && ::fchmod(file.get(), kFileMode) != 0) return file_error("close " + path + " to others", errno);
    return TempFile(std::move(path), std::move(file), static_cast<std::uint64_t>(status.st_size));
}

Result<TempFile> TempFile::link(std::string path, const std::string& file) {
    MILLRACE_TRY_ASSIGN(Descriptor opened, open_published(file));
    if (::link(file.c_str(), path.c_str()) != 0) return file_error("link " + path + " to " + file, errno);
    TempFile linked(std::move(path), std::move(opened));
    if (!is_still(file, linked.file_)) return fail(Code::conflict, file + " was given up meanwhile");
    return linked;
}

TempFile::~TempFile() {
    if (file_.is_open()) ::unlink(path_.c_str());
}

Result<void> TempFile::append(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return file_error("write to " + path_, errno);
        written_ += static_cast<std::uint64_t>(count);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

Result<void> TempFile::cut_rest() {
    if (end_before_ <= written_) return {};
    if (::ftruncate(file_.get(), static_cast<off_t>(written_)) != 0) return file_error("cut " + path_, errno);
    end_before_ = written_;
    return {};
}

Result<void> TempFile::sync() {
    MILLRACE_TRY(cut_rest());
    if (::fdatasync(file_.get()) != 0) return file_error("sync " + path_, errno);
    return {};
}

Result<void> TempFile::rename_to(const std::string& path) {
    MILLRACE_TRY(cut_rest());
    // Somebody may remove an empty folder just after it was made here.
    constexpr int kTriesMax = 8;
    for (int tries = 1;; ++tries) {
        if (::rename(path_.c_str(), path.c_str()) == 0) break;
        const int failure = errno;
        if (failure != ENOENT || tries == kTriesMax) return file_error("rename " + path_ + " to " + path, failure);
        const auto made = make_folders(std::filesystem::path(path).parent_path());
        if (!made && (made.error().code != Code::io || tries + 1 == kTriesMax)) return made;
    }
    file_.close();
    return {};
}

}  // namespace millrace::store
