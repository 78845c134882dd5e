#include "tests/sim/disk.h"

#include "state/families.h"
#include "state/record.h"
#include "state/slice_store.h"
#include "tests/sim/world.h"
#include "worker/progress_record.h"

namespace millrace::sim {
namespace {

template <class Record>
Record decoded(std::string_view bytes) {
    auto record = state::decode_record<Record>("a record of the simulation", bytes);
    if (!record) throw Broken(record.error().context);
    return std::move(*record);
}

void read_order(SliceDisk& slice, const state::SliceOrder& order) {
    slice.revision = order.revision;
    slice.desired = static_cast<wire::Desired>(order.desired);
    slice.epoch = order.epoch;
    slice.pass = order.pass;
    slice.incarnation = order.incarnation;
    slice.created_seq_end = order.created_seq_end;
}

worker::FailedObject read_row(const state::LedgerRow& row) {
    return {row.quarantined, fail(static_cast<Code>(row.code), row.message), row.stderr_tail, row.attempts, row.pass};
}

}  // namespace

void Disk::name_store(const std::string& id) { folder.families[state::target_family::meta]["store_id"] = id; }

void Disk::lose_power(Random& random) {
    sources.merge(removed_);
    removed_.clear();
    std::erase_if(outputs, [](const auto& item) { return !item.second.durable; });
    for (auto& [where, stored] : outputs) stored.newest = stored.durable;
    folder.lose_power(random);
    read_slices();
}

void Disk::sync_outputs() {
    sync_removals();
    for (auto& [where, stored] : outputs) stored.durable = stored.newest;
}

std::string Disk::uid_of(const std::string& bucket) const {
    const auto found = buckets.find(bucket);
    return found == buckets.end() ? "" : found->second;
}

void Disk::put_source(const std::string& name, std::uint64_t version) {
    Source& source = sources[name];
    if (source.version == 0) source.created_seq = next_seq++;
    source.version = version;
    source.bytes = 100 + name.size();
}

bool Disk::remove(const std::string& name, std::uint64_t created_seq_end) {
    const auto found = sources.find(name);
    if (found == sources.end() || found->second.created_seq >= created_seq_end) return false;
    removed_.insert_or_assign(name, found->second);
    sources.erase(found);
    return true;
}

bool Disk::saw(const state::Batch::Operation& row) {
    const std::string key(row.first);
    const bool is_put = row.kind == state::Batch::Kind::put;
    if (row.family == state::target_family::ledger && row.kind != state::Batch::Kind::erase_range) {
        const std::size_t end = key.find('\0');
        SliceDisk& slice = slices[key.substr(0, end)];
        if (is_put) {
            slice.ledger[key.substr(end + 1)] = read_row(decoded<state::LedgerRow>(row.second));
        } else {
            slice.ledger.erase(key.substr(end + 1));
        }
    }
    if (row.family != state::target_family::slices || key.find('/') == key.npos) return false;
    const std::string kind = key.substr(0, key.find('/'));
    const std::string job = key.substr(kind.size() + 1);
    if (kind == "order" && !is_put) slices.erase(job);
    if (kind == "spec" && is_put) slices[job].spec = decoded<wire::JobSpec>(row.second);
    if (kind == "checkpoint" && is_put) slices[job].checkpoint = worker::from_record(decoded<state::SliceCheckpoint>(row.second));
    if (kind != "order" || !is_put) return false;
    const bool is_new = !slices.contains(job);
    read_order(slices[job], decoded<state::SliceOrder>(row.second));
    return is_new;
}

std::uint64_t Disk::fence(const std::string& job, const std::string& slice) const {
    const auto rows = folder.families.find(state::target_family::slices);
    if (rows == folder.families.end()) return 0;
    const auto row = rows->second.find("fence/" + job + std::string(1, '\0') + slice);
    if (row == rows->second.end()) return 0;
    const auto record = decoded<std::map<std::string, std::uint64_t>>(row->second);
    const auto found = record.find("fence");
    return found == record.end() ? 0 : found->second;
}

void Disk::read_slices() {
    const std::map<std::string, SliceDisk> before = std::exchange(slices, {});
    for (const state::FamilyIndex family : {state::target_family::slices, state::target_family::ledger}) {
        for (const auto& [key, value] : folder.families[family]) (void)saw({state::Batch::Kind::put, family, key, value, {}});
    }
    for (auto& [job, slice] : slices) {
        const auto known = before.find(job);
        if (known != before.end()) slice.selection = known->second.selection;
    }
}

}  // namespace millrace::sim
