#include "store/file_io.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

namespace millrace::store {

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
    Descriptor file(::open(path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600));
    if (!file.is_open()) return file_error("create " + path, errno);
    return TempFile(std::move(path), std::move(file));
}

Result<TempFile> TempFile::link(std::string path, const std::string& file) {
    Descriptor opened(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.is_open()) return file_error("open " + file, errno);
    if (::link(file.c_str(), path.c_str()) != 0) return file_error("link " + path + " to " + file, errno);
    return TempFile(std::move(path), std::move(opened));
}

TempFile::~TempFile() {
    if (file_.is_open()) ::unlink(path_.c_str());
}

Result<void> TempFile::append(std::span<const std::byte> bytes) { return write_all(file_.get(), bytes, path_); }

Result<void> TempFile::sync() {
    if (::fdatasync(file_.get()) != 0) return file_error("sync " + path_, errno);
    return {};
}

Result<void> TempFile::rename_to(const std::string& path) {
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
