// Takes the content of one object: in memory while it is small, in a temporary file from there on.
//
// One task at a time; blocks for the time of a write() to the page cache.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "core/hash.h"
#include "store/object_store.h"
#include "store/publisher.h"

namespace millrace::store {

class LocalWriter final : public ObjectWriter {
public:
    // mountpaths and publisher outlive the writer.
    LocalWriter(std::shared_ptr<Bucket> bucket, std::string name, WriteOptions options, const Mountpaths& mountpaths,
                Publisher& publisher);

    Task<Result<void>> write(std::span<const std::byte> bytes) override;
    Task<Result<ObjectInfo>> commit() override;

private:
    Result<void> append(std::span<const std::byte> bytes);
    Result<void> to_file(std::span<const std::byte> bytes);
    Result<void> spill();
    Result<TempFile> temp_file();
    Result<void> check_usable() const;
    Result<void> check_whole() const;
    ObjectInfo info();
    std::string label() const;

    std::shared_ptr<Bucket> bucket_;
    std::string name_;
    WriteOptions options_;
    const Mountpaths& mountpaths_;
    Publisher& publisher_;

    Content content_;
    bool shares_file_ = false;      // the file has all that is going to be written
    Checksum checksum_;
    std::uint64_t size_ = 0;
    bool committed_ = false;
    std::optional<Error> failure_;  // why nothing more can be done with this writer
};

}  // namespace millrace::store
