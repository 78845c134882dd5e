// Makes commits durable against power loss as a group, and removes files that no record needs any more — only after that.
//
// The life of a file:
//   1. remember(): the database notes the path before the file gets there;
//   2. the file is renamed to its path;
//   3. one batch switches the object's record to it, forget()s its note and remember()s the file it replaces;
//   4. remove_later() takes the replaced file; once a sync() has made the switch durable it is given up (spare_files.h) and forgotten.
// Whatever is remembered when a store is opened, and not named by its object's record, is a leftover of a crash.
// Unless it was synced before, the new file has a note as well (unsynced_files.h), which settle_later() lets the next sync() forget.
//
// Any thread. A thread of its own calls sync() when files have waited for a while.
#pragma once
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "state/kv.h"
#include "store/mountpath.h"
#include "store/name_locks.h"
#include "store/object_index.h"

namespace millrace::store {

class Durability {
public:
    Durability(state::Kv& kv, const Mountpaths& mountpaths, const ObjectIndex& index, NameLocks& names, Duration unlink_delay);
    ~Durability();
    Durability(const Durability&) = delete;

    static void remember(state::Batch& batch, const FileLocation& location, std::string_view object_key);
    static void forget(state::Batch& batch, const FileLocation& location);

    // Removes what a crash left behind. Once, before the store is used; starts the thread.
    Result<void> recover();
    void file_published() { files_to_sync_ = true; }
    // The file was remembered; it goes unless the object's record names it. Beyond a bound it stays until the next start.
    void remove_later(FileLocation location, std::string object_key);
    // The file was published, with a note that it is not durable. replaced: an object that may have been small.
    void settle_later(FileLocation location, std::string object_key, bool replaced);
    // Everything committed so far becomes durable, then files that were waiting for it are removed.
    Result<void> sync();
    // The same, unless there is nothing but the database to be synced.
    Result<void> sync_files();

private:
    struct Leftover {
        FileLocation location;
        std::string object_key;
    };

    struct Unsettled {
        FileLocation location;
        std::string object_key;
        bool replaced = false;
    };

    Result<void> sync_all();
    void settle(const std::vector<Unsettled>& durable);
    void settle_content(const std::string& object_key);
    bool is_due() const;  // under mutex_
    Result<std::vector<Leftover>> remembered() const;
    void remove(const std::vector<Leftover>& leftovers);
    // True when the note about it can be forgotten.
    Result<bool> remove_one(const Leftover& leftover);
    void enqueue(std::vector<Leftover> leftovers);
    void run();

    state::Kv& kv_;
    const Mountpaths& mountpaths_;
    const ObjectIndex& index_;
    NameLocks& names_;
    const Duration unlink_delay_;
    std::atomic<bool> files_to_sync_ = false;
    std::mutex sync_mutex_;  // one at a time: whoever comes second must not return before the first is done

    std::mutex mutex_;  // guards what follows
    std::condition_variable wake_;
    std::vector<Leftover> waiting_;
    std::vector<Unsettled> unsettled_;
    Instant unsettled_since_{};
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace millrace::store
