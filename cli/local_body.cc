#include "cli/local_body.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <istream>
#include <vector>

#include "core/descriptor.h"
#include "core/hash.h"

namespace millrace::cli {
namespace {

// What a file is taken for as long as it stays the same.
struct Condition {
    dev_t device = 0;
    ino_t number = 0;
    off_t size = 0;
    std::int64_t modified_s = 0;
    std::int64_t modified_ns = 0;

    bool operator==(const Condition&) const = default;

    // Whether it is the file that it was, with the bytes that were read then. What the system makes up (a size that is not that of the
    // content) says nothing by its times.
    bool is_as_before(const Condition& before, std::uint64_t bytes_read) const {
        const bool is_measured = static_cast<std::uint64_t>(before.size) == bytes_read;
        return is_measured ? *this == before : size == before.size;
    }
};

Result<Condition> condition_of(int fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return errno_error("cannot read " + path, errno);
    if (!S_ISREG(status.st_mode)) return fail(Code::invalid_argument, path + " is not a regular file any more");
    return Condition{status.st_dev, status.st_ino, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
}

Error changed(const std::string& path) {
    return fail(Code::io, path + " changed while it was read; nothing of it is stored. Put it again once nobody writes it");
}

Result<Descriptor> open_to_read(const std::string& path) {
    // Without O_NONBLOCK, opening what became a FIFO meanwhile waits for its writer.
    Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.is_open()) return errno_error("cannot open " + path, errno);
    return fd;
}

// Some bytes, 0 at the end.
Result<std::size_t> read_some(int fd, std::span<std::byte> buffer, const std::string& path) {
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno != EINTR) return errno_error("cannot read " + path, errno);
    }
}

// Waits where whoever shares the descriptor made it one that does not wait.
Result<std::size_t> wait_and_read_some(int fd, std::span<std::byte> buffer, const std::string& path) {
    for (;;) {
        const ssize_t count = ::read(fd, buffer.data(), buffer.size());
        if (count >= 0) return static_cast<std::size_t>(count);
        if (errno == EAGAIN) {
            pollfd more{fd, POLLIN, 0};
            (void)::poll(&more, 1, -1);
        } else if (errno != EINTR) {
            return errno_error("cannot read " + path, errno);
        }
    }
}

// A file that was read before, and must be the same file with the same content still.
class FileSource final : public Source {
public:
    static Result<std::unique_ptr<Source>> open(const std::string& path, std::uint64_t bytes, const Condition& before) {
        MILLRACE_TRY_ASSIGN(Descriptor fd, open_to_read(path));
        auto source = std::make_unique<FileSource>(std::move(fd), path, bytes, before);
        MILLRACE_TRY(source->check_unchanged());
        return std::unique_ptr<Source>(std::move(source));
    }
    FileSource(Descriptor fd, std::string path, std::uint64_t bytes, const Condition& before)
        : fd_(std::move(fd)), path_(std::move(path)), bytes_(bytes), left_(bytes), before_(before) {}

    std::optional<std::uint64_t> size() const override { return bytes_; }

    // The last piece is not given out before it is clear that nothing has changed: without it nothing is stored.
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        if (left_ == 0) co_return std::size_t{0};
        const auto wanted = buffer.first(static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), left_)));
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, read_some(fd_.get(), wanted, path_));
        if (count == 0) co_return changed(path_);
        left_ -= count;
        if (left_ == 0) MILLRACE_CO_TRY(check_end());
        co_return count;
    }

    Result<void> check_unchanged() const {
        MILLRACE_TRY_ASSIGN(const Condition now, condition_of(fd_.get(), path_));
        if (!now.is_as_before(before_, bytes_)) return changed(path_);
        return {};
    }

private:
    Result<void> check_end() const {
        std::byte more{};
        MILLRACE_TRY_ASSIGN(const std::size_t count, read_some(fd_.get(), std::span(&more, 1), path_));
        if (count != 0) return changed(path_);
        return check_unchanged();
    }

    Descriptor fd_;
    std::string path_;
    std::uint64_t bytes_;
    std::uint64_t left_;
    Condition before_;
};

// What there is by now goes out, however slowly it comes.
class InputSource final : public Source {
public:
    InputSource(std::shared_ptr<const Descriptor> owner, int fd, std::string name, std::shared_ptr<bool> started)
        : owner_(std::move(owner)), fd_(fd), name_(std::move(name)), started_(std::move(started)) {}

    std::optional<std::uint64_t> size() const override { return std::nullopt; }

    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        *started_ = true;
        co_return wait_and_read_some(fd_, buffer, name_);
    }

private:
    std::shared_ptr<const Descriptor> owner_;  // null: the descriptor outlives this
    int fd_;
    std::string name_;
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

// Sent once, whatever it is made from.
LocalBody body_of_stream(std::string name, std::function<std::unique_ptr<Source>(std::shared_ptr<bool> started)> make) {
    LocalBody body;
    body.make = [name = std::move(name), make = std::move(make), started = std::make_shared<bool>(false)]() -> Result<std::unique_ptr<Source>> {
        if (*started) return fail(Code::io, "the upload broke off, and " + name + " cannot be read a second time");
        return make(started);
    };
    return body;
}

}  // namespace

Result<LocalBody> file_body(const std::string& path) {
    MILLRACE_TRY_ASSIGN(const Descriptor fd, open_to_read(path));
    MILLRACE_TRY_ASSIGN(const Condition before, condition_of(fd.get(), path));
    LocalBody body;
    body.size_known = true;
    std::string content;
    std::vector<std::byte> chunk(static_cast<std::size_t>(std::clamp<off_t>(before.size + 1, 4096, kBodyChunkBytes)));
    Checksum checksum;
    for (;;) {
        MILLRACE_TRY_ASSIGN(const std::size_t count, read_some(fd.get(), chunk, path));
        if (count == 0) break;
        checksum.update(std::span(chunk).first(count));
        body.bytes += count;
        if (body.bytes <= kBodyChunkBytes) content.append(reinterpret_cast<const char*>(chunk.data()), count);
        if (before.size > 0 && body.bytes > static_cast<std::uint64_t>(before.size)) return changed(path);  // somebody may append without end
    }
    MILLRACE_TRY_ASSIGN(const Condition after, condition_of(fd.get(), path));
    if (!after.is_as_before(before, body.bytes)) return changed(path);
    body.checksum = checksum_text(checksum.value());
    if (body.bytes <= kBodyChunkBytes) {
        body.make = text_body(std::move(content));
        return body;
    }
    body.make = [path, bytes = body.bytes, before] { return FileSource::open(path, bytes, before); };
    return body;
}

LocalBody stream_body(std::istream& in) {
    return body_of_stream("standard input", [&in](std::shared_ptr<bool> started) -> std::unique_ptr<Source> {
        if (&in == &std::cin) return std::make_unique<InputSource>(nullptr, STDIN_FILENO, "standard input", std::move(started));
        return std::make_unique<StreamSource>(in, std::move(started));
    });
}

Result<LocalBody> stream_body(LocalPath place) {
    if (!place.own.is_open()) place.own = Descriptor(::open(place.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (!place.own.is_open()) return errno_error("cannot open " + place.path, errno);
    const auto fd = std::make_shared<const Descriptor>(std::move(place.own));
    return body_of_stream(place.path, [fd, path = place.path](std::shared_ptr<bool> started) -> std::unique_ptr<Source> {
        return std::make_unique<InputSource>(fd, fd->get(), path, std::move(started));
    });
}

}  // namespace millrace::cli
