#include "cli/local_body.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <istream>
#include <vector>

#include "core/descriptor.h"
#include "core/hash.h"

namespace millrace::cli {
namespace {

struct OpenFile {
    Descriptor fd;
    std::uint64_t bytes = 0;
};

Result<OpenFile> open_regular(const std::string& path) {
    // Without O_NONBLOCK, opening a FIFO waits for its writer.
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) return errno_error("cannot open " + path, errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return errno_error("cannot read " + path, errno);
    if (!S_ISREG(status.st_mode)) {
        return fail(Code::invalid_argument, path + " is not a regular file; to send a stream: millrace put - …");
    }
    return OpenFile{std::move(fd), static_cast<std::uint64_t>(status.st_size)};
}

// Some bytes, 0 at the end.
Result<std::size_t> read_some(int fd, std::span<std::byte> buffer, const std::string& path) {
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno != EINTR) return errno_error("cannot read " + path, errno);
    }
}

class FileSource final : public Source {
public:
    FileSource(OpenFile file, std::string path) : file_(std::move(file)), path_(std::move(path)), left_(file_.bytes) {}

    std::optional<std::uint64_t> size() const override { return file_.bytes; }

    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        if (left_ == 0) co_return std::size_t{0};
        const auto wanted = buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left_)));
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, read_some(file_.fd.get(), wanted, path_));
        if (count == 0) co_return fail(Code::io, path_ + " became shorter while it was sent");
        left_ -= count;
        co_return count;
    }

private:
    OpenFile file_;
    std::string path_;
    std::uint64_t left_;
};

// Standard input: what there is by now goes out, however slowly it comes.
class InputSource final : public Source {
public:
    explicit InputSource(std::shared_ptr<bool> started) : started_(std::move(started)) {}

    std::optional<std::uint64_t> size() const override { return std::nullopt; }

    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        *started_ = true;
        co_return read_some(STDIN_FILENO, buffer, "standard input");
    }

private:
    std::shared_ptr<bool> started_;
};

class StreamSource final : public Source {
public:
    StreamSource(std::istream& in, std::shared_ptr<bool> started) : in_(in), started_(std::move(started)) {}

    std::optional<std::uint64_t> size() const override { return std::nullopt; }

    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        *started_ = true;
        in_.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(buffer.size()));
        if (in_.bad()) co_return fail(Code::io, "cannot read standard input");
        co_return static_cast<std::size_t>(in_.gcount());
    }

private:
    std::istream& in_;
    std::shared_ptr<bool> started_;
};

}  // namespace

Result<LocalBody> file_body(const std::string& path) {
    MILLRACE_TRY_ASSIGN(OpenFile file, open_regular(path));
    LocalBody body;
    body.bytes = file.bytes;
    body.size_known = true;
    std::string content;
    std::vector<std::byte> chunk(static_cast<std::size_t>(std::min<std::uint64_t>(file.bytes, kBodyChunkBytes)));
    Checksum checksum;
    for (std::uint64_t left = file.bytes; left > 0;) {
        const auto wanted = std::span(chunk).first(static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), left)));
        MILLRACE_TRY_ASSIGN(const std::size_t count, read_some(file.fd.get(), wanted, path));
        if (count == 0) return fail(Code::io, path + " became shorter while it was read");
        checksum.update(std::span(chunk).first(count));
        if (file.bytes <= kBodyChunkBytes) content.append(reinterpret_cast<const char*>(chunk.data()), count);
        left -= count;
    }
    body.checksum = checksum_text(checksum.value());
    if (file.bytes <= kBodyChunkBytes) {
        body.make = text_body(std::move(content));
        return body;
    }
    body.make = [path, bytes = file.bytes]() -> Result<std::unique_ptr<Source>> {
        MILLRACE_TRY_ASSIGN(OpenFile again, open_regular(path));
        if (again.bytes != bytes) return fail(Code::io, path + " changed while it was sent");
        return std::make_unique<FileSource>(std::move(again), path);
    };
    return body;
}

LocalBody stream_body(std::istream& in) {
    LocalBody body;
    body.make = [&in, started = std::make_shared<bool>(false)]() -> Result<std::unique_ptr<Source>> {
        if (*started) return fail(Code::io, "the upload broke off, and standard input cannot be read a second time");
        if (&in == &std::cin) return std::make_unique<InputSource>(started);
        return std::make_unique<StreamSource>(in, started);
    };
    return body;
}

}  // namespace millrace::cli
