// The targets of the cluster: who belongs to it, who is alive. Pure: handed messages and the time.
//
// A target that is silent stays a member: it still owns its objects. Once the map is sealed (a bucket exists) no new target
// may join, because objects do not move between targets.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "wire/messages.h"

namespace millrace::scheduler {

struct Member {
    std::string endpoint;
    std::string boot_id;
    bool online = false;
    Instant last_heard{};
    std::uint64_t catalog_version = 0;
    std::uint64_t map_version = 0;
    std::uint32_t running_slices = 0;
    std::vector<wire::TransformReport> transforms;
    std::uint64_t transforms_of_catalog = 0;  // the catalog version that `transforms` speaks of
};

class Membership {
public:
    Membership(std::string cluster_id, std::vector<std::string> known_targets, std::uint64_t version, Duration silence_max);

    // Code::conflict with the reason when the target may not join. A new member, a new address or a return raises the version.
    Result<void> hello(const wire::Hello& hello, bool sealed, Instant now);
    // False: unknown, or another process than the one that said hello; it must say hello (again).
    bool heartbeat(const std::string& target, const wire::Heartbeat& heartbeat, Instant now);
    void goodbye(const std::string& target, const wire::Goodbye& goodbye);
    // Marks silent targets offline.
    void tick(Instant now);

    // A member that could not be written down never was one.
    void forget(const std::string& target) { members_.erase(target); }

    Member* find(const std::string& target);
    bool is_online(const std::string& target) const;
    const std::map<std::string, Member>& members() const { return members_; }
    wire::ClusterMap map() const;
    std::uint64_t version() const { return version_; }
    // True once after a change of the map.
    bool take_changed() { return std::exchange(changed_, false); }

private:
    void set_online(const std::string& target, Member& member, bool online);

    const std::string cluster_id_;
    const Duration silence_max_;
    std::map<std::string, Member> members_;
    std::uint64_t version_;
    bool changed_ = false;
};

}  // namespace millrace::scheduler
