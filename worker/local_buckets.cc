#include "worker/local_buckets.h"

namespace millrace::worker {
namespace {

class LocalBucket final : public BucketReader, public BucketWriter {
public:
    LocalBucket(store::ObjectStore& store, std::string bucket, std::string uid) : store_(store), bucket_(std::move(bucket)), uid_(std::move(uid)) {}

    Task<Result<store::ScanPage>> list(const std::string& prefix, const std::string& after, std::size_t objects_max) override {
        co_return store_.scan(ref(), prefix, after, objects_max);
    }
    Task<Result<store::ObjectInfo>> stat(const std::string& name) override { co_return store_.stat(ref(), name); }
    Task<Result<std::unique_ptr<store::ObjectReader>>> open(const std::string& name) override { return store_.open_gathered(ref(), name); }
    Task<Result<std::unique_ptr<store::ObjectWriter>>> begin(const std::string& name, store::WriteOptions options) override {
        co_return store_.begin_write(ref(), name, std::move(options));
    }
    Task<Result<store::ObjectInfo>> erase(const std::string& name, std::uint64_t created_seq_end, const store::ChangeGuard* guard) override {
        co_return store_.erase_created_before(ref(), name, created_seq_end, guard);
    }
    Result<void> check() const override { return store_.check_bucket(ref()); }
    std::uint64_t created_seq_end() const override { return store_.next_created_seq(); }

private:
    store::BucketRef ref() const { return {bucket_, uid_}; }

    store::ObjectStore& store_;
    const std::string bucket_;
    const std::string uid_;
};

}  // namespace

std::shared_ptr<BucketReader> LocalBuckets::reader(const std::string& bucket, const std::string& uid) {
    return std::make_shared<LocalBucket>(store_, bucket, uid);
}

std::shared_ptr<BucketWriter> LocalBuckets::writer(const std::string& bucket, const std::string& uid) {
    return std::make_shared<LocalBucket>(store_, bucket, uid);
}

}  // namespace millrace::worker
