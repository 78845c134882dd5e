// The objects of a simulated target, as its shells see them: the bucket "source" and what jobs have made.
#pragma once
#include <string>
#include <vector>

#include "store/object_store.h"
#include "tests/sim/disk.h"

namespace millrace::sim {

class Objects final : public store::ObjectStore {
public:
    Objects(Disk& disk, FolderKv& kv, Random& random, std::uint32_t scan_fails_permille);

    // The process is dead: nothing that it still does reaches the disk.
    void die() { disk_ = nullptr; }
    // An output becomes visible, under the guard.
    Result<void> publish(const store::BucketRef& bucket, const std::string& name, const Output& output, const store::ChangeGuard& guard);

    Result<void> create_bucket(const std::string& bucket, std::uint64_t small_object_bytes_max, const std::string& uid) override;
    Result<void> destroy_bucket(const std::string& bucket) override;
    Result<void> rename_buckets(const std::vector<store::BucketRenaming>& renamings) override;
    std::optional<std::string> bucket_of_uid(const std::string& uid) const override;
    Result<void> check_bucket(const store::BucketRef& bucket) const override;
    std::vector<std::string> buckets() const override;
    Result<store::ObjectInfo> stat(const store::BucketRef& bucket, const std::string& name) override;
    Result<store::ObjectInfo> erase_created_before(const store::BucketRef& bucket, const std::string& name, std::uint64_t created_seq_end,
                                                   const store::ChangeGuard* guard) override;
    Result<store::ScanPage> scan(const store::BucketRef& bucket, const std::string& prefix, const std::string& after,
                                 std::size_t objects_max) override;
    std::uint64_t next_created_seq() const override;
    Result<void> sync() override;

    // Nothing that is simulated reads or writes contents.
    Result<std::unique_ptr<store::ObjectReader>> open(const store::BucketRef& bucket, const std::string& name) override;
    Result<std::unique_ptr<store::ObjectReader>> open_part(const store::BucketRef& bucket, const std::string& name, const store::ChoosePart& choose) override;
    Result<std::unique_ptr<store::ObjectWriter>> begin_write(const store::BucketRef& bucket, const std::string& name,
                                                             store::WriteOptions options) override;
    Result<void> erase(const std::string& bucket, const std::string& name, store::Precondition* condition) override;
    Result<store::ObjectInfo> set_custom(const std::string& bucket, const std::string& name, const std::map<std::string, std::string>& custom,
                                         bool replace, bool sync, store::Precondition* condition) override;
    Task<Result<void>> verify(const std::string& bucket, const std::string& name) override;

private:
    Result<void> may_write() const;
    Result<void> may_change_buckets() const;

    Disk* disk_;
    FolderKv& kv_;
    Random& random_;
    const std::uint32_t scan_fails_permille_;
};

}  // namespace millrace::sim
