#include "scheduler/cluster_state.h"

#include <algorithm>

#include "core/ids.h"
#include "scheduler/pins.h"

namespace millrace::scheduler {
namespace {
// The version that was written down may be older than the last one told to targets.
constexpr std::uint64_t kVersionsUnwritten = 1'000'000;
}  // namespace

ClusterState::ClusterState(RestoredCluster restored, Duration silence_max, Instant now)
    : proxy_id(restored.identity.proxy_id), cluster_id(restored.identity.cluster_id),
      node_keys(std::make_shared<const auth::KeysOfProxy>(restored.identity.node_secret)), boot_id(random_id("b-")),
      members(cluster_id, restored.members.targets, restored.members.version + kVersionsUnwritten, silence_max, restored.members.known),
      catalog(std::move(restored.catalog), std::move(restored.tombstones.versions)),
      jobs([this](const std::string& target) { return members.is_online(target); }),
      leadership(proxy_id, cluster_id, boot_id, std::move(restored.own)) {
    jobs.set_uptime(milliseconds(restored.members.uptime_ms), now);
}

Result<void> ClusterState::check_leads() const {
    if (leadership.outdated().empty()) return {};
    return fail(Code::conflict, leadership.outdated());  // it does not pass by itself
}

Result<void> ClusterState::check_has_targets() const {
    if (!members.members().empty()) return {};
    return fail(Code::unavailable, "no target has joined yet; start one with: millrace target --config FILE");
}

std::vector<std::string> ClusterState::problems() const {
    std::vector<std::string> problems;
    if (!leadership.outdated().empty()) problems.push_back(leadership.outdated());
    for (const auto& [target, member] : members.members()) {
        for (std::string problem : {member.problem, clock_problem(target, member)}) {
            if (!problem.empty()) problems.push_back(std::move(problem));
        }
        for (const wire::CatalogProblem& problem : member.catalog_problems) {
            problems.push_back("target " + target + " has not applied '" + problem.name + "': " + problem.reason);
        }
    }
    for (const auto& [id, stranger] : members.strangers()) problems.push_back("target " + id + " at " + stranger.endpoint + ": " + stranger.reason);
    return problems;
}

std::vector<std::string> ClusterState::targets() const {
    std::vector<std::string> ids;
    for (const auto& [target, member] : members.members()) ids.push_back(target);
    return ids;
}

Placement ClusterState::placement() const {
    std::vector<TargetId> ids;
    for (const auto& [target, member] : members.members()) ids.emplace_back(target);
    return {members.version(), std::move(ids)};
}

IsOnline ClusterState::is_online() const {
    return [this](const std::string& target) { return members.is_online(target); };
}

MemberList ClusterState::member_list(Instant now) const {
    return {members.version(), targets(), members.known(), static_cast<std::uint64_t>(jobs.uptime(now).count())};
}

std::uint64_t ClusterState::applied_by_all() const {
    std::uint64_t applied = catalog.wire().version;
    for (const auto& [target, member] : members.members()) {
        const bool all_of_it = member.catalog_problems.empty() && !member.boot_id.empty();
        applied = std::min(applied, all_of_it ? std::min(member.catalog_version, member.transforms_of_catalog) : 0);
    }
    return applied;
}

void ClusterState::check_jobs(Instant now, std::int64_t now_unix_ns) {
    const auto check = [this](const Job& job) { return check_pins(job, catalog, "resume"); };
    jobs.check_unfinished(check, now, now_unix_ns);
}

}  // namespace millrace::scheduler
