// What the database keeps about an object and about a bucket, and the only way to read it back. Pure.
// state/FORMAT.md describes both, byte by byte.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.h"
#include "store/object_store.h"

namespace millrace::store {

inline constexpr std::size_t kRecordBytesMax = 256 * 1024;
// Bounds of an object's custom metadata, so that it fits into a header even when it is encoded.
inline constexpr std::size_t kCustomBytesMax = 16 * 1024;
inline constexpr std::size_t kCustomEntriesMax = 256;

// Where a file with an object's content lies.
struct FileLocation {
    std::string mountpath;  // its id; empty: there is no file
    std::string file;       // relative to the mountpath's folder of objects

    bool empty() const { return mountpath.empty(); }
    friend bool operator==(const FileLocation&, const FileLocation&) = default;
};

struct ObjectRecord {
    ObjectInfo info;
    FileLocation location;  // empty: the content is in the family of bodies
};

struct BucketRecord {
    std::uint64_t small_object_bytes_max = 0;
    std::int64_t created_unix_ns = 0;
    std::uint64_t generation = 0;  // tells a bucket from an earlier one of the same name
    std::string uid{};             // once it was renamed: the name that never changes
    std::string key{};             // what keys and folders call it; empty: its name

    friend bool operator==(const BucketRecord&, const BucketRecord&) = default;
};

std::string encode(const ObjectRecord& record);
std::string encode(const BucketRecord& record);
// Code::corrupt for anything that encode() does not make, Code::unsupported_version for a newer record. `what` says in the
// error whose record it is.
Result<ObjectRecord> decode_object(std::string_view bytes, const std::string& what);
Result<BucketRecord> decode_bucket(std::string_view bytes, const std::string& what);

// Code::too_large beyond the bounds, Code::invalid_argument for what is no text.
Result<void> validate_custom(const std::map<std::string, std::string>& custom);

// Relative, not empty, without empty, "." and ".." components: cannot lead out of a folder.
bool is_inner_path(std::string_view path);

}  // namespace millrace::store
