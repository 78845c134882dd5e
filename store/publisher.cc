#include "store/publisher.h"

#include <unistd.h>

#include <filesystem>

#include "core/fault.h"
#include "core/log.h"
#include "store/unsynced_files.h"

namespace millrace::store {
namespace {

Result<std::unique_lock<std::mutex>> hold(const ChangeGuard* guard) {
    if (guard == nullptr) return std::unique_lock<std::mutex>();
    return guard->hold();
}

}  // namespace

Result<ObjectInfo> Publisher::publish(Bucket& bucket, const std::string& name, Content content, ObjectInfo info, bool sync,
                                      const ChangeGuard* guard, Precondition* condition) {
    const std::string key = object_key(bucket.key(), name);
    MILLRACE_TRY_ASSIGN(const auto bucket_stays, bucket.enter());
    const auto locked = names_.lock(key);
    MILLRACE_TRY_ASSIGN(const Old old, find_old(key));
    MILLRACE_TRY(check(condition, old, key));

    std::optional<Sequence::Creation> creation;  // until the end: whoever asks for the counter meanwhile does not count it yet
    if (old.record) {
        MILLRACE_TRY_ASSIGN(info.version, sequence_.take());
        info.created_seq = old.record->info.created_seq;
        info.edition = old.record->info.edition + 1;
    } else {
        MILLRACE_TRY_ASSIGN(auto taken, sequence_.take_for_creation());
        creation.emplace(std::move(taken));
        info.version = creation->number();
        info.created_seq = creation->number();
    }
    info.written_unix_ns = unix_now_ns();

    ObjectRecord record{std::move(info), {}};
    if (content.file) {
        MILLRACE_TRY_ASSIGN(record.location, bucket.place(*content.mountpath, name));
        MILLRACE_TRY(place_file(record.location, key, content, sync));
    }
    if (const auto passed = MILLRACE_FAULT_POINT("store.before_index"); !passed) {
        if (!record.location.empty()) withdraw_file(record.location);
        return passed.error();
    }
    const auto allowed = hold(guard);
    if (!allowed) {
        if (!record.location.empty()) withdraw_file(record.location);
        return allowed.error();
    }
    if (const auto switched = switch_record(key, record, content, old, sync); !switched) {
        // Whether the switch will be found in the log after a restart is not known here; the note of the file settles it.
        if (!record.location.empty()) durability_.remove_later(record.location, key);
        return switched.error();
    }
    if (!record.location.empty() && !sync && !old.damaged) durability_.settle_later(record.location, key, old.record.has_value());
    if (old.record && !old.record->location.empty()) durability_.remove_later(old.record->location, key);
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.after_index"));
    return std::move(record.info);
}

Result<ObjectInfo> Publisher::erase(Bucket& bucket, const std::string& name, std::uint64_t created_seq_end, const ChangeGuard* guard,
                                    Precondition* condition) {
    const std::string key = object_key(bucket.key(), name);
    MILLRACE_TRY_ASSIGN(const auto bucket_stays, bucket.enter());
    const auto locked = names_.lock(key);
    MILLRACE_TRY_ASSIGN(Old old, find_old(key));
    if (!old.record && !old.damaged) return fail(Code::not_found, object_label(key) + " does not exist");
    if (old.record && old.record->info.created_seq >= created_seq_end) return fail(Code::not_found, object_label(key) + " is another one");
    MILLRACE_TRY(check(condition, old, key));
    state::Batch batch;
    ObjectIndex::erase(batch, key);
    const bool has_file = old.record && !old.record->location.empty();
    if (has_file) Durability::remember(batch, old.record->location, key);
    ObjectIndex::erase_content(batch, key);  // a large object has one while it is not settled that a small one is replaced
    batch.use_reserve();
    MILLRACE_TRY_ASSIGN(const auto allowed, hold(guard));
    MILLRACE_TRY(kv_.write(std::move(batch), false));
    if (has_file) durability_.remove_later(old.record->location, key);
    return old.record ? std::move(old.record->info) : ObjectInfo{};
}

Result<ObjectInfo> Publisher::set_custom(Bucket& bucket, const std::string& name, const std::map<std::string, std::string>& custom, bool replace,
                                         bool sync, Precondition* condition) {
    const std::string key = object_key(bucket.key(), name);
    MILLRACE_TRY_ASSIGN(const auto bucket_stays, bucket.enter());
    const auto locked = names_.lock(key);
    MILLRACE_TRY_ASSIGN(auto record, index_.find(key));
    if (!record) return fail(Code::not_found, object_label(key) + " does not exist");
    if (condition != nullptr) MILLRACE_TRY(condition->check(&record->info));
    std::map<std::string, std::string> changed = custom;
    if (!replace) changed.insert(record->info.custom.begin(), record->info.custom.end());
    MILLRACE_TRY(validate_custom(changed));
    record->info.custom = std::move(changed);
    state::Batch batch;
    ObjectIndex::put(batch, key, *record);
    MILLRACE_TRY(kv_.write(std::move(batch), sync));
    return std::move(record->info);
}

// A damaged record does not keep anybody from overwriting or erasing the object.
Result<Publisher::Old> Publisher::find_old(const std::string& key) const {
    auto found = index_.find(key);
    if (found) return Old{std::move(*found), false};
    if (found.error().code != Code::corrupt) return std::move(found).error();
    log::warn("damaged record gets replaced", {{"error", found.error()}});
    return Old{std::nullopt, true};
}

// Of a damaged one nobody can say whether it is what somebody has in mind.
Result<void> Publisher::check(Precondition* condition, const Old& old, const std::string& key) {
    if (condition == nullptr) return {};
    if (old.damaged) return fail(Code::corrupt, object_label(key) + " is damaged, so no condition can be looked at; repeat the request without one");
    return condition->check(old.record ? &old.record->info : nullptr);
}

Result<void> Publisher::place_file(const FileLocation& location, const std::string& key, Content& content, bool sync) {
    MILLRACE_TRY_ASSIGN(const std::string path, mountpaths_.path_of(location));
    state::Batch note;
    Durability::remember(note, location, key);
    MILLRACE_TRY(kv_.write(std::move(note), false));
    if (const auto moved = move_file(path, content, sync); !moved) {
        withdraw_file(location);
        return moved;
    }
    durability_.file_published();
    return {};
}

Result<void> Publisher::move_file(const std::string& path, Content& content, bool sync) {
    if (sync) MILLRACE_TRY(content.file->sync());
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.before_rename"));
    MILLRACE_TRY(content.file->rename_to(path));
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.after_rename"));
    if (!sync) return {};
    // Its folders may be new: shelf, hash folder, generation, bucket, objects.
    constexpr int kFolders = 5;
    std::filesystem::path folder = path;
    for (int i = 0; i < kFolders; ++i) {
        folder = folder.parent_path();
        MILLRACE_TRY(sync_folder(folder));
    }
    return {};
}

Result<void> Publisher::switch_record(const std::string& key, const ObjectRecord& record, const Content& content, const Old& old,
                                      bool sync) {
    state::Batch batch;
    ObjectIndex::put(batch, key, record);
    if (record.location.empty()) {
        ObjectIndex::put_content(batch, key, record.info.version, content.bytes);
    } else {
        Durability::forget(batch, record.location);
        if (!sync && !old.damaged) UnsyncedFiles::remember(batch, record.location, key, old.record);
        else if (old.record || old.damaged) ObjectIndex::erase_content(batch, key);
    }
    if (old.record && !old.record->location.empty()) Durability::remember(batch, old.record->location, key);
    return kv_.write(std::move(batch), sync);
}

// For a file that certainly no record names.
void Publisher::withdraw_file(const FileLocation& location) {
    const auto path = mountpaths_.path_of(location);
    if (path) {
        ::unlink(path->c_str());
        (void)::rmdir(std::filesystem::path(*path).parent_path().c_str());
    }
    state::Batch batch;
    Durability::forget(batch, location);
    batch.use_reserve();
    if (const auto written = kv_.write(std::move(batch), false); !written) {
        log::debug("note about a withdrawn file stays until the next start", {{"error", written.error()}});
    }
}

}  // namespace millrace::store
