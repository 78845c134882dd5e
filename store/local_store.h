// The objects of one target: an ordered index and small contents in its database, large contents as files on its disks.
//
// Any thread. state/FORMAT.md describes what is on disk; publisher.h how a name changes its content, durability.h when
// files go away.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/clock.h"
#include "state/kv.h"
#include "store/bucket_table.h"
#include "store/drafts.h"
#include "store/durability.h"
#include "store/folder_remover.h"
#include "store/local_reader.h"
#include "store/mountpath.h"
#include "store/name_locks.h"
#include "store/object_index.h"
#include "store/object_store.h"
#include "store/publisher.h"
#include "store/sequence.h"

namespace millrace::store {

struct LocalStoreOptions {
    std::string folder;                   // holds large objects when there are no mountpaths
    std::vector<std::string> mountpaths;  // one folder per disk
    // The longest that a replaced or erased file waits for a sync() by somebody else before the store syncs by itself.
    Duration unlink_delay = std::chrono::seconds(5);
    DraftLimits drafts = {};
};

class LocalStore final : public ObjectStore {
public:
    // Cleans up after an unclean stop. The database has the families of state::target_families(), its format was checked,
    // and it outlives the store; readers and writers do not outlive the store.
    static Result<std::unique_ptr<LocalStore>> open(const LocalStoreOptions& options, state::Kv& kv);

    Result<void> create_bucket(const std::string& bucket, std::uint64_t small_object_bytes_max, const std::string& uid = "") override;
    Result<void> destroy_bucket(const std::string& bucket) override;
    Result<void> rename_buckets(const std::vector<BucketRenaming>& renamings) override { return buckets_.rename(renamings); }
    std::optional<std::string> bucket_of_uid(const std::string& uid) const override { return buckets_.name_of_uid(uid); }
    // Tells the uid of a bucket that was created before uids were written down. At the start, before anything else.
    void identify_bucket(const std::string& bucket, const std::string& uid) { buckets_.identify(bucket, uid); }
    Result<void> check_bucket(const BucketRef& bucket) const override;
    std::vector<std::string> buckets() const override;

    Result<std::unique_ptr<ObjectReader>> open(const BucketRef& bucket, const std::string& name) override;
    Task<Result<std::unique_ptr<ObjectReader>>> open_gathered(BucketRef bucket, std::string name) override;
    Result<std::unique_ptr<ObjectReader>> open_part(const BucketRef& bucket, const std::string& name, const ChoosePart& choose) override;
    Result<ObjectInfo> stat(const BucketRef& bucket, const std::string& name) override;
    // custom: at most 256 entries and 16 KiB in all, else Code::too_large.
    Result<std::unique_ptr<ObjectWriter>> begin_write(const BucketRef& bucket, const std::string& name, WriteOptions options) override;
    Result<void> erase(const std::string& bucket, const std::string& name, Precondition* condition = nullptr) override;
    Result<ObjectInfo> erase_created_before(const BucketRef& bucket, const std::string& name, std::uint64_t created_seq_end,
        const ChangeGuard* guard = nullptr) override;
    Result<ObjectInfo> set_custom(const std::string& bucket, const std::string& name, const std::map<std::string, std::string>& custom,
                                  bool replace, bool sync, Precondition* condition = nullptr) override;

    // A page never has more than 10,000 objects. A damaged record is Code::corrupt and names its object.
    Result<ScanPage> scan(const BucketRef& bucket, const std::string& prefix, const std::string& after, std::size_t objects_max) override;
    std::uint64_t next_created_seq() const override { return sequence_->lowest_unfinished(); }

    Result<void> sync() override { return durability_.sync(); }
    Result<void> sync_files() override { return durability_.sync_files(); }
    // Another content than what was written is Code::corrupt.
    Task<Result<void>> verify(const std::string& bucket, const std::string& name) override;

    // Until the files of destroyed buckets and of drafts that are over have gone.
    void wait_for_removals() { remover_.wait(); }

    // Objects that are still to be published.
    Drafts& drafts() { return drafts_; }

    // Where the files of large objects lie, absolute.
    std::vector<std::string> object_folders() const;

private:
    LocalStore(state::Kv& kv, Mountpaths mountpaths, std::unique_ptr<Sequence> sequence, const LocalStoreOptions& options);
    struct Opening;
    static void open_all(std::span<Opening* const> openings);

    // Validated; Code::not_found when the bucket does not exist.
    Result<std::string> key_of(const BucketRef& bucket, const std::string& name) const;
    Result<ObjectInfo> erase_if(const BucketRef& bucket, const std::string& name, std::uint64_t created_seq_end, const ChangeGuard* guard,
                                Precondition* condition);

    const Mountpaths mountpaths_;
    const std::unique_ptr<Sequence> sequence_;
    const ObjectIndex index_;
    FolderRemover remover_;
    BucketTable buckets_;
    NameLocks names_;
    Durability durability_;
    Publisher publisher_;
    Drafts drafts_;
};

}  // namespace millrace::store
