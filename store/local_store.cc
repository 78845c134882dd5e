#include "store/local_store.h"

#include <filesystem>

#include <algorithm>

#include "core/gather.h"
#include "core/hash.h"
#include "core/names.h"
#include "store/local_writer.h"

namespace millrace::store {
namespace {

constexpr std::size_t kPageObjectsMax = 10'000;

// By the bucket's name: its key may be another.
Error no_object(const BucketRef& bucket, const std::string& name) {
    return fail(Code::not_found, object_label(object_key(bucket.name, name)) + " does not exist");
}

}  // namespace

LocalStore::LocalStore(state::Kv& kv, Mountpaths mountpaths, std::unique_ptr<Sequence> sequence, const LocalStoreOptions& options)
    : mountpaths_(std::move(mountpaths)),
      sequence_(std::move(sequence)),
      index_(kv),
      remover_(kv, mountpaths_),
      buckets_(kv, mountpaths_, *sequence_, remover_),
      durability_(kv, mountpaths_, index_, names_, options.unlink_delay),
      publisher_(kv, mountpaths_, index_, *sequence_, durability_, names_),
      drafts_(kv, mountpaths_, buckets_, index_, publisher_, durability_, remover_, options.drafts) {}

Result<std::unique_ptr<LocalStore>> LocalStore::open(const LocalStoreOptions& options, state::Kv& kv) {
    const std::vector<std::string> folders = options.mountpaths.empty() ? std::vector{options.folder} : options.mountpaths;
    MILLRACE_TRY_ASSIGN(Mountpaths mountpaths, Mountpaths::open(folders, kv));
    MILLRACE_TRY_ASSIGN(auto sequence, Sequence::open(kv));
    std::unique_ptr<LocalStore> store(new LocalStore(kv, std::move(mountpaths), std::move(sequence), options));
    MILLRACE_TRY(store->remover_.recover());
    MILLRACE_TRY(store->buckets_.load());
    MILLRACE_TRY(store->durability_.recover());
    MILLRACE_TRY(store->drafts_.load());
    return store;
}

Result<void> LocalStore::create_bucket(const std::string& bucket, std::uint64_t small_object_bytes_max, const std::string& uid) {
    return buckets_.create(bucket, small_object_bytes_max, uid);
}

Result<void> LocalStore::destroy_bucket(const std::string& bucket) {
    MILLRACE_TRY(validate_bucket_name(bucket));
    return buckets_.destroy(bucket);
}

Result<void> LocalStore::check_bucket(const BucketRef& bucket) const {
    MILLRACE_TRY(buckets_.find(bucket));
    return {};
}

std::vector<std::string> LocalStore::buckets() const { return buckets_.names(); }

Result<std::string> LocalStore::key_of(const BucketRef& bucket, const std::string& name) const {
    MILLRACE_TRY(validate_bucket_name(bucket.name));
    MILLRACE_TRY(validate_object_name(name));
    MILLRACE_TRY_ASSIGN(const auto found, buckets_.find(bucket));
    return object_key(found->key(), name);
}

Result<std::unique_ptr<ObjectReader>> LocalStore::open(const BucketRef& bucket, const std::string& name) {
    return open_part(bucket, name, [](const ObjectInfo&) { return Part{}; });
}

struct LocalStore::Opening {
    LocalStore& store;
    BucketRef bucket;
    std::string name;
    Result<std::unique_ptr<ObjectReader>> reader{};
};

Task<Result<std::unique_ptr<ObjectReader>>> LocalStore::open_gathered(BucketRef bucket, std::string name) {
    Opening opening{*this, bucket, std::move(name)};
    co_await gather<&LocalStore::open_all>(opening);
    co_return std::move(opening.reader);
}

void LocalStore::open_all(std::span<Opening* const> openings) {
    std::vector<Opening*> group;
    std::vector<std::string> keys;
    for (Opening* const opening : openings) {
        if (&opening->store != &openings.front()->store) {
            opening->reader = opening->store.open(opening->bucket, opening->name);
        } else if (auto key = opening->store.key_of(opening->bucket, opening->name)) {
            group.push_back(opening);
            keys.push_back(std::move(*key));
        } else {
            opening->reader = std::move(key).error();
        }
    }
    LocalStore& store = openings.front()->store;
    const auto label = [&group](std::size_t i) { return object_label(object_key(group[i]->bucket.name, group[i]->name)); };
    auto readers = open_objects(store.index_, store.mountpaths_, keys, label);
    for (std::size_t i = 0; i < group.size(); ++i) {
        group[i]->reader = readers[i] ? std::move(readers[i]) : store.open(group[i]->bucket, group[i]->name);
    }
}

Result<std::unique_ptr<ObjectReader>> LocalStore::open_part(const BucketRef& bucket, const std::string& name, const ChoosePart& choose) {
    MILLRACE_TRY_ASSIGN(const std::string key, key_of(bucket, name));
    const std::string label = object_label(object_key(bucket.name, name));
    auto reader = open_object(index_, mountpaths_, key, label, choose);
    if (reader || reader.error().code != Code::corrupt) return reader;
    // Perhaps an overwrite came between reading the record and opening its content: look again while nothing changes.
    const auto locked = names_.lock(key);
    return open_object(index_, mountpaths_, key, label, choose);
}

Result<ObjectInfo> LocalStore::stat(const BucketRef& bucket, const std::string& name) {
    MILLRACE_TRY_ASSIGN(const std::string key, key_of(bucket, name));
    MILLRACE_TRY_ASSIGN(auto record, index_.find(key));
    if (!record) return no_object(bucket, name);
    return std::move(record->info);
}

Result<std::unique_ptr<ObjectWriter>> LocalStore::begin_write(const BucketRef& bucket, const std::string& name, WriteOptions options) {
    MILLRACE_TRY(validate_bucket_name(bucket.name));
    MILLRACE_TRY(validate_object_name(name));
    MILLRACE_TRY(validate_custom(options.custom));
    MILLRACE_TRY_ASSIGN(auto found, buckets_.find(bucket));
    return std::make_unique<LocalWriter>(std::move(found), name, std::move(options), mountpaths_, publisher_);
}

Result<void> LocalStore::erase(const std::string& bucket, const std::string& name, Precondition* condition) {
    MILLRACE_TRY(erase_if(bucket, name, UINT64_MAX, nullptr, condition));
    return {};
}

Result<ObjectInfo> LocalStore::erase_created_before(const BucketRef& bucket, const std::string& name, std::uint64_t created_seq_end,
                                                    const ChangeGuard* guard) {
    return erase_if(bucket, name, created_seq_end, guard, nullptr);
}

Result<ObjectInfo> LocalStore::erase_if(const BucketRef& bucket, const std::string& name, std::uint64_t created_seq_end, const ChangeGuard* guard,
                                        Precondition* condition) {
    MILLRACE_TRY(validate_bucket_name(bucket.name));
    MILLRACE_TRY(validate_object_name(name));
    MILLRACE_TRY_ASSIGN(const auto found, buckets_.find(bucket));
    auto erased = publisher_.erase(*found, name, created_seq_end, guard, condition);
    if (!erased && erased.error().code == Code::not_found) return no_object(bucket, name);
    return erased;
}

Result<ObjectInfo> LocalStore::set_custom(const std::string& bucket, const std::string& name, const std::map<std::string, std::string>& custom,
                                          bool replace, bool sync, Precondition* condition) {
    MILLRACE_TRY(validate_bucket_name(bucket));
    MILLRACE_TRY(validate_object_name(name));
    MILLRACE_TRY_ASSIGN(const auto found, buckets_.find(bucket));
    auto changed = publisher_.set_custom(*found, name, custom, replace, sync, condition);
    if (!changed && changed.error().code == Code::not_found) return no_object(bucket, name);
    return changed;
}

Result<ScanPage> LocalStore::scan(const BucketRef& bucket, const std::string& prefix, const std::string& after, std::size_t objects_max) {
    MILLRACE_TRY(validate_bucket_name(bucket.name));
    MILLRACE_TRY_ASSIGN(const auto found, buckets_.find(bucket));
    const auto too_long = [](const std::string& text) { return text.size() > kObjectNameBytesMax || text.find('\0') != text.npos; };
    if (too_long(prefix) || too_long(after) || objects_max == 0) {
        return fail(Code::invalid_argument, "a listing needs a prefix and a start of at most 1,024 bytes without NUL, "
                                           "and a page of at least 1 object");
    }
    return index_.scan(found->key(), prefix, after, std::min(objects_max, kPageObjectsMax));
}

Task<Result<void>> LocalStore::verify(const std::string& bucket, const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const auto reader, open(bucket, name));
    co_return co_await reader->verify();
}

std::vector<std::string> LocalStore::object_folders() const {
    std::vector<std::string> folders;
    for (const Mountpath& mountpath : mountpaths_.all()) {
        std::error_code ignored;
        folders.push_back(std::filesystem::absolute(mountpath.objects_folder(), ignored).string());
    }
    return folders;
}

}  // namespace millrace::store
