#include "store/local_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "core/descriptor.h"
#include "core/file_parts.h"
#include "core/hash.h"

namespace millrace::store {
namespace {

// A file up to this size is read when it is opened: sent as one piece, it costs its receiver and us fewer wake-ups.
constexpr std::uint64_t kFileInMemoryBytesMax = 128 * 1024;
// What a core's own cache holds costs less to copy than its pages to splice.
constexpr std::uint64_t kFromFileBytesMin = 4 * 1024 * 1024;

Error other_content(const std::string& label, std::uint64_t found, const ObjectInfo& info, const std::string& path) {
    const std::string where = path.empty() ? "" : " (file " + path + ")";
    return fail(Code::corrupt, label + " is damaged: its content has checksum " + checksum_text(found) + " instead of " + checksum_text(info.checksum) + where);
}

Result<void> check_content(const std::string& label, std::string_view content, const ObjectInfo& info, const std::string& path) {
    const std::uint64_t found = xxh64(content);
    if (found != info.checksum) return other_content(label, found, info, path);
    return {};
}

// What lies in memory as a whole, and was checked as far as that can be.
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
    Task<Result<void>> verify() final { co_return Result<void>{}; }

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
    // path, file: of the object, none for a part of it. Who reads it by its path relies on that it stays what it is.
    SmallFileReader(ObjectInfo info, std::string content, std::string path, Descriptor file)
        : MemoryReader(std::move(info)), content_(std::move(content)), path_(std::move(path)), file_(std::move(file)) {}

    std::string file_path() const override { return path_; }
    std::optional<std::string_view> whole() const override { return content_; }

private:
    std::string content_;
    std::string path_;
    Descriptor file_;
};

Error cut_short(const std::string& label, const std::string& path, std::uint64_t bytes, std::uint64_t size) {
    return fail(Code::corrupt, label + " is damaged: its file " + path + " ends at byte " + std::to_string(bytes) + " of " + std::to_string(size));
}

class FileReader final : public ObjectReader, public PartSource {
public:
    FileReader(ObjectInfo info, Descriptor file, std::string path, std::string label, std::uint64_t offset, std::uint64_t length)
        : info_(std::move(info)), file_(std::move(file)), path_(std::move(path)), label_(std::move(label)), position_(offset),
          end_(offset + length), length_(length) {}

    const ObjectInfo& info() const override { return info_; }
    std::string file_path() const override { return length_ == info_.size ? path_ : std::string(); }
    std::optional<std::uint64_t> size() const override { return length_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end_ - position_));
        co_return read_next(buffer.first(wanted));
    }
    // What has a sum is read for it, and then costs no more to send from memory; and what is sent is what was summed up.
    bool gives_parts() const override { return !is_whole() && length_ >= kFromFileBytesMin; }
    Result<FilePart> next_part(std::size_t bytes_max) override {
        struct stat status {};
        if (::fstat(file_.get(), &status) != 0) return file_error(label_ + ": stat " + path_, errno);
        const auto bytes = static_cast<std::uint64_t>(status.st_size);
        if (bytes < end_) return cut_short(label_, path_, bytes, info_.size);
        const FilePart part{file_.get(), position_, static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, end_ - position_))};
        position_ += part.length;
        return part;
    }
    Task<Result<void>> verify() override {
        std::vector<std::byte> chunk(is_whole() && position_ < end_ ? kBodyChunkBytes : 0);
        while (is_whole() && (position_ < end_ || damage_)) {
            const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.size(), end_ - position_));
            MILLRACE_CO_TRY(read_next(std::span(chunk).first(wanted)));
            co_await next_turn();
        }
        co_return Result<void>{};
    }

private:
    bool is_whole() const { return length_ == info_.size; }

    Result<std::size_t> read_next(std::span<std::byte> buffer) {
        if (damage_) return *damage_;
        if (buffer.empty()) return std::size_t{0};
        MILLRACE_TRY_ASSIGN(const std::size_t count, read_at(file_.get(), buffer, position_, path_));
        if (count < buffer.size()) return cut_short(label_, path_, position_ + count, info_.size);
        if (is_whole()) {
            const bool is_end = position_ + count == end_;
            checksum_.update(buffer);
            const std::uint64_t found = is_end ? checksum_.value() : info_.checksum;
            if (found != info_.checksum) return damage_.emplace(other_content(label_, found, info_, path_));
        }
        position_ += count;
        return count;
    }

    ObjectInfo info_;
    Descriptor file_;
    std::string path_;
    std::string label_;
    std::uint64_t position_;
    std::uint64_t end_;
    std::uint64_t length_;
    Checksum checksum_;            // of what was read of a whole content
    std::optional<Error> damage_;  // what the end of it turned out to be
};

