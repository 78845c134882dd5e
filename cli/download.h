// Where the bytes of a GET go: a file that appears whole or not at all, or a stream.
#pragma once
#include <iosfwd>
#include <string>

#include "core/body.h"
#include "core/descriptor.h"

namespace millrace::cli {

// Writes beside the final name and renames; whatever was not published is removed again.
class NewFile final : public Sink {
public:
    static Result<NewFile> create(const std::string& path);
    NewFile(NewFile&& other) noexcept;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    Task<Result<void>> write(std::span<const std::byte> bytes) override;
    // Requires that nothing is written afterwards. Replaces a file of that name.
    Result<void> publish();

private:
    NewFile(Descriptor file, std::string path, std::string temporary);

    Descriptor file_;
    std::string path_;
    std::string temporary_;  // empty once renamed
};

class StreamSink final : public Sink {
public:
    explicit StreamSink(std::ostream& out) : out_(out) {}
    Task<Result<void>> write(std::span<const std::byte> bytes) override;

private:
    std::ostream& out_;
};

}  // namespace millrace::cli
