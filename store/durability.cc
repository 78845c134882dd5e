#include "store/durability.h"

#include <iterator>

#include "core/fault.h"
#include "core/log.h"
#include "state/families.h"
#include "store/unsynced_files.h"

namespace millrace::store {
namespace {

namespace family = state::target_family;
constexpr std::string_view kPendingPrefix = "pending-file/";
constexpr std::size_t kWaitingMany = 1024;   // worth a sync of their own
constexpr std::size_t kWaitingMax = 65'536;
// New files that nothing waits for become durable about as soon as the kernel writes them out by itself.
constexpr std::size_t kUnsettledMany = 16'384;
constexpr auto kUnsettledTimeMax = std::chrono::seconds(30);

std::string pending_key(const FileLocation& location) {
    return std::string(kPendingPrefix) + location.mountpath + "/" + location.file;
}

}  // namespace

Durability::Durability(state::Kv& kv, const Mountpaths& mountpaths, const ObjectIndex& index, NameLocks& names, Duration unlink_delay)
    : kv_(kv), mountpaths_(mountpaths), index_(index), names_(names), unlink_delay_(unlink_delay) {}

Durability::~Durability() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void Durability::remember(state::Batch& batch, const FileLocation& location, std::string_view object_key) {
    batch.put(family::meta, pending_key(location), object_key);
}

void Durability::forget(state::Batch& batch, const FileLocation& location) { batch.erase(family::meta, pending_key(location)); }

Result<void> Durability::recover() {
    // What the records say now may itself not be durable yet, and an older record may need the file.
    files_to_sync_ = true;
    const bool has_unsynced = UnsyncedFiles::has_notes(kv_);
    if (has_unsynced) {
        MILLRACE_TRY(sync_all());
        MILLRACE_TRY(UnsyncedFiles::recover(kv_, mountpaths_, index_));
    }
    MILLRACE_TRY_ASSIGN(const auto leftovers, remembered());
    if (!leftovers.empty()) {
        MILLRACE_TRY(sync_all());
        remove(leftovers);
        log::info("files left over by an unclean stop were checked", {{"files", leftovers.size()}});
    }
    thread_ = std::thread([this] { run(); });
    return {};
}

Result<std::vector<Durability::Leftover>> Durability::remembered() const {
    std::vector<Leftover> leftovers;
    state::Cursor cursor = kv_.cursor(family::meta, state::prefix_end(kPendingPrefix));
    for (cursor.seek(kPendingPrefix); cursor.valid(); cursor.next()) {
        const std::string_view path = cursor.key().substr(kPendingPrefix.size());
        const std::size_t slash = std::min(path.find('/'), path.size());
        FileLocation location{std::string(path.substr(0, slash)), std::string(path.substr(std::min(slash + 1, path.size())))};
        if (location.empty() || !is_inner_path(location.file)) {
            return fail(Code::corrupt, "the store's key '" + std::string(cursor.key()) + "' does not name a file");
        }
        leftovers.push_back({std::move(location), std::string(cursor.value())});
    }
    MILLRACE_TRY(cursor.status());
    return leftovers;
}

void Durability::remove_later(FileLocation location, std::string object_key) {
    std::vector<Leftover> one;
    one.push_back({std::move(location), std::move(object_key)});
    enqueue(std::move(one));
}

void Durability::settle_later(FileLocation location, std::string object_key, bool replaced) {
    const std::lock_guard lock(mutex_);
    if (unsettled_.size() >= kWaitingMax) return;  // its note stays until the next start
    if (unsettled_.empty()) unsettled_since_ = steady_now();
    unsettled_.push_back({std::move(location), std::move(object_key), replaced});
    if (unsettled_.size() == kUnsettledMany) wake_.notify_one();
}

void Durability::enqueue(std::vector<Leftover> leftovers) {
    const std::lock_guard lock(mutex_);
    const bool fits = waiting_.size() + leftovers.size() <= kWaitingMax;
    if (!fits) {
        log::warn("too many replaced files wait for removal, some stay until the next start", {{"files", leftovers.size()}});
        return;
    }
    std::ranges::move(leftovers, std::back_inserter(waiting_));
    if (waiting_.size() >= kWaitingMany) wake_.notify_one();
}

Result<void> Durability::sync() {
    const std::lock_guard one_at_a_time(sync_mutex_);
    std::vector<Leftover> leftovers;
    std::vector<Unsettled> unsettled;
    {
        const std::lock_guard lock(mutex_);
        leftovers.swap(waiting_);
        unsettled.swap(unsettled_);
    }
    if (const auto synced = sync_all(); !synced) {
        enqueue(std::move(leftovers));
        const std::lock_guard lock(mutex_);
        std::ranges::move(unsettled_, std::back_inserter(unsettled));
        unsettled_ = std::move(unsettled);
        return synced;
    }
    settle(unsettled);
    remove(leftovers);
    return {};
}

Result<void> Durability::sync_files() {
    {
        const std::lock_guard no_sync_runs(sync_mutex_);
        const std::lock_guard lock(mutex_);
        if (!files_to_sync_ && waiting_.empty() && unsettled_.empty()) return {};
    }
    return sync();
}

// As with remove(): what fails stays until the next start.
void Durability::settle(const std::vector<Unsettled>& durable) {
    if (durable.empty()) return;
    for (const Unsettled& file : durable) {
        if (file.replaced) settle_content(file.object_key);
    }
    state::Batch batch;
    for (const Unsettled& file : durable) UnsyncedFiles::forget(batch, file.location);
    batch.use_reserve();
    if (const auto written = kv_.write(std::move(batch), false); !written) {
        log::warn("notes about files that are durable now stay until the next start", {{"error", written.error()}});
    }
}

// A large object needs the content of a small one before it no longer; one that is small again has its own there.
void Durability::settle_content(const std::string& object_key) {
    const auto locked = names_.lock(object_key);
    const auto record = index_.find(object_key);
    if (!record || !*record || (*record)->location.empty()) return;
    state::Batch batch;
    ObjectIndex::erase_content(batch, object_key);
    batch.use_reserve();
    if (const auto written = kv_.write(std::move(batch), false); !written) log::debug("content of a replaced object stays", {{"error", written.error()}});
}

Result<void> Durability::sync_all() {
    if (files_to_sync_.exchange(false)) {
        if (const auto synced = mountpaths_.sync(); !synced) {
            files_to_sync_ = true;
            return synced;
        }
    }
    return kv_.sync();
}

// Failures are logged and not returned: durability was reached, and the notes in the database bring the files up again.
void Durability::remove(const std::vector<Leftover>& leftovers) {
    state::Batch batch;
    for (const Leftover& leftover : leftovers) {
        const auto removed = remove_one(leftover);
        if (!removed) {
            log::warn("file of a replaced object stays until the next start",
                      {{"mountpath", leftover.location.mountpath}, {"file", leftover.location.file}, {"error", removed.error()}});
            continue;
        }
        if (!*removed) continue;
        forget(batch, leftover.location);
    }
    if (batch.empty()) return;
    batch.use_reserve();
    if (const auto written = kv_.write(std::move(batch), false); !written) {
        log::warn("notes about removed files stay until the next start", {{"error", written.error()}});
    }
}

Result<bool> Durability::remove_one(const Leftover& leftover) {
    MILLRACE_TRY(MILLRACE_FAULT_POINT("store.before_unlink"));
    MILLRACE_TRY_ASSIGN(const auto record, index_.find(leftover.object_key));
    if (record && record->location == leftover.location) return true;
    if (mountpaths_.find(leftover.location.mountpath) == nullptr) return false;  // its disk may come back
    MILLRACE_TRY(mountpaths_.give_up(leftover.location));
    return true;
}

bool Durability::is_due() const {
    if (!waiting_.empty() || unsettled_.size() >= kUnsettledMany) return true;
    return !unsettled_.empty() && steady_now() - unsettled_since_ >= kUnsettledTimeMax;
}

void Durability::run() {
    bool failed = false;
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        wake_.wait_for(lock, unlink_delay_, [&] { return stopping_ || (!failed && (waiting_.size() >= kWaitingMany || unsettled_.size() >= kUnsettledMany)); });
        if (stopping_) break;
        mountpaths_.tend_spares();
        if (!is_due()) continue;
        lock.unlock();
        const auto synced = sync();
        if (!synced && !failed) log::warn("sync of the object store failed", {{"error", synced.error()}});
        failed = !synced;
        lock.lock();
    }
}

}  // namespace millrace::store
