#include "store/object_index.h"

#include <algorithm>

#include "state/families.h"

namespace millrace::store {
namespace {

constexpr auto kObjects = state::target_family::objects;
constexpr auto kBodies = state::target_family::bodies;
constexpr std::size_t kVersionBytes = 8;

std::string version_text(std::uint64_t version) {
    std::string bytes(kVersionBytes, '\0');
    for (std::size_t i = 0; i < kVersionBytes; ++i) bytes[i] = static_cast<char>(version >> (8 * (kVersionBytes - 1 - i)));
    return bytes;
}

// The name is only put together for an error: that costs as much as reading the record.
Result<ObjectRecord> decode_of(std::string_view key, std::string_view bytes) {
    auto record = decode_object(bytes, "");
    if (!record) return decode_object(bytes, object_label(key)).error();
    return record;
}

Result<std::optional<ObjectRecord>> record_of(const Result<std::optional<std::string>>& value, std::string_view key) {
    if (!value) return value.error();
    if (!*value) return std::optional<ObjectRecord>();
    MILLRACE_TRY_ASSIGN(ObjectRecord record, decode_of(key, **value));
    return std::optional(std::move(record));
}

}  // namespace

std::string object_key(std::string_view bucket, std::string_view name) {
    std::string key;
    key.reserve(bucket.size() + 1 + name.size());
    key.append(bucket).append(1, '\0').append(name);
    return key;
}

std::string object_label(std::string_view object_key) {
    const std::size_t nul = std::min(object_key.find('\0'), object_key.size());
    const std::string_view name = nul < object_key.size() ? object_key.substr(nul + 1) : "";
    return "object \"ais://" + std::string(object_key.substr(0, nul)) + "/" + std::string(name) + "\"";
}

Result<SmallContent> SmallContent::of(Value value, const ObjectInfo& info) {
    if (!value) return std::move(value).error();
    const auto damaged = [](std::string why) { return fail(Code::corrupt, std::move(why)); };
    if (!*value) return damaged("its content is gone from the database");
    std::string& bytes = **value;
    if (bytes.size() < kVersionBytes || !bytes.starts_with(version_text(info.version))) {
        return damaged("the content in the database is that of another version");
    }
    if (bytes.size() - kVersionBytes != info.size) {
        return damaged("the content in the database has " + std::to_string(bytes.size() - kVersionBytes) + " bytes instead of " + std::to_string(info.size));
    }
    return SmallContent(std::move(bytes));
}

std::string_view SmallContent::bytes() const { return std::string_view(value_).substr(kVersionBytes); }

void ObjectIndex::put(state::Batch& batch, std::string_view key, const ObjectRecord& record) {
    batch.put(kObjects, key, encode(record));
}

void ObjectIndex::put_content(state::Batch& batch, std::string_view key, std::uint64_t version, std::string_view content) {
    batch.put(kBodies, key, version_text(version), content);
}

void ObjectIndex::erase(state::Batch& batch, std::string_view key) { batch.erase(kObjects, key); }
void ObjectIndex::erase_content(state::Batch& batch, std::string_view key) { batch.erase(kBodies, key); }

void ObjectIndex::erase_bucket(state::Batch& batch, std::string_view bucket) {
    const std::string from = object_key(bucket, "");
    const std::string to = state::prefix_end(from);
    batch.erase_range(kObjects, from, to);
    batch.erase_range(kBodies, from, to);
}

Result<std::optional<ObjectRecord>> ObjectIndex::find(std::string_view key) const { return record_of(kv_.get(kObjects, key), key); }

std::vector<Result<std::optional<ObjectRecord>>> ObjectIndex::find_many(std::span<const std::string_view> keys) const {
    std::vector<Result<std::optional<ObjectRecord>>> records;
    records.reserve(keys.size());
    const auto values = kv_.get_many(kObjects, keys);
    for (std::size_t i = 0; i < keys.size(); ++i) records.push_back(record_of(values[i], keys[i]));
    return records;
}

Result<SmallContent> ObjectIndex::content(std::string_view key, const ObjectRecord& record) const {
    auto content = SmallContent::of(kv_.get(kBodies, key), record.info);
    if (content || content.error().code != Code::corrupt) return content;
    return fail(Code::corrupt, object_label(key) + " is damaged: " + content.error().context);
}

std::vector<SmallContent::Value> ObjectIndex::content_values(std::span<const std::string_view> keys) const { return kv_.get_many(kBodies, keys); }

Result<ScanPage> ObjectIndex::scan(std::string_view bucket, std::string_view prefix, std::string_view after,
                                   std::size_t objects_max) const {
    const std::string first = object_key(bucket, prefix);
    state::Cursor cursor = kv_.cursor(kObjects, state::prefix_end(first));
    // The smallest key behind `after` is `after` with a NUL.
    cursor.seek(after.empty() ? first : std::max(first, object_key(bucket, after) + '\0'));
    const std::size_t bucket_bytes = bucket.size() + 1;
    ScanPage page;
    for (; cursor.valid() && page.objects.size() < objects_max; cursor.next()) {
        MILLRACE_TRY_ASSIGN(ObjectRecord record, decode_of(cursor.key(), cursor.value()));
        page.objects.push_back({std::string(cursor.key().substr(bucket_bytes)), std::move(record.info)});
    }
    MILLRACE_TRY(cursor.status());
    page.at_end = !cursor.valid();
    return page;
}

}  // namespace millrace::store
