#include "tests/sim/folder.h"

namespace millrace::sim {
namespace {

Error dead() { return fail(Code::io, "the process is dead"); }

// Goes on where it was although rows come and go.
class RowsWalk final : public state::Cursor::Walk {
public:
    RowsWalk(const Folder::Rows& rows, std::string_view upper_bound) : rows_(rows), upper_bound_(upper_bound), at_(rows.end()) {}
    void seek(std::string_view key) override { at_ = rows_.lower_bound(key); }
    bool valid() const override { return at_ != rows_.end() && (upper_bound_.empty() || at_->first < upper_bound_); }
    void next() override { ++at_; }
    std::string_view key() const override { return at_->first; }
    std::string_view value() const override { return at_->second; }
    Result<void> status() const override { return {}; }

private:
    const Folder::Rows& rows_;
    const std::string upper_bound_;
    Folder::Rows::const_iterator at_;
};

void put_back(Folder& folder, const Folder::Undo& undo) {
    for (auto change = undo.rbegin(); change != undo.rend(); ++change) {
        const auto& [where, before] = *change;
        Folder::Rows& rows = folder.families[where.first];
        if (before) {
            rows[where.second] = *before;
        } else {
            rows.erase(where.second);
        }
    }
}

}  // namespace

void Folder::lose_power(Random& random) {
    const std::size_t kept = random.below(unsynced.size() + 1);
    while (unsynced.size() > kept) {
        put_back(*this, unsynced.back());
        unsynced.pop_back();
        --changes;
    }
    unsynced.clear();
}

FolderKv::FolderKv(Folder& folder, const DiskFaults& faults, Random& random, Watch watch)
    : folder_(&folder), faults_(faults), random_(random), watch_(std::move(watch)), age_at_opening_(folder.changes) {}

Result<std::optional<std::string>> FolderKv::get(state::FamilyIndex family, std::string_view key) const {
    if (folder_ == nullptr) return dead();
    const auto rows = folder_->families.find(family);
    if (rows == folder_->families.end()) return std::optional<std::string>();
    const auto row = rows->second.find(key);
    return row == rows->second.end() ? std::optional<std::string>() : std::optional(row->second);
}

std::vector<Result<std::optional<std::string>>> FolderKv::get_many(state::FamilyIndex family, std::span<const std::string_view> keys) const {
    std::vector<Result<std::optional<std::string>>> values;
    for (const std::string_view key : keys) values.push_back(get(family, key));
    return values;
}

void FolderKv::apply(const state::Batch& batch) {
    Folder::Undo undo;
    for (const state::Batch::Operation operation : batch) {
        Folder::Rows& rows = folder_->families[operation.family];
        const auto first = rows.lower_bound(operation.first);
        const auto end = operation.kind == state::Batch::Kind::erase_range ? rows.lower_bound(operation.second) : rows.upper_bound(operation.first);
        for (auto row = first; row != end; ++row) undo.push_back({{operation.family, row->first}, row->second});
        if (operation.kind != state::Batch::Kind::put) {
            rows.erase(first, end);
        } else if (first == end) {
            undo.push_back({{operation.family, std::string(operation.first)}, std::nullopt});
            rows.emplace_hint(first, operation.first, std::string(operation.second).append(operation.rest));
        } else {
            first->second = std::string(operation.second).append(operation.rest);
        }
    }
    folder_->unsynced.push_back(std::move(undo));
    ++folder_->changes;
}

Result<void> FolderKv::write(state::Batch&& batch, bool sync) {
    if (folder_ == nullptr) return dead();
    if (is_broken_) return fail(Code::io, "the database takes no more writes until this node is restarted");
    if (faults_.full && !batch.uses_reserve()) return fail(Code::no_space, "the disk is full");
    const bool fails = sync && random_.chance(faults_.write_fails_permille);
    if (!fails || random_.chance(500)) {
        apply(batch);
        if (watch_) watch_(batch, sync && !fails);
    }
    if (fails) {
        is_broken_ = true;
        return fail(Code::io, "the disk had an error; the database takes no more writes until this node is restarted");
    }
    if (folder_ == nullptr) return dead();  // it died of what it had written
    if (sync) return this->sync();
    return {};
}

Result<void> FolderKv::sync() {
    if (folder_ == nullptr) return dead();
    if (is_broken_) return fail(Code::io, "the database takes no more writes until this node is restarted");
    folder_->unsynced.clear();
    durable_age_ = folder_->changes;
    return {};
}

std::optional<state::KvObstacle> FolderKv::obstacle() {
    if (is_broken_) return state::KvObstacle{"the disk had an error", true};
    return faults_.full ? std::optional(state::KvObstacle{"the disk is full", false}) : std::nullopt;
}

state::Cursor FolderKv::cursor(state::FamilyIndex family, std::string_view upper_bound) const {
    if (folder_ == nullptr) return state::Cursor(dead());
    return state::Cursor(std::make_unique<RowsWalk>(folder_->families[family], upper_bound));
}

}  // namespace millrace::sim
