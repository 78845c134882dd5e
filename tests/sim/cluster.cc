#include "tests/sim/cluster.h"

#include "core/placement.h"

namespace millrace::sim {
namespace {

std::vector<TargetId> make_ids(std::size_t count) {
    std::vector<TargetId> ids;
    for (std::size_t i = 0; i < count; ++i) ids.emplace_back("t" + std::to_string(i + 1));
    return ids;
}

}  // namespace

Cluster::Cluster(std::uint64_t seed, std::size_t targets, Settings given)
    : settings(std::move(given)), world(seed), network(world), proxy(*this), ids_(make_ids(targets)) {
    for (const TargetId& id : ids_) targets_.push_back(std::make_unique<Target>(*this, id.str()));
}

Target& Cluster::target(const std::string& id) {
    for (const auto& target : targets_) {
        if (target->id() == id) return *target;
    }
    throw Broken("no target " + id);
}

void Cluster::put_source(const std::string& name) {
    Disk& disk = target(owner_of(name, ids_).str()).disk;
    Source& source = disk.sources[name];
    if (source.version == 0) source.created_seq = disk.next_seq++;
    source.version = ++versions_[name];
    source.bytes = 100 + name.size();
}

void Cluster::remove_source(const std::string& name) {
    if (target(owner_of(name, ids_).str()).disk.sources.erase(name) > 0) truth.removed(name);
}

bool Cluster::remove_source(const std::string& name, std::uint64_t created_seq_end) {
    if (!target(owner_of(name, ids_).str()).disk.remove(name, created_seq_end)) return false;
    truth.removed(name);
    return true;
}

void Cluster::check_slices() {
    for (const auto& target : targets_) {
        for (const auto& [job, slice] : target->disk.slices) {
            truth.check_slice(job, target->id(), disks(), settings.slice.window_objects_max);
        }
    }
}

Disks Cluster::disks() const {
    Disks all;
    for (const auto& target : targets_) all[target->id()] = &target->disk;
    return all;
}

}  // namespace millrace::sim
