// The database of a simulated node: what is in its folder, and which of it would survive a power cut.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "state/kv.h"
#include "tests/sim/random.h"

namespace millrace::sim {

// Outlives the processes that open it. Can be copied.
struct Folder {
    using Rows = std::map<std::string, std::string, std::less<>>;
    // What a batch wrote over, newest last.
    using Undo = std::vector<std::pair<std::pair<state::FamilyIndex, std::string>, std::optional<std::string>>>;

    // Some of what was not synced is gone: the newest of it.
    void lose_power(Random& random);

    std::map<state::FamilyIndex, Rows> families;
    std::vector<Undo> unsynced;  // batches
    std::uint64_t changes = 0;
};

// What can go wrong with a disk.
struct DiskFaults {
    bool full = false;
    std::uint32_t bucket_fails_permille = 0;
    std::uint32_t write_fails_permille = 0;  // whether it was written is not known then
};

// The database as one process has it open.
class FolderKv final : public state::Kv {
public:
    // watch: told of each batch that was written.
    using Watch = std::function<void(const state::Batch& batch, bool sync)>;
    FolderKv(Folder& folder, const DiskFaults& faults, Random& random, Watch watch);

    // The process is dead: nothing that it still does reaches the folder.
    void die() { folder_ = nullptr; }
    // It takes no more writes until it is opened again.
    bool is_broken() const { return is_broken_; }

    Result<std::optional<std::string>> get(state::FamilyIndex family, std::string_view key) const override;
    std::vector<Result<std::optional<std::string>>> get_many(state::FamilyIndex family, std::span<const std::string_view> keys) const override;
    Result<void> write(state::Batch&& batch, bool sync) override;
    Result<void> sync() override;
    std::optional<state::KvObstacle> obstacle() override;
    std::uint64_t age_at_opening() const override { return age_at_opening_; }
    std::uint64_t durable_age() const override { return durable_age_; }
    state::Cursor cursor(state::FamilyIndex family, std::string_view upper_bound) const override;

private:
    void apply(const state::Batch& batch);

    Folder* folder_;
    const DiskFaults& faults_;
    Random& random_;
    const Watch watch_;
    const std::uint64_t age_at_opening_;
    std::uint64_t durable_age_ = 0;
    bool is_broken_ = false;
};

}  // namespace millrace::sim
