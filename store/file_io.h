// Files by descriptor: whole writes, positioned reads, temporary files that vanish unless they are published.
//
// Every error names the path. A file that is missing where the store needs one is Code::io, never Code::not_found: that
// would read as "there is no such object".
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "core/descriptor.h"
#include "core/result.h"

namespace millrace::store {

// errno_error() with ENOENT and ENOTDIR as Code::io.
Error file_error(const std::string& action, int errno_value);

Result<void> write_all(int fd, std::span<const std::byte> bytes, const std::string& path);
// Up to a full buffer; fewer bytes only at the end of the file.
Result<std::size_t> read_at(int fd, std::span<std::byte> buffer, std::uint64_t offset, const std::string& path);
// With missing parents.
Result<void> make_folders(const std::string& path);
// Makes the names inside durable.
Result<void> sync_folder(const std::string& path);
// A published file, for reading. Code::not_found: it is there no more, or was given up while it was opened, and may be written over.
Result<Descriptor> open_published(const std::string& path);
// Writes a small file so that a crash leaves the old content or the new one; durable on return.
Result<void> replace_file(const std::string& path, const std::string& content);

// A file that is removed on destruction unless rename_to() succeeded.
class TempFile {
public:
    // Fails if the path exists.
    static Result<TempFile> create(std::string path);
    // One that is there, to be written over from its beginning. Code::conflict: somebody has it open, or it has another name.
    static Result<TempFile> over(std::string path);
    // Another name of a file, which must not be written to. Fails where the two are on different disks, or the file has too many names.
    static Result<TempFile> link(std::string path, const std::string& file);
    ~TempFile();
    TempFile(TempFile&&) noexcept = default;
    TempFile& operator=(TempFile&&) = delete;  // nothing would remove the file that was held

    // As much of it as it can, even where that is not all.
    Result<void> append(std::span<const std::byte> bytes);
    std::uint64_t size() const { return written_; }
    // The content becomes durable against power loss.
    Result<void> sync();
    // Creates the folders of the new path when they are missing.
    Result<void> rename_to(const std::string& path);

private:
    TempFile(std::string path, Descriptor file, std::uint64_t rest = 0) : path_(std::move(path)), file_(std::move(file)), end_before_(rest) {}
    // What it held before and was not written over goes.
    Result<void> cut_rest();

    std::string path_;
    Descriptor file_;  // closed: published or moved from, there is nothing to remove
    std::uint64_t written_ = 0;
    std::uint64_t end_before_;  // its size, unless that is what was written
};

}  // namespace millrace::store
