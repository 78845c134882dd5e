// The buckets of a store: their records, and what each needs while it is written to.
//
// A bucket of the same name that is created later has another generation and so other folders: removing the files of a
// destroyed bucket needs no lock. A bucket keeps its key, which objects and folders are found by, when it gets another name.
// Any thread.
#pragma once
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <vector>

#include "core/result.h"
#include "state/kv.h"
#include "store/folder_remover.h"
#include "store/mountpath.h"
#include "store/object_record.h"
#include "store/sequence.h"
#include "store/shelves.h"

namespace millrace::store {

class Bucket {
public:
    Bucket(std::string key, BucketRecord record, const Mountpaths& mountpaths, Sequence& sequence);

    const std::string& key() const { return key_; }
    const BucketRecord& record() const { return record_; }
    // Below a mountpath's folder of objects: "<key>/<generation>".
    std::string folder() const;

    // Held while an object is published or erased; Code::not_found once the bucket is destroyed.
    Result<std::shared_lock<std::shared_mutex>> enter();
    // A path that was never used, on this mountpath.
    Result<FileLocation> place(const Mountpath& mountpath, std::string_view object_name);

private:
    friend class BucketTable;

    const std::string key_;
    const BucketRecord record_;  // its key is that of the time when it was loaded
    std::map<std::string, std::unique_ptr<Shelves>, std::less<>> shelves_;  // by the mountpath's id; fixed
    std::shared_mutex changes_;
    std::atomic<bool> destroyed_ = false;  // set before changes_ is locked for good, so that new writers do not delay that
};

class BucketTable {
public:
    BucketTable(state::Kv& kv, const Mountpaths& mountpaths, Sequence& sequence, FolderRemover& remover)
        : kv_(kv), mountpaths_(mountpaths), sequence_(sequence), remover_(remover) {}

    // Reads the buckets. Once, before the others.
    Result<void> load();
    Result<void> create(const std::string& name, std::uint64_t small_object_bytes_max, const std::string& uid);
    // See LocalStore::identify_bucket().
    void identify(const std::string& name, const std::string& uid);
    // Gone at once, and for good; its files go in the background, also over a restart.
    Result<void> destroy(const std::string& name);
    // See ObjectStore::rename_buckets().
    Result<void> rename(const std::vector<BucketRenaming>& renamings);
    std::optional<std::string> name_of_uid(const std::string& uid) const;

    // Code::not_found when there is none, Code::unavailable when it is not the one that the uid tells.
    Result<std::shared_ptr<Bucket>> find(const BucketRef& bucket) const;
    // The same by its generation, whatever its name is by now.
    Result<std::shared_ptr<Bucket>> find_generation(std::uint64_t generation) const;
    std::vector<std::string> names() const;

private:
    bool has_key(const std::string& key) const;

    state::Kv& kv_;
    const Mountpaths& mountpaths_;
    Sequence& sequence_;
    FolderRemover& remover_;
    std::mutex admin_mutex_;           // one creation or destruction at a time
    mutable std::shared_mutex mutex_;  // guards buckets_; held for lookups only
    std::map<std::string, std::shared_ptr<Bucket>, std::less<>> buckets_;  // by name
    std::map<std::string, std::string> names_;                             // uid → name
};

}  // namespace millrace::store
