// Where the bytes of a GET go: a file that appears whole or not at all, something that is there already and is written into, or a stream.
#pragma once
#include <sys/types.h>

#include <iosfwd>
#include <string>

#include "cli/local_path.h"
#include "core/body.h"
#include "core/descriptor.h"

namespace millrace::cli {

// Writes beside the final name and renames; whatever was not published is removed again.
class NewFile final : public Sink {
public:
    // A file of that name lends its mode and, where that is allowed, its owner to the one that will replace it.
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

// Writes into what is there: a device, a pipe, a descriptor that this process was given, a file that cannot be replaced.
class OpenOutput final : public Sink {
public:
    // Waits for the reader of a pipe. Requires that it is not replaceable.
    static Result<OpenOutput> open(LocalPath place);

    Task<Result<void>> write(std::span<const std::byte> bytes) override;
    // Once all was written.
    Result<void> finish();
    bool wrote() const { return wrote_; }
    // Whether it is what standard output is, too.
    bool is_standard_output() const;

private:
    OpenOutput(Descriptor file, std::string path, bool is_emptied);
    Result<void> begin();

    Descriptor file_;
    std::string path_;
    bool is_emptied_;  // before the first byte: a file that was opened by its name
    bool wrote_ = false;
};

class StreamSink final : public Sink {
public:
    explicit StreamSink(std::ostream& out) : out_(out) {}
    Task<Result<void>> write(std::span<const std::byte> bytes) override;

private:
    std::ostream& out_;
};

}  // namespace millrace::cli
