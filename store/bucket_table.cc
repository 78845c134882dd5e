#include "store/bucket_table.h"

#include <algorithm>

#include "core/check.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/names.h"
#include "state/families.h"
#include "store/object_index.h"

namespace millrace::store {
namespace {

constexpr auto kBuckets = state::target_family::buckets;

Error no_bucket(std::string_view name) {
    return fail(Code::not_found, "bucket \"ais://" + std::string(name) + "\" does not exist");
}

Error another_bucket(const BucketRef& wanted, bool is_taken) {
    return fail(Code::unavailable, "bucket \"ais://" + std::string(wanted.name) + "\" with uid " + std::string(wanted.uid) +
        " is not on this target" + (is_taken ? "; another has its name" : ""));
}

}  // namespace

// --- Bucket ---

Bucket::Bucket(std::string key, BucketRecord record, const Mountpaths& mountpaths, Sequence& sequence)
    : key_(std::move(key)), record_(std::move(record)) {
    for (const Mountpath& mountpath : mountpaths.all()) shelves_.emplace(mountpath.id, std::make_unique<Shelves>(sequence));
}

std::string Bucket::folder() const { return key_ + "/" + std::to_string(record_.generation); }

Result<std::shared_lock<std::shared_mutex>> Bucket::enter() {
    if (destroyed_) return no_bucket(key_);
    std::shared_lock lock(changes_);
    if (destroyed_) return no_bucket(key_);
    return lock;
}

Result<FileLocation> Bucket::place(const Mountpath& mountpath, std::string_view object_name) {
    const auto shelves = shelves_.find(mountpath.id);
    MILLRACE_CHECK(shelves != shelves_.end());
    MILLRACE_TRY_ASSIGN(const std::string path, shelves->second->place(object_name));
    return FileLocation{mountpath.id, folder() + "/" + path};
}

// --- BucketTable ---

Result<void> BucketTable::load() {
    state::Cursor cursor = kv_.cursor(kBuckets);
    for (cursor.seek(""); cursor.valid(); cursor.next()) {
        const std::string name(cursor.key());
        if (const auto valid = validate_bucket_name(name); !valid) {
            return fail(Code::corrupt, "the store lists a bucket with an impossible name: " + valid.error().context);
        }
        MILLRACE_TRY_ASSIGN(const BucketRecord record, decode_bucket(cursor.value(), "bucket '" + name + "'"));
        buckets_.emplace(name, std::make_shared<Bucket>(record.key.empty() ? name : record.key, record, mountpaths_, sequence_));
        if (!record.uid.empty()) names_[record.uid] = name;
    }
    return cursor.status();
}

Result<void> BucketTable::create(const std::string& name, std::uint64_t small_object_bytes_max, const std::string& uid) {
    MILLRACE_TRY(validate_bucket_name(name));
    if (small_object_bytes_max > kSmallObjectBytesMax) {
        return fail(Code::invalid_argument, "bucket '" + name + "': objects of more than " + std::to_string(kSmallObjectBytesMax) +
            " bytes are always files; choose a smaller small_object_bytes_max");
    }
    const std::lock_guard one_at_a_time(admin_mutex_);
    if (find(name)) return fail(Code::already_exists, "bucket \"ais://" + name + "\" exists already");
    MILLRACE_TRY_ASSIGN(const std::uint64_t generation, sequence_.take());
    BucketRecord record{small_object_bytes_max, unix_now_ns(), generation, uid};
    // A bucket that had this name before may still be found by it. No name contains a '~'.
    if (has_key(name)) record.key = name + '~' + std::to_string(generation);
    state::Batch batch;
    batch.put(kBuckets, name, encode(record));
    MILLRACE_TRY(kv_.write(std::move(batch), true));
    const std::unique_lock lock(mutex_);
    buckets_.emplace(name, std::make_shared<Bucket>(record.key.empty() ? name : record.key, record, mountpaths_, sequence_));
    if (!uid.empty()) names_[uid] = name;
    return {};
}

// In memory only: who calls it has it written down.
void BucketTable::identify(const std::string& name, const std::string& uid) {
    const std::unique_lock lock(mutex_);
    const auto found = buckets_.find(name);
    if (found == buckets_.end() || !found->second->record().uid.empty() || names_.contains(uid)) return;
    BucketRecord record = found->second->record();
    record.uid = uid;
    found->second = std::make_shared<Bucket>(found->second->key(), std::move(record), mountpaths_, sequence_);
    names_[uid] = name;
}

bool BucketTable::has_key(const std::string& key) const {
    const std::shared_lock lock(mutex_);
    return std::ranges::any_of(buckets_, [&](const auto& item) { return item.second->key() == key; });
}

std::optional<std::string> BucketTable::name_of_uid(const std::string& uid) const {
    const std::shared_lock lock(mutex_);
    const auto found = names_.find(uid);
    return found == names_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> BucketTable::rename(const std::vector<BucketRenaming>& renamings) {
    const std::lock_guard one_at_a_time(admin_mutex_);
    auto buckets = buckets_;  // nobody else changes it meanwhile
    auto names = names_;
    struct Moving {
        std::string uid, name;
        std::shared_ptr<Bucket> bucket;
    };
    std::vector<Moving> moving;
    state::Batch batch;
    for (const BucketRenaming& renaming : renamings) {
        MILLRACE_TRY(validate_bucket_name(renaming.to));
        const auto known = names.find(renaming.uid);
        const std::string from = known == names.end() ? renaming.from : known->second;
        const auto bucket = buckets.find(from);
        if (from == renaming.to || bucket == buckets.end()) continue;
        if (known == names.end() && !bucket->second->record().uid.empty()) continue;  // another has the name
        batch.erase(kBuckets, from);
        moving.push_back({renaming.uid, renaming.to, std::move(bucket->second)});
        names[renaming.uid] = renaming.to;
        buckets.erase(bucket);
    }
    if (moving.empty()) return {};
    for (const auto& [uid, name, bucket] : moving) {
        if (!buckets.emplace(name, bucket).second) return fail(Code::already_exists, "bucket '" + name + "' exists already");
        BucketRecord record = bucket->record();
        record.uid = uid;
        record.key = bucket->key();
        batch.put(kBuckets, name, encode(record));
    }
    MILLRACE_TRY(kv_.write(std::move(batch), true));
    const std::unique_lock lock(mutex_);
    buckets_ = std::move(buckets);
    names_ = std::move(names);
    return {};
}

Result<void> BucketTable::destroy(const std::string& name) {
    const std::lock_guard one_at_a_time(admin_mutex_);
    MILLRACE_TRY_ASSIGN(const std::shared_ptr<Bucket> bucket, find(name));
    bucket->destroyed_ = true;
    {
        const std::unique_lock no_changes(bucket->changes_);
        state::Batch batch;
        batch.erase(kBuckets, name);
        ObjectIndex::erase_bucket(batch, bucket->key());
        FolderRemover::mark(batch, bucket->folder());
        batch.use_reserve();
        if (const auto written = kv_.write(std::move(batch), true); !written) {
            bucket->destroyed_ = false;
            return written;
        }
        const std::unique_lock lock(mutex_);
        buckets_.erase(name);
        std::erase_if(names_, [&](const auto& item) { return item.second == name; });
    }
    remover_.remove_bucket(bucket->folder());
    return {};
}

Result<std::shared_ptr<Bucket>> BucketTable::find(const BucketRef& bucket) const {
    const std::shared_lock lock(mutex_);
    const auto found = buckets_.find(bucket.name);
    if (found == buckets_.end()) return bucket.uid.empty() ? no_bucket(bucket.name) : another_bucket(bucket, false);
    if (!bucket.uid.empty() && bucket.uid != found->second->record().uid) return another_bucket(bucket, true);
    return found->second;
}

Result<std::shared_ptr<Bucket>> BucketTable::find_generation(std::uint64_t generation) const {
    const std::shared_lock lock(mutex_);
    const auto found = std::ranges::find_if(buckets_, [&](const auto& item) { return item.second->record().generation == generation; });
    if (found == buckets_.end()) return fail(Code::not_found, "the bucket does not exist any more");
    return found->second;
}

std::vector<std::string> BucketTable::names() const {
    const std::shared_lock lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, bucket] : buckets_) names.push_back(name);
    return names;
}

}  // namespace millrace::store
