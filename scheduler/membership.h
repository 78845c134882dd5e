// The targets of the cluster: who belongs to it, who is alive, and whether it still is who it was. Pure: handed messages and the time.
//
// A target that is silent stays a member: it still owns its objects. Once the map is sealed (a bucket exists) no new target
// may join, because objects do not move between targets. A member whose folder is not what is remembered of it does not join:
// it says so, and waits for the right folder, or for accept().
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/clock.h"
#include "core/result.h"
#include "wire/messages.h"

namespace millrace::scheduler {

// What is remembered of a member, and written down.
struct KnownMember {
    wire::Lineage lineage;
    std::string new_branch;  // not empty: it was accepted, and has not written that down yet
    MSGPACK_DEFINE_MAP(lineage, new_branch)
};

struct Member {
    std::string route;  // where the bus finds its process
    std::string endpoint;
    std::string boot_id;
    bool online = false;
    Instant last_heard{};
    std::uint64_t catalog_version = 0;
    std::uint64_t map_version = 0;
    std::uint32_t running_slices = 0;
    std::chrono::milliseconds clock_ahead{0};  // of this proxy's, as its last heartbeat said
    std::vector<wire::TransformReport> transforms;
    std::vector<wire::CatalogProblem> catalog_problems;
    std::uint64_t transforms_of_catalog = 0;  // the catalog version that `transforms` and `catalog_problems` speak of

    KnownMember known;
    wire::Lineage joined_as;    // what it said when it joined; known once it says that it is in
    std::string problem;        // why a process that announces itself under this id does not join; ends with what to do
    wire::Lineage contender;    // of that process
    Instant contender_since{};
    Instant contender_heard{};
};

// What is wrong with its clock, with what to do; empty: nothing. Tokens, proofs and certificates of nodes that differ by a minute are refused.
std::string clock_problem(const std::string& target, const Member& member);

// Who is not a member and does not become one.
struct Stranger {
    std::string endpoint;
    std::string reason;
    Instant heard{};
};

class Membership {
public:
    Membership(std::string cluster_id, const std::vector<std::string>& known_targets, std::uint64_t version, Duration silence_max,
               const std::map<std::string, KnownMember>& known = {});

    // Whether this cluster asks for tokens: a target that does it otherwise does not join.
    void set_asks(bool asks) { asks_ = asks; }
    // Code::conflict with the reason when the target may not join; Code::unavailable while the process before it may still be alive.
    // A new member, a new address or a return raises the version.
    Result<void> hello(const wire::Hello& hello, bool sealed, Instant now);
    // False: unknown, or another process than the one that said hello; it must say hello (again).
    bool heartbeat(const std::string& target, const wire::Heartbeat& heartbeat, Instant now);
    // What it said to be the time, and the time here.
    void compare_clocks(const std::string& target, std::chrono::milliseconds there, std::chrono::milliseconds here);
    // It has told of something durable, at this age of its folder.
    void grew_older(const std::string& target, std::uint64_t age);
    void goodbye(const std::string& target, const wire::Goodbye& goodbye);
    // Marks silent targets offline.
    void tick(Instant now);
    // The process that announces itself under this id is believed from now on; what was remembered of another is forgotten, and it gets the
    // new branch. Code::conflict when there is none that waits.
    Result<void> accept(const std::string& target, const std::string& branch);
    // Nobody is online: this proxy may not lead them.
    void part();

    // A member that could not be written down never was one.
    void forget(const std::string& target) { members_.erase(target); }

    Member* find(const std::string& target);
    bool is_online(const std::string& target) const;
    const std::map<std::string, Member>& members() const { return members_; }
    const std::map<std::string, Stranger>& strangers() const { return strangers_; }
    std::map<std::string, KnownMember> known() const;
    wire::ClusterMap map() const;
    std::uint64_t version() const { return version_; }
    // True once after a change of the map.
    bool take_changed() { return std::exchange(changed_, false); }
    // True once after a change of what is to be remembered; ages alone do not count.
    bool take_known_changed() { return std::exchange(known_changed_, false); }

private:
    void set_online(const std::string& target, Member& member, bool online);
    Error refuse(const wire::Hello& hello, std::string reason, Instant now);
    Result<void> check_kinship(Member& member, const wire::Hello& hello, Instant now);
    void enter(Member& member, const wire::Hello& hello, Instant now);

    const std::string cluster_id_;
    const Duration silence_max_;
    std::map<std::string, Member> members_;
    std::map<std::string, Stranger> strangers_;
    std::uint64_t version_;
    bool asks_ = false;
    bool changed_ = false;
    bool known_changed_ = false;
};

}  // namespace millrace::scheduler
