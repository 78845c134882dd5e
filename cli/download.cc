#include "cli/download.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <utility>

namespace millrace::cli {
namespace {

Error cannot_write(const std::string& path) { return errno_error("cannot write " + path, errno); }

// All of it; waits where the other end, or whoever shares the descriptor, made it one that does not wait.
Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd, bytes.data(), bytes.size());
        if (written < 0 && errno == EAGAIN) {
            pollfd room{fd, POLLOUT, 0};
            (void)::poll(&room, 1, -1);
        } else if (written < 0 && errno != EINTR) {
            return cannot_write(path);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return {};
}

mode_t usual_mode() {
    const mode_t mask = ::umask(0);
    ::umask(mask);
    return 0666 & ~mask;
}

// Whoever may write the file may not always give one away: then the new one is the writer's own, and lends nobody its rights.
Result<void> be_like(int fd, const struct stat& before, const std::string& path) {
    struct stat made {};
    if (::fstat(fd, &made) != 0) return cannot_write(path);
    const bool is_same_owner = made.st_uid == before.st_uid && made.st_gid == before.st_gid;
    const bool keeps_owner = is_same_owner || ::fchown(fd, before.st_uid, before.st_gid) == 0;
    if (::fchmod(fd, before.st_mode & (keeps_owner ? 07777 : 0777)) != 0) return errno_error("cannot set the permissions of " + path, errno);
    return {};
}

}  // namespace

Result<NewFile> NewFile::create(const std::string& path) {
    struct stat before {};
    const bool is_there = ::stat(path.c_str(), &before) == 0;
    if (is_there && ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0) return cannot_write(path);
    const std::string folder = folder_of(path);
    std::string temporary = folder + ".millrace-get-XXXXXX";
    Descriptor fd(::mkstemp(temporary.data()));
    if (!fd.is_open()) return errno_error("cannot write into " + (folder.empty() ? "the current folder" : folder), errno);
    NewFile file(std::move(fd), path, std::move(temporary));
    // mkstemp makes a private file.
    if (is_there) {
        MILLRACE_TRY(be_like(file.file_.get(), before, path));
    } else if (::fchmod(file.file_.get(), usual_mode()) != 0) {
        return errno_error("cannot set the permissions of " + path, errno);
    }
    return file;
}

NewFile::NewFile(Descriptor file, std::string path, std::string temporary)
    : file_(std::move(file)), path_(std::move(path)), temporary_(std::move(temporary)) {}

NewFile::NewFile(NewFile&& other) noexcept
    : file_(std::move(other.file_)), path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, "")) {}

NewFile::~NewFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Task<Result<void>> NewFile::write(std::span<const std::byte> bytes) { co_return write_all(file_.get(), bytes, path_); }

Result<void> NewFile::publish() {
    if (::close(file_.release()) != 0) return cannot_write(path_);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return cannot_write(path_);
    temporary_.clear();
    return {};
}

Result<OpenOutput> OpenOutput::open(LocalPath place) {
    if (place.own.is_open()) return OpenOutput(std::move(place.own), std::move(place.path), false);
    Descriptor file(::open(place.path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0) return cannot_write(place.path);
    return OpenOutput(std::move(file), std::move(place.path), S_ISREG(status.st_mode));
}

OpenOutput::OpenOutput(Descriptor file, std::string path, bool is_emptied)
    : file_(std::move(file)), path_(std::move(path)), is_emptied_(is_emptied) {}

// Not before there is something to write: an object that cannot be fetched costs nothing.
Result<void> OpenOutput::begin() {
    if (std::exchange(wrote_, true) || !is_emptied_) return {};
    if (::ftruncate(file_.get(), 0) != 0) return cannot_write(path_);
    return {};
}

Task<Result<void>> OpenOutput::write(std::span<const std::byte> bytes) {
    MILLRACE_CO_TRY(begin());
    co_return write_all(file_.get(), bytes, path_);
}

Result<void> OpenOutput::finish() {
    MILLRACE_TRY(begin());
    if (::close(file_.release()) != 0) return cannot_write(path_);
    return {};
}

bool OpenOutput::is_standard_output() const {
    struct stat here {};
    struct stat standard {};
    return ::fstat(file_.get(), &here) == 0 && ::fstat(STDOUT_FILENO, &standard) == 0 && here.st_dev == standard.st_dev && here.st_ino == standard.st_ino;
}

Task<Result<void>> StreamSink::write(std::span<const std::byte> bytes) {
    out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!out_) co_return fail(Code::io, "cannot write to standard output");
    co_return Result<void>{};
}

}  // namespace millrace::cli
