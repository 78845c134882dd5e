// The buckets of this cluster, as far as their objects are on this target. Nothing here waits: calls are made in place, and block for the
// time of a call of the store.
#pragma once
#include "worker/bucket_io.h"

namespace millrace::worker {

class LocalBuckets final : public Buckets {
public:
    // The store outlives every reader and writer.
    explicit LocalBuckets(store::ObjectStore& store) : store_(store) {}
    std::shared_ptr<BucketReader> reader(const std::string& bucket, const std::string& uid) override;
    std::shared_ptr<BucketWriter> writer(const std::string& bucket, const std::string& uid) override;

private:
    store::ObjectStore& store_;
};

}  // namespace millrace::worker
