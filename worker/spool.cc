#include "worker/spool.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "core/file.h"
#include "runtime/child_environment.h"

namespace millrace::worker {
namespace {

constexpr std::size_t kSpoolHeldBytesMax = 1 << 20;

Result<void> write_all(int file, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t count = ::write(file, bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno_error("cannot write into the spool folder", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
}

class FileSource final : public Source {
public:
    FileSource(int file, std::uint64_t size) : file_(file), size_(size) {}
    std::optional<std::uint64_t> size() const override { return size_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        const ssize_t count = ::pread(file_, buffer.data(), buffer.size(), static_cast<off_t>(offset_));
        if (count < 0) co_return errno_error("cannot read from the spool folder", errno);
        offset_ += static_cast<std::uint64_t>(count);
        co_return static_cast<std::size_t>(count);
    }

private:
    int file_;
    std::uint64_t size_;
    std::uint64_t offset_ = 0;
};

}  // namespace

Result<SpoolFolder> SpoolFolder::open(const std::string& path) {
    std::error_code error;
    std::filesystem::remove_all(path, error);
    if (error) return errno_error("cannot empty " + path, error.value());
    MILLRACE_TRY(make_folder(path));
    return SpoolFolder(path);
}

Task<Result<void>> Spool::write(std::span<const std::byte> bytes) {
    if (!file_.is_open() && held_.size() + bytes.size() > kSpoolHeldBytesMax) {
        file_ = Descriptor(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        if (!file_.is_open()) co_return errno_error("cannot make a file in " + folder_, errno);
        MILLRACE_CO_TRY(write_all(file_.get(), as_bytes(held_)));
        held_ = {};
    }
    if (!file_.is_open()) {
        held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    } else {
        MILLRACE_CO_TRY(write_all(file_.get(), bytes));
    }
    size_ += bytes.size();
    co_return Result<void>{};
}

std::unique_ptr<Source> Spool::source() const {
    if (!file_.is_open()) return std::make_unique<MemorySource>(held_);
    return std::make_unique<FileSource>(file_.get(), size_);
}

Task<Result<std::unique_ptr<SpooledFile>>> SpooledFile::make(const SpoolFolder& folder, const std::string& object_name, Source& content) {
    std::unique_ptr<SpooledFile> made(new SpooledFile);
    std::string own_folder = folder.path() + "/XXXXXX";
    if (::mkdtemp(own_folder.data()) == nullptr) co_return errno_error("cannot make a folder in " + folder.path(), errno);
    made->folder_ = own_folder;
    made->path_ = own_folder + '/' + object_name.substr(object_name.rfind('/') + 1);
    const Descriptor file(::open(made->path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file.is_open()) co_return errno_error("cannot make " + made->path_, errno);
    class FileSink final : public Sink {
    public:
        explicit FileSink(int to) : to_(to) {}
        Task<Result<void>> write(std::span<const std::byte> bytes) override { co_return write_all(to_, bytes); }

    private:
        int to_;
    } sink(file.get());
    MILLRACE_CO_TRY(co_await pump(content, sink));
    co_return made;
}

SpooledFile::~SpooledFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
    if (!folder_.empty() && ::rmdir(folder_.c_str()) != 0) runtime::remove_folder(folder_);  // somebody put more into it
}

}  // namespace millrace::worker