Result<std::unique_ptr<ObjectReader>> open_file(const Mountpaths& mountpaths, const std::string& label, ObjectRecord record,
                                                std::uint64_t offset, std::uint64_t length) {
    auto path = mountpaths.path_of(record.location);
    if (!path) return path.error().during(label);
    auto file = open_published(*path);
    if (!file && file.error().code == Code::not_found) return fail(Code::corrupt, label + " is damaged: its file " + *path + " is gone");
    if (!file) return file.error().during(label);
    struct stat status {};
    if (::fstat(file->get(), &status) != 0) return file_error(label + ": stat " + *path, errno);
    if (static_cast<std::uint64_t>(status.st_size) != record.info.size) {
        return fail(Code::corrupt, label + " is damaged: its file " + *path + " has " + std::to_string(status.st_size) +
            " bytes instead of " + std::to_string(record.info.size));
    }
    if (length <= kFileInMemoryBytesMax) {
        std::string content;
        // No zeros before what is read. Of its own length: what libstdc++ 12 hands in is more when the string has to grow a little.
        content.resize_and_overwrite(length, [length](char*, std::size_t) { return length; });
        MILLRACE_TRY_ASSIGN(const std::size_t count, read_at(file->get(), std::as_writable_bytes(std::span(content)), offset, *path));
        if (count < length) return cut_short(label, *path, offset + count, record.info.size);
        if (length == record.info.size) MILLRACE_TRY(check_content(label, content, record.info, *path));
        const bool is_whole = length == record.info.size;
        return std::make_unique<SmallFileReader>(std::move(record.info), std::move(content), is_whole ? std::move(*path) : std::string(),
                                                 is_whole ? *std::move(file) : Descriptor());
    }
    return std::make_unique<FileReader>(std::move(record.info), *std::move(file), std::move(*path), label, offset, length);
}

}  // namespace

Result<std::unique_ptr<ObjectReader>> open_object(const ObjectIndex& index, const Mountpaths& mountpaths, const std::string& key,
                                                  const std::string& label, const ChoosePart& choose) {
    MILLRACE_TRY_ASSIGN(auto record, index.find(key));
    if (!record) return fail(Code::not_found, label + " does not exist");
    const std::uint64_t size = record->info.size;
    const Part part = choose(record->info);
    if (part.offset > size || part.length.value_or(0) > size - part.offset) {
        return fail(Code::range, label + " has " + std::to_string(size) + " bytes; the range of " +
            std::to_string(part.length.value_or(0)) + " bytes from " + std::to_string(part.offset) + " does not lie inside");
    }
    const std::uint64_t length = part.length.value_or(size - part.offset);
    if (!record->location.empty()) return open_file(mountpaths, label, std::move(*record), part.offset, length);
    MILLRACE_TRY_ASSIGN(auto content, index.content(key, *record));
    // A part of one that is not small at all is not worth the time of the whole.
    if (length == size || size <= kFileInMemoryBytesMax) MILLRACE_TRY(check_content(label, content.bytes(), record->info, ""));
    return std::make_unique<SmallReader>(std::move(record->info), std::move(content), part.offset, length);
}

std::vector<std::unique_ptr<ObjectReader>> open_objects(const ObjectIndex& index, const Mountpaths& mountpaths, std::span<const std::string> keys,
                                                        const std::function<std::string(std::size_t)>& label) {
    std::vector<std::unique_ptr<ObjectReader>> readers(keys.size());
    auto records = index.find_many(std::vector<std::string_view>(keys.begin(), keys.end()));
    std::vector<std::size_t> small;
    std::vector<std::string_view> small_keys;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (!records[i] || !*records[i]) continue;
        ObjectRecord& record = **records[i];
        if (record.location.empty()) {
            small.push_back(i);
            small_keys.push_back(keys[i]);
            continue;
        }
        const std::uint64_t size = record.info.size;
        auto file = open_file(mountpaths, label(i), std::move(record), 0, size);
        if (file) readers[i] = std::move(*file);
    }
    auto values = index.content_values(small_keys);
    for (std::size_t i = 0; i < small.size(); ++i) {
        ObjectInfo& info = (*records[small[i]])->info;
        auto content = SmallContent::of(std::move(values[i]), info);
        if (!content || xxh64(content->bytes()) != info.checksum) continue;
        const std::uint64_t size = info.size;
        readers[small[i]] = std::make_unique<SmallReader>(std::move(info), std::move(*content), 0, size);
    }
    return readers;
}

}  // namespace millrace::store
