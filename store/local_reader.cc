#include "store/local_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace millrace::store {
namespace {

// A file up to this size is read when it is opened: sent as one piece, it costs its receiver and us fewer wake-ups.
constexpr std::uint64_t kFileInMemoryBytesMax = 128 * 1024;

// What lies in memory as a whole.
class MemoryReader : public ObjectReader {
public:
    const ObjectInfo& info() const final { return info_; }
    std::optional<std::uint64_t> size() const final { return whole()->size(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) final {
        const std::string_view rest = whole()->substr(position_);
        const std::size_t count = std::min(buffer.size(), rest.size());
        if (count > 0) std::memcpy(buffer.data(), rest.data(), count);
        position_ += count;
        co_return count;
    }

protected:
    explicit MemoryReader(ObjectInfo info) : info_(std::move(info)) {}

private:
    ObjectInfo info_;
    std::size_t position_ = 0;
};

class SmallReader final : public MemoryReader {
public:
    SmallReader(ObjectInfo info, SmallContent content, std::uint64_t offset, std::uint64_t length)
        : MemoryReader(std::move(info)), content_(std::move(content)), from_(offset), length_(length) {}

    std::string file_path() const override { return {}; }
    std::optional<std::string_view> whole() const override { return content_.bytes().substr(from_, length_); }

private:
    SmallContent content_;
    std::uint64_t from_;
    std::uint64_t length_;
};

class SmallFileReader final : public MemoryReader {
public:
    // path: of the object, empty for a part of it.
    SmallFileReader(ObjectInfo info, std::string content, std::string path)
        : MemoryReader(std::move(info)), content_(std::move(content)), path_(std::move(path)) {}

    std::string file_path() const override { return path_; }
    std::optional<std::string_view> whole() const override { return content_; }

private:
    std::string content_;
    std::string path_;
};

Error cut_short(const std::string& label, const std::string& path, std::uint64_t bytes, std::uint64_t size) {
    return fail(Code::corrupt, label + " is damaged: its file " + path + " ends at byte " + std::to_string(bytes) + " of " + std::to_string(size));
}

class FileReader final : public ObjectReader {
public:
    FileReader(ObjectInfo info, FileDescriptor file, std::string path, std::string label, std::uint64_t offset, std::uint64_t length)
        : info_(std::move(info)), file_(std::move(file)), path_(std::move(path)), label_(std::move(label)), position_(offset),
          end_(offset + length), length_(length) {}

    const ObjectInfo& info() const override { return info_; }
    std::string file_path() const override { return length_ == info_.size ? path_ : std::string(); }
    std::optional<std::uint64_t> size() const override { return length_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end_ - position_));
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, read_at(file_.get(), buffer.first(wanted), position_, path_));
        if (count < wanted) co_return cut_short(label_, path_, position_ + count, info_.size);
        position_ += count;
        co_return count;
    }

private:
    ObjectInfo info_;
    FileDescriptor file_;
    std::string path_;
    std::string label_;
    std::uint64_t position_;
    std::uint64_t end_;
    std::uint64_t length_;
};

Result<std::unique_ptr<ObjectReader>> open_file(const Mountpaths& mountpaths, const std::string& label, ObjectRecord record,
                                                std::uint64_t offset, std::uint64_t length) {
    auto path = mountpaths.path_of(record.location);
    if (!path) return path.error().during(label);
    FileDescriptor file(::open(path->c_str(), O_RDONLY | O_CLOEXEC));
    if (!file.is_open() && (errno == ENOENT || errno == ENOTDIR)) {
        return fail(Code::corrupt, label + " is damaged: its file " + *path + " is gone");
    }
    if (!file.is_open()) return file_error(label + ": open " + *path, errno);
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return file_error(label + ": stat " + *path, errno);
    if (static_cast<std::uint64_t>(status.st_size) != record.info.size) {
        return fail(Code::corrupt, label + " is damaged: its file " + *path + " has " + std::to_string(status.st_size) +
            " bytes instead of " + std::to_string(record.info.size));
    }
    if (length <= kFileInMemoryBytesMax) {
        std::string content(length, '\0');
        MILLRACE_TRY_ASSIGN(const std::size_t count, read_at(file.get(), std::as_writable_bytes(std::span(content)), offset, *path));
        if (count < length) return cut_short(label, *path, offset + count, record.info.size);
        std::string whole_path = length == record.info.size ? std::move(*path) : std::string();
        return std::make_unique<SmallFileReader>(std::move(record.info), std::move(content), std::move(whole_path));
    }
    return std::make_unique<FileReader>(std::move(record.info), std::move(file), std::move(*path), label, offset, length);
}

}  // namespace

Result<std::unique_ptr<ObjectReader>> open_object(const ObjectIndex& index, const Mountpaths& mountpaths, const std::string& key,
                                                  const std::string& label, Part part) {
    MILLRACE_TRY_ASSIGN(auto record, index.find(key));
    if (!record) return fail(Code::not_found, label + " does not exist");
    const std::uint64_t size = record->info.size;
    if (part.offset > size || part.length.value_or(0) > size - part.offset) {
        return fail(Code::range, label + " has " + std::to_string(size) + " bytes; the range of " +
            std::to_string(part.length.value_or(0)) + " bytes from " + std::to_string(part.offset) + " does not lie inside");
    }
    const std::uint64_t length = part.length.value_or(size - part.offset);
    if (!record->location.empty()) return open_file(mountpaths, label, std::move(*record), part.offset, length);
    MILLRACE_TRY_ASSIGN(auto content, index.content(key, *record));
    return std::make_unique<SmallReader>(std::move(record->info), std::move(content), part.offset, length);
}

}  // namespace millrace::store
