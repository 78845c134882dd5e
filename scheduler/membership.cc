#include "scheduler/membership.h"

#include "core/log.h"

namespace millrace::scheduler {

Membership::Membership(std::string cluster_id, std::vector<std::string> known_targets, std::uint64_t version, Duration silence_max)
    : cluster_id_(std::move(cluster_id)), silence_max_(silence_max), version_(version) {
    for (std::string& target : known_targets) members_.emplace(std::move(target), Member{});
}

Result<void> Membership::hello(const wire::Hello& hello, bool sealed, Instant now) {
    if (hello.compat_version > wire::kVersion || hello.version < wire::kCompatVersion) {
        return fail(Code::conflict, "it speaks protocol " + std::to_string(hello.version) + ", this proxy " + std::to_string(wire::kVersion));
    }
    if (!hello.cluster_id.empty() && hello.cluster_id != cluster_id_) {
        return fail(Code::conflict, "its folder belongs to cluster " + hello.cluster_id + ", this is " + cluster_id_ +
            "; point it at its own proxy or give it an empty folder");
    }
    auto found = members_.find(hello.target_id);
    if (found == members_.end()) {
        if (sealed) {
            return fail(Code::conflict, "buckets exist and objects do not move between targets, so no target can be added; "
                "start the targets that the cluster had, or remove every bucket first");
        }
        found = members_.emplace(hello.target_id, Member{}).first;
        changed_ = true;
    }
    Member& member = found->second;
    const bool same_process = member.boot_id == hello.boot_id;
    if (member.online && !same_process && now - member.last_heard < silence_max_ / 2 && member.endpoint != hello.endpoint) {
        log::warn("target was replaced by another process of the same id", {{"target", hello.target_id}, {"endpoint", hello.endpoint}});
    }
    if (member.endpoint != hello.endpoint || !same_process) changed_ = true;
    if (!same_process) {
        member.transforms.clear();
        member.transforms_of_catalog = 0;
    }
    member.endpoint = hello.endpoint;
    member.boot_id = hello.boot_id;
    member.catalog_version = hello.catalog_version;
    member.last_heard = now;
    if (changed_) ++version_;
    set_online(hello.target_id, member, true);
    return {};
}

bool Membership::heartbeat(const std::string& target, const wire::Heartbeat& heartbeat, Instant now) {
    Member* member = find(target);
    if (member == nullptr || member->boot_id != heartbeat.boot_id) return false;
    member->last_heard = now;
    member->catalog_version = heartbeat.catalog_version;
    member->map_version = heartbeat.map_version;
    member->running_slices = heartbeat.running_slices;
    set_online(target, *member, true);
    return true;
}

void Membership::goodbye(const std::string& target, const wire::Goodbye& goodbye) {
    Member* member = find(target);
    if (member != nullptr && member->boot_id == goodbye.boot_id) set_online(target, *member, false);
}

void Membership::tick(Instant now) {
    for (auto& [target, member] : members_) {
        if (member.online && now - member.last_heard > silence_max_) set_online(target, member, false);
    }
}

void Membership::set_online(const std::string& target, Member& member, bool online) {
    if (member.online == online) return;
    member.online = online;
    ++version_;
    changed_ = true;
    log::info(online ? "target online" : "target offline", {{"target", target}, {"endpoint", member.endpoint}});
}

Member* Membership::find(const std::string& target) {
    const auto found = members_.find(target);
    return found == members_.end() ? nullptr : &found->second;
}

bool Membership::is_online(const std::string& target) const {
    const auto found = members_.find(target);
    return found != members_.end() && found->second.online;
}

wire::ClusterMap Membership::map() const {
    wire::ClusterMap map{.version = version_, .targets = {}};
    for (const auto& [target, member] : members_) map.targets.push_back({target, member.endpoint, member.online});
    return map;
}

}  // namespace millrace::scheduler
