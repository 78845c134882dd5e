#include "store/folder_remover.h"

#include <filesystem>

#include "core/fault.h"
#include "core/log.h"
#include "state/families.h"
#include "store/file_io.h"

namespace millrace::store {
namespace {

namespace fs = std::filesystem;
namespace family = state::target_family;
constexpr std::string_view kDestroyingPrefix = "destroying/";

std::string mark_key(const std::string& bucket_folder) { return std::string(kDestroyingPrefix) + bucket_folder; }

Error stopped() { return fail(Code::cancelled, "the target stops"); }

}  // namespace

FolderRemover::~FolderRemover() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
}

void FolderRemover::mark(state::Batch& batch, const std::string& bucket_folder) { batch.put(family::meta, mark_key(bucket_folder), ""); }

Result<void> FolderRemover::recover() {
    state::Cursor cursor = kv_.cursor(family::meta, state::prefix_end(kDestroyingPrefix));
    for (cursor.seek(kDestroyingPrefix); cursor.valid(); cursor.next()) {
        const std::string folder(cursor.key().substr(kDestroyingPrefix.size()));
        if (!is_inner_path(folder)) return fail(Code::corrupt, "the store's key '" + std::string(cursor.key()) + "' does not name a folder");
        remove_bucket(folder);
    }
    MILLRACE_TRY(cursor.status());
    thread_ = std::thread([this] { run(); });
    return {};
}

void FolderRemover::remove_bucket(std::string bucket_folder) { enqueue({std::move(bucket_folder), true}); }
void FolderRemover::remove(std::string folder) { enqueue({std::move(folder), false}); }

void FolderRemover::enqueue(Removal removal) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(removal));
    wake_.notify_one();
}

void FolderRemover::wait() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [&] { return stopping_ || (waiting_.empty() && !busy_); });
}

void FolderRemover::run() {
    std::unique_lock lock(mutex_);
    for (;;) {
        wake_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
        if (stopping_) return idle_.notify_all();
        const Removal removal = std::move(waiting_.front());
        waiting_.pop_front();
        busy_ = true;
        lock.unlock();
        carry_out(removal);
        lock.lock();
        busy_ = false;
        if (waiting_.empty()) idle_.notify_all();
    }
}

void FolderRemover::carry_out(const Removal& removal) {
    Result<void> removed;
    if (!removal.of_bucket) {
        removed = remove_tree(removal.folder);
    } else {
        for (const Mountpath& mountpath : mountpaths_.all()) {
            const std::string folder = mountpath.objects_folder() + "/" + removal.folder;
            if (removed) removed = remove_tree(folder);
            std::error_code ignored;
            if (removed) fs::remove(fs::path(folder).parent_path(), ignored);  // stays while another generation uses it
        }
    }
    if (removed && removal.of_bucket) {
        state::Batch batch;
        batch.erase(family::meta, mark_key(removal.folder));
        batch.use_reserve();
        removed = kv_.write(std::move(batch), false);
        if (removed) log::info("destroyed bucket's files removed", {{"folder", removal.folder}});
    }
    if (removed || removed.error().code == Code::cancelled) return;
    log::warn("files that nobody needs stay until the next start", {{"folder", removal.folder}, {"error", removed.error()}});
}

// Entries are read as they are removed, never all of them at once. Links go, and are not followed.
Result<void> FolderRemover::remove_tree(const std::string& folder) {
    std::error_code error;
    for (fs::directory_iterator entry(folder, error); !error && entry != fs::directory_iterator(); entry.increment(error)) {
        if (is_stopping()) return stopped();
        MILLRACE_TRY(MILLRACE_FAULT_POINT("store.before_folder_removal"));
        std::error_code failure;
        if (entry->symlink_status(failure).type() == fs::file_type::directory) {
            MILLRACE_TRY(remove_tree(entry->path().string()));
        } else if (!fs::remove(entry->path(), failure) && failure) {
            return file_error("remove " + entry->path().string(), failure.value());
        }
    }
    if (error == std::errc::no_such_file_or_directory) return {};
    if (error) return file_error("read the folder " + folder, error.value());
    fs::remove(folder, error);
    if (error) return file_error("remove the folder " + folder, error.value());
    return {};
}

}  // namespace millrace::store
