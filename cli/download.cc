#include "cli/download.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <utility>

namespace millrace::cli {

Result<NewFile> NewFile::create(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == path.npos ? "" : path.substr(0, slash + 1);
    std::string temporary = folder + ".millrace-get-XXXXXX";
    Descriptor fd(::mkstemp(temporary.data()));
    if (!fd.is_open()) return errno_error("cannot write into " + (folder.empty() ? "the current folder" : folder), errno);
    NewFile file(std::move(fd), path, std::move(temporary));
    // mkstemp makes a private file; a fetched one gets the usual permissions.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(file.file_.get(), 0666 & ~mask) != 0) return errno_error("cannot set the permissions of " + path, errno);
    return file;
}

NewFile::NewFile(Descriptor file, std::string path, std::string temporary)
    : file_(std::move(file)), path_(std::move(path)), temporary_(std::move(temporary)) {}

NewFile::NewFile(NewFile&& other) noexcept
    : file_(std::move(other.file_)), path_(std::move(other.path_)), temporary_(std::exchange(other.temporary_, "")) {}

NewFile::~NewFile() {
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Task<Result<void>> NewFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(file_.get(), bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) co_return errno_error("cannot write " + path_, errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
    co_return Result<void>{};
}

Result<void> NewFile::publish() {
    if (::close(file_.release()) != 0) return errno_error("cannot write " + path_, errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return errno_error("cannot write " + path_, errno);
    temporary_.clear();
    return {};
}

Task<Result<void>> StreamSink::write(std::span<const std::byte> bytes) {
    out_.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!out_) co_return fail(Code::io, "cannot write to standard output");
    co_return Result<void>{};
}

}  // namespace millrace::cli
