// The buckets of a simulated target, whose lists may take their time, as those of a bucket somewhere else do.
#pragma once
#include "tests/sim/random.h"
#include "worker/local_buckets.h"

namespace millrace::sim {

class SlowBuckets final : public worker::Buckets {
public:
    SlowBuckets(store::ObjectStore& objects, Random& random, std::uint32_t late_permille)
        : local_(objects), random_(random), late_permille_(late_permille) {}

    std::shared_ptr<worker::BucketReader> reader(const std::string& bucket, const std::string& uid) override {
        return std::make_shared<Reader>(local_.reader(bucket, uid), random_, late_permille_);
    }
    std::shared_ptr<worker::BucketWriter> writer(const std::string& bucket, const std::string& uid) override { return local_.writer(bucket, uid); }

private:
    class Reader final : public worker::BucketReader {
    public:
        Reader(std::shared_ptr<worker::BucketReader> local, Random& random, std::uint32_t late_permille)
            : local_(std::move(local)), random_(random), late_permille_(late_permille) {}

        Task<Result<store::ScanPage>> list(const std::string& prefix, const std::string& after, std::size_t objects_max) override {
            // Before it is answered, and after it was: what it says may be out of date.
            if (random_.chance(late_permille_)) co_await sleep_for(random_.between_ms(0, 1000));
            Result<store::ScanPage> page = co_await local_->list(prefix, after, objects_max);
            if (random_.chance(late_permille_)) co_await sleep_for(random_.between_ms(0, 1000));
            co_return page;
        }
        Task<Result<store::ObjectInfo>> stat(const std::string& name) override { return local_->stat(name); }
        Task<Result<std::unique_ptr<store::ObjectReader>>> open(const std::string& name) override { return local_->open(name); }
        Result<void> check() const override { return local_->check(); }
        std::uint64_t created_seq_end() const override { return local_->created_seq_end(); }

    private:
        const std::shared_ptr<worker::BucketReader> local_;
        Random& random_;
        const std::uint32_t late_permille_;
    };

    worker::LocalBuckets local_;
    Random& random_;
    const std::uint32_t late_permille_;
};

}  // namespace millrace::sim
