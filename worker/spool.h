// Bodies that wait on this target for a moment: what one transform of a chain has made for the next, and small objects for
// transforms that insist on a file. Files of a folder that is emptied at every start.
//
// Used by one task at a time; a write or read of a file blocks for microseconds.
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "core/body.h"
#include "core/descriptor.h"
#include "core/result.h"

namespace millrace::worker {

class SpoolFolder {
public:
    // Makes the folder, or empties it.
    static Result<SpoolFolder> open(const std::string& path);
    const std::string& path() const { return path_; }

private:
    explicit SpoolFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

// A body of any size, written once and then read once. Up to a megabyte it stays in memory.
class Spool final : public Sink {
public:
    explicit Spool(const SpoolFolder& folder) : folder_(folder.path()) {}

    Task<Result<void>> write(std::span<const std::byte> bytes) override;
    // Valid while the spool lives; nothing may be written any more.
    std::unique_ptr<Source> source() const;

private:
    const std::string folder_;
    std::string held_;
    std::uint64_t size_ = 0;
    Descriptor file_;  // without a name; not open: everything is held
};

// A file with the content of a body, under the base name of an object, that goes away with this.
class SpooledFile {
public:
    static Task<Result<std::unique_ptr<SpooledFile>>> make(const SpoolFolder& folder, const std::string& object_name, Source& content);
    ~SpooledFile();
    SpooledFile(const SpooledFile&) = delete;
    const std::string& path() const { return path_; }

private:
    SpooledFile() = default;
    std::string folder_;  // of this file alone
    std::string path_;
};

}  // namespace millrace::worker
