#include "store/publisher.h"

#include <filesystem>
#include <set>
#include <unordered_set>

#include "core/fault.h"
#include "core/gather.h"
#include "core/log.h"
#include "store/unsynced_files.h"

namespace millrace::store {
namespace {

constexpr std::size_t kGroupObjectsMax = 48;  // each with a lock: the thread sanitizer follows 64 of a thread
constexpr std::size_t kGroupBytesMax = 1 << 20;

Result<std::unique_lock<std::mutex>> hold(const ChangeGuard* guard) {
    if (guard == nullptr) return std::unique_lock<std::mutex>();
    std::unique_lock lock(guard->lock());
    MILLRACE_TRY(guard->check());
    return lock;
}

}  // namespace

struct Publisher::Change {
    Publication& publication;
    std::string key;
    Old old{};
    std::optional<Sequence::Creation> creation{};  // until the end: whoever asks for the counter meanwhile does not count it yet
    ObjectRecord record{};

    bool has_file() const { return !record.location.empty(); }
};

// Each once, in one order.
std::vector<std::unique_lock<std::mutex>> Publisher::lock_guards(std::span<const Change> changes) {
    std::set<std::mutex*> mutexes;
    for (const Change& change : changes) {
        if (change.publication.guard != nullptr) mutexes.insert(&change.publication.guard->lock());
    }
    std::vector<std::unique_lock<std::mutex>> locks;
    for (std::mutex* const mutex : mutexes) locks.emplace_back(*mutex);
    return locks;
}

struct Publisher::Request {
    Publisher* publisher;
    Publication* publication;
};

Task<void> Publisher::publish(Publication& publication) {
    Request request{this, &publication};
    co_await gather<&Publisher::publish_all>(request);
}

void Publisher::publish_all(std::span<Request* const> requests) {
    std::vector<Request*> waiting(requests.begin(), requests.end());
    while (!waiting.empty()) {
        std::vector<Publication*> group;
        std::vector<Request*> rest;
        std::unordered_set<std::string_view> names;
        std::size_t bytes = 0;
        const Request first = *waiting.front();
        for (Request* const request : waiting) {
            Publication* const publication = request->publication;
            const bool has_room = group.size() < kGroupObjectsMax && bytes < kGroupBytesMax;
            const bool is_alike = request->publisher == first.publisher && publication->bucket == first.publication->bucket;
            if (has_room && is_alike && names.insert(publication->name).second) {
                group.push_back(publication);
                bytes += publication->content.bytes.size();
            } else {
                rest.push_back(request);
            }
        }
        first.publisher->publish_group(group);
        waiting = std::move(rest);
    }
}

void Publisher::publish_group(std::span<Publication* const> group) {
    std::vector<Change> changes;
    changes.reserve(group.size());
    std::vector<std::string_view> keys;
    for (Publication* const publication : group) {
        changes.push_back({*publication, object_key(publication->bucket->key(), publication->name)});
        keys.push_back(changes.back().key);
    }
    // For each that has not failed yet. The file of one that fails goes, when it has its place already.
    const auto for_each = [&](auto step) {
        for (Change& change : changes) {
            if (change.publication.failure) continue;
            const Result<void> done = step(change);
            if (done) continue;
            change.publication.failure = done.error();
            if (change.has_file()) withdraw_file(change.record.location);
        }
    };

    const auto bucket_stays = group.front()->bucket->enter();
    if (!bucket_stays) return for_each([&](Change&) -> Result<void> { return bucket_stays.error(); });
    const auto names_stay = names_.lock_all(keys);
    auto found = index_.find_many(keys);
    for_each([&, next = found.begin()](Change& change) mutable -> Result<void> {
        MILLRACE_TRY_ASSIGN(change.old, old_of(std::move(*next++)));
        return number(change);
    });
    for_each([](Change& change) { return choose_place(change); });
    const Result<void> noted = note_files(changes);
    for_each([&](Change& change) { return change.has_file() ? noted : Result<void>{}; });
    for_each([&](Change& change) { return change.has_file() ? move_file(change) : Result<void>{}; });
    for_each([](Change&) { return MILLRACE_FAULT_POINT("store.before_index"); });

    const auto guards_stay = lock_guards(changes);
    for_each([](Change& change) { return change.publication.guard == nullptr ? Result<void>{} : change.publication.guard->check(); });
    state::Batch batch;
    bool sync = false;
    for (const Change& change : changes) {
        if (change.publication.failure) continue;
        add_switch(batch, change);
        sync = sync || change.publication.sync;
    }
    if (batch.empty()) return;
    const Result<void> written = kv_.write(std::move(batch), sync);
    for (Change& change : changes) {
        if (change.publication.failure) continue;
        settle(change, written.has_value());
        const Result<void> done = written ? MILLRACE_FAULT_POINT("store.after_index") : written;
        if (!done) change.publication.failure = done.error();
        change.publication.info = std::move(change.record.info);
    }
}

Result<ObjectInfo> Publisher::erase(Bucket& bucket, const std::string& name, std::uint64_t created_seq_end, const ChangeGuard* guard,
                                    Precondition* condition) {
    const std::string key = object_key(bucket.key(), name);
    MILLRACE_TRY_ASSIGN(const auto bucket_stays, bucket.enter());
    const auto locked = names_.lock(key);
    MILLRACE_TRY_ASSIGN(Old old, old_of(index_.find(key)));
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
Result<Publisher::Old> Publisher::old_of(Result<std::optional<ObjectRecord>> found) {
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

Result<void> Publisher::number(Change& change) {
    Publication& publication = change.publication;
    MILLRACE_TRY(check(publication.condition, change.old, change.key));
    ObjectInfo& info = publication.info;
    if (change.old.record) {
        MILLRACE_TRY_ASSIGN(info.version, sequence_.take());
        info.created_seq = change.old.record->info.created_seq;
        info.edition = change.old.record->info.edition + 1;
    } else {
        MILLRACE_TRY_ASSIGN(auto taken, sequence_.take_for_creation());
        change.creation.emplace(std::move(taken));
        info.version = change.creation->number();
        info.created_seq = change.creation->number();
    }
    info.written_unix_ns = unix_now_ns();
    change.record.info = std::move(info);
    return {};
}

Result<void> Publisher::choose_place(Change& change) {
    const Publication& publication = change.publication;
    if (publication.content.file) {
        MILLRACE_TRY_ASSIGN(change.record.location, publication.bucket->place(*publication.content.mountpath, publication.name));
    }
    return {};
}

// Before anything is there.
Result<void> Publisher::note_files(std::span<const Change> changes) {
    state::Batch notes;
    for (const Change& change : changes) {
        if (!change.publication.failure && change.has_file()) Durability::remember(notes, change.record.location, change.key);
    }
    if (notes.empty()) return {};
    return kv_.write(std::move(notes), false);
}

Result<void> Publisher::move_file(Change& change) {
    Content& content = change.publication.content;
    const bool sync = change.publication.sync;
    MILLRACE_TRY_ASSIGN(const std::string path, mountpaths_.path_of(change.record.location));
    if (sync) MILLRACE_TRY(content.file->sync());
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.before_rename"));
    MILLRACE_TRY(content.file->rename_to(path));
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.after_rename"));
    durability_.file_published();
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

void Publisher::add_switch(state::Batch& batch, const Change& change) const {
    const ObjectRecord& record = change.record;
    const Old& old = change.old;
    ObjectIndex::put(batch, change.key, record);
    if (!change.has_file()) {
        ObjectIndex::put_content(batch, change.key, record.info.version, change.publication.content.bytes);
    } else {
        Durability::forget(batch, record.location);
        if (!change.publication.sync && !old.damaged) UnsyncedFiles::remember(batch, record.location, change.key, old.record);
        else if (old.record || old.damaged) ObjectIndex::erase_content(batch, change.key);
    }
    if (old.record && !old.record->location.empty()) Durability::remember(batch, old.record->location, change.key);
}

void Publisher::settle(const Change& change, bool switched) {
    const Old& old = change.old;
    if (!switched) {
        // Whether the switch will be found in the log after a restart is not known here; the note of the file settles it.
        if (change.has_file()) durability_.remove_later(change.record.location, change.key);
        return;
    }
    if (change.has_file() && !change.publication.sync && !old.damaged) {
        durability_.settle_later(change.record.location, change.key, old.record.has_value());
    }
    if (old.record && !old.record->location.empty()) durability_.remove_later(old.record->location, change.key);
}

// For a file that certainly no record names.
void Publisher::withdraw_file(const FileLocation& location) {
    (void)mountpaths_.give_up(location);
    state::Batch batch;
    Durability::forget(batch, location);
    batch.use_reserve();
    if (const auto written = kv_.write(std::move(batch), false); !written) {
        log::debug("note about a withdrawn file stays until the next start", {{"error", written.error()}});
    }
}

}  // namespace millrace::store
