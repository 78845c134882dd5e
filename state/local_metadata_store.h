// The metadata of a single proxy, in its own database.
#pragma once
#include "core/loop.h"
#include "state/kv.h"
#include "state/metadata_store.h"

namespace millrace::state {

class LocalMetadataStore final : public MetadataStore {
public:
    // kv and the pool outlive the store. pool: of one thread, on which calls wait for the disk, one after the other.
    LocalMetadataStore(Kv& kv, BlockingPool& pool) : kv_(kv), pool_(pool) {}

    Task<Result<std::uint64_t>> lead() override;
    Task<Result<std::optional<std::string>>> get(std::string key) override;
    Task<Result<std::vector<std::pair<std::string, std::string>>>> list(std::string prefix) override;
    Task<Result<std::vector<std::string>>> keys(std::string prefix) override;
    Task<Result<void>> commit(MetadataCommit commit) override;
    std::uint64_t age_at_opening() const override { return kv_.age_at_opening(); }
    std::uint64_t durable_age() const override { return kv_.durable_age(); }

private:
    Result<std::uint64_t> raise_term();
    Result<void> check(const MetadataCommit& commit) const;
    Result<void> write(const MetadataCommit& commit);

    Kv& kv_;
    BlockingPool& pool_;
};

}  // namespace millrace::state
