// Keys, records and small contents of objects in the database.
//
// A small content carries the version of its object in front, so that a record and a content that were read one after the
// other are known to belong together. Any thread.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "state/kv.h"
#include "store/object_record.h"

namespace millrace::store {

// bucket \0 name. Names hold no NUL, so buckets do not mix and the order is that of the names' bytes.
std::string object_key(std::string_view bucket, std::string_view name);
// For messages: object "ais://photos/a/b.txt".
std::string object_label(std::string_view object_key);

// A small content as it was read, with its version still in front of the bytes.
class SmallContent {
public:
    using Value = Result<std::optional<std::string>>;

    // Of what the database has under the object's key. Code::corrupt when that is not of this version and size.
    static Result<SmallContent> of(Value value, const ObjectInfo& info);
    std::string_view bytes() const;

private:
    explicit SmallContent(std::string value) : value_(std::move(value)) {}

    std::string value_;
};

class ObjectIndex {
public:
    explicit ObjectIndex(const state::Kv& kv) : kv_(kv) {}

    static void put(state::Batch& batch, std::string_view key, const ObjectRecord& record);
    // The content stays until the batch was written: it is not copied.
    static void put_content(state::Batch& batch, std::string_view key, std::uint64_t version, std::string_view content);
    static void erase(state::Batch& batch, std::string_view key);
    static void erase_content(state::Batch& batch, std::string_view key);
    static void erase_bucket(state::Batch& batch, std::string_view bucket);

    Result<std::optional<ObjectRecord>> find(std::string_view key) const;
    // The same of many, in the order of the keys.
    std::vector<Result<std::optional<ObjectRecord>>> find_many(std::span<const std::string_view> keys) const;
    // The content that belongs to the record. Code::corrupt when there is none of that version and size.
    Result<SmallContent> content(std::string_view key, const ObjectRecord& record) const;
    // What SmallContent::of() takes, of many, in the order of the keys.
    std::vector<SmallContent::Value> content_values(std::span<const std::string_view> keys) const;
    // See ObjectStore::scan().
    Result<ScanPage> scan(std::string_view bucket, std::string_view prefix, std::string_view after, std::size_t objects_max) const;

private:
    const state::Kv& kv_;
};

}  // namespace millrace::store
