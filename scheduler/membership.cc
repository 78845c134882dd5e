#include "scheduler/membership.h"

#include <algorithm>

#include "core/log.h"
#include "core/units.h"

namespace millrace::scheduler {
namespace {

constexpr auto kAliveMax = milliseconds(1250);         // who was heard of so recently may be alive: two beats and a half
constexpr auto kTwinPatience = std::chrono::seconds(6);
constexpr auto kClockOffMax = std::chrono::seconds(30);  // half of what tokens and proofs forgive
constexpr auto kProblemKept = std::chrono::seconds(10);  // after the last hello; one that is refused says it every two seconds
constexpr std::size_t kStrangersMax = 64;

std::string ways_out(const std::string& target) {
    return "; start it from the newest folder it had, or, if that is lost: millrace cluster accept " + target;
}

// "Any address" is another one on each machine.
bool is_one_place(const std::string& endpoint) {
    constexpr std::string_view kEverywhere[] = {"http://0.0.0.0:", "http://[::]:", "http://:"};
    return std::ranges::none_of(kEverywhere, [&](std::string_view everywhere) { return endpoint.starts_with(everywhere); });
}

}  // namespace

Membership::Membership(std::string cluster_id, const std::vector<std::string>& known_targets, std::uint64_t version, Duration silence_max,
                       const std::map<std::string, KnownMember>& known)
    : cluster_id_(std::move(cluster_id)), silence_max_(silence_max), version_(version) {
    for (const std::string& target : known_targets) {
        const auto found = known.find(target);
        members_[target].known = found == known.end() ? KnownMember{} : found->second;
    }
}

// Logged when it is news.
Error Membership::refuse(const wire::Hello& hello, std::string reason, Instant now) {
    const auto found = members_.find(hello.target_id);
    std::string* said = nullptr;
    if (found != members_.end()) {
        found->second.contender_heard = now;
        said = &found->second.problem;
    } else if (strangers_.contains(hello.target_id) || strangers_.size() < kStrangersMax) {
        Stranger& stranger = strangers_[hello.target_id];
        stranger.endpoint = hello.endpoint;
        stranger.heard = now;
        said = &stranger.reason;
    }
    if (said != nullptr && *said != reason) {
        *said = reason;
        log::warn("target refused", {{"target", hello.target_id}, {"endpoint", hello.endpoint}, {"reason", reason}});
    }
    return fail(Code::conflict, std::move(reason));
}

Result<void> Membership::hello(const wire::Hello& hello, bool sealed, Instant now) {
    if (hello.compat_version > wire::kVersion || hello.version < wire::kCompatVersion) {
        return refuse(hello, "it speaks protocol " + std::to_string(hello.version) + ", this proxy " + std::to_string(wire::kVersion) +
            "; run the same version of millrace on both", now);
    }
    if (!hello.cluster_id.empty() && hello.cluster_id != cluster_id_) {
        return refuse(hello, "its folder belongs to cluster " + hello.cluster_id + ", this is " + cluster_id_ +
            "; point it at its own proxy or give it an empty folder; if it is this proxy that lost its folder, start the proxy from the newest "
            "folder it had", now);
    }
    if (hello.asks != asks_) {
        return refuse(hello, std::string(asks_ ? "it asks nobody for a token, as this cluster does" : "it asks for tokens, and this cluster does not") +
            "; give all nodes the same 'auth_key' in their configuration, or none", now);
    }
    auto found = members_.find(hello.target_id);
    if (found == members_.end()) {
        if (sealed) {
            return refuse(hello, "buckets exist and objects do not move between targets, so no target can be added; "
                "start the targets that the cluster had, or remove every bucket first", now);
        }
        found = members_.emplace(hello.target_id, Member{}).first;
        changed_ = true;
    }
    MILLRACE_TRY(check_kinship(found->second, hello, now));
    enter(found->second, hello, now);
    return {};
}

// Whether the process that announces itself is the member as it is remembered, and the only one.
Result<void> Membership::check_kinship(Member& member, const wire::Hello& hello, Instant now) {
    if (member.boot_id == hello.boot_id) return {};
    const wire::Kinship kinship = wire::compare(member.known.lineage, hello.lineage);
    if (kinship != wire::Kinship::same) {
        member.contender = hello.lineage;
        return refuse(hello, wire::describe(kinship, "target " + hello.target_id, member.known.lineage, hello.lineage) + ways_out(hello.target_id), now);
    }
    if (!member.online || now - member.last_heard >= kAliveMax) return {};
    // It listens where that one did, so that one is gone.
    if (member.endpoint == hello.endpoint && is_one_place(hello.endpoint)) return {};
    // It may have been started again faster than the end of the one before was noticed: that one is silent soon.
    if (member.contender.boot_id != hello.boot_id) {
        member.contender = hello.lineage;
        member.contender.boot_id = hello.boot_id;
        member.contender_since = now;
    }
    if (now - member.contender_since < kTwinPatience) return fail(Code::unavailable, "the process before it may still run");
    return refuse(hello, "two processes run as target " + hello.target_id + ": one at " + member.endpoint + ", and another at " + hello.endpoint +
        "; stop the one whose folder is the copy", now);
}

void Membership::enter(Member& member, const wire::Hello& hello, Instant now) {
    const bool same_process = member.boot_id == hello.boot_id;
    if (member.endpoint != hello.endpoint || !same_process) changed_ = true;
    if (!same_process) {
        member.transforms.clear();
        member.catalog_problems.clear();
        member.transforms_of_catalog = 0;
    }
    member.endpoint = hello.endpoint;
    member.boot_id = hello.boot_id;
    member.catalog_version = hello.catalog_version;
    member.last_heard = now;
    member.joined_as = hello.lineage;
    member.joined_as.boot_id = hello.boot_id;
    member.problem.clear();
    member.contender = {};
    if (member.known.lineage.store_id.empty() && !hello.lineage.store_id.empty()) {
        member.known.lineage = {.store_id = hello.lineage.store_id, .branches = hello.lineage.branches};  // what it holds comes with its heartbeats
        known_changed_ = true;
    }
    const auto& branches = hello.lineage.branches;
    if (!member.known.new_branch.empty() && !branches.empty() && branches.back() == member.known.new_branch) {
        member.known.new_branch.clear();
        known_changed_ = true;
    }
    if (changed_) ++version_;
    set_online(hello.target_id, member, true);
}

bool Membership::heartbeat(const std::string& target, const wire::Heartbeat& heartbeat, Instant now) {
    Member* member = find(target);
    if (member == nullptr || member->boot_id != heartbeat.boot_id) return false;
    member->last_heard = now;
    member->catalog_version = heartbeat.catalog_version;
    member->map_version = heartbeat.map_version;
    member->running_slices = heartbeat.running_slices;
    grew_older(target, heartbeat.age);
    set_online(target, *member, true);
    return true;
}

void Membership::compare_clocks(const std::string& target, std::chrono::milliseconds there, std::chrono::milliseconds here) {
    if (Member* const member = find(target)) member->clock_ahead = there - here;
}

std::string clock_problem(const std::string& target, const Member& member) {
    if (!member.online || std::chrono::abs(member.clock_ahead) < kClockOffMax) return "";
    const auto off = std::chrono::round<std::chrono::minutes>(std::chrono::abs(member.clock_ahead));
    return "the clock of target " + target + " is about " + duration_text(off) + (member.clock_ahead.count() > 0 ? " ahead of" : " behind") +
           " the proxy's, so that they refuse each other, and it its clients: set both right";
}

void Membership::grew_older(const std::string& target, std::uint64_t age) {
    Member* member = find(target);
    if (member == nullptr || member->boot_id.empty()) return;
    wire::Lineage& known = member->known.lineage;
    if (known.boot_id != member->boot_id || known.branches != member->joined_as.branches) {
        known = member->joined_as;
        known_changed_ = true;
    }
    known.age = std::max(known.age, age);
}

void Membership::goodbye(const std::string& target, const wire::Goodbye& goodbye) {
    Member* member = find(target);
    if (member != nullptr && member->boot_id == goodbye.boot_id) set_online(target, *member, false);
}

void Membership::tick(Instant now) {
    for (auto& [target, member] : members_) {
        if (member.online && now - member.last_heard > silence_max_) set_online(target, member, false);
        if (!member.problem.empty() && now - member.contender_heard > kProblemKept) {
            member.problem.clear();
            member.contender = {};
        }
    }
    std::erase_if(strangers_, [&](const auto& item) { return now - item.second.heard > kProblemKept; });
}

Result<void> Membership::accept(const std::string& target, const std::string& branch) {
    Member* member = find(target);
    if (member == nullptr) return fail(Code::not_found, "target " + target + " is not a member of this cluster; see: millrace cluster show");
    if (member->problem.empty() || member->contender.store_id.empty()) {
        return fail(Code::conflict, "no process that is refused announces itself as target " + target + ", so there is nothing to accept" +
            (member->online ? "" : "; start the target first"));
    }
    member->known.lineage = std::exchange(member->contender, {});
    member->known.new_branch = branch;
    member->problem.clear();
    member->boot_id.clear();
    member->catalog_version = 0;
    known_changed_ = true;
    set_online(target, *member, false);
    return {};
}

void Membership::part() {
    for (auto& [target, member] : members_) {
        member.boot_id.clear();
        set_online(target, member, false);
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

std::map<std::string, KnownMember> Membership::known() const {
    std::map<std::string, KnownMember> known;
    for (const auto& [target, member] : members_) known.emplace(target, member.known);
    return known;
}

wire::ClusterMap Membership::map() const {
    wire::ClusterMap map{.version = version_, .targets = {}};
    for (const auto& [target, member] : members_) map.targets.push_back({target, member.endpoint, member.online});
    return map;
}

}  // namespace millrace::scheduler
