// What a proxy knows of its cluster: who belongs to it, what it should have, its jobs, and whether this proxy may lead it. Pure.
//
// Lives on the control loop. It is changed in a turn of the control plane (control_plane.h); anybody there may look.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "auth/node_keys.h"
#include "core/placement.h"
#include "core/result.h"
#include "scheduler/desired_catalog.h"
#include "scheduler/leadership.h"
#include "scheduler/membership.h"
#include "scheduler/proxy_records.h"
#include "scheduler/scheduler.h"

namespace millrace::scheduler {

// As it was written down.
struct RestoredCluster {
    ProxyIdentity identity;
    wire::Catalog catalog;
    Tombstones tombstones;
    MemberList members;
    wire::OwnLineage own;
};

struct ClusterState {
    // silence_max: after which a target counts as offline. now: the proxy's start. Jobs are restored one by one.
    ClusterState(RestoredCluster restored, Duration silence_max, Instant now);
    ClusterState(const ClusterState&) = delete;

    const std::string proxy_id;
    const std::string cluster_id;
    const std::shared_ptr<const auth::KeysOfProxy> node_keys;
    const std::string boot_id;
    Membership members;
    DesiredCatalog catalog;
    Scheduler jobs;
    Leadership leadership;
    wire::Catalog newest_catalog;  // that a target has, while this proxy leads nobody

    // Once a bucket exists no new target may join.
    bool sealed() const { return !catalog.wire().buckets.empty(); }
    // Code::unavailable while this proxy leads nobody.
    Result<void> check_leads() const;
    // Code::unavailable while the cluster has no target.
    Result<void> check_has_targets() const;
    // What is wrong with the cluster's nodes, a sentence each with what to do. Empty when all is well.
    std::vector<std::string> problems() const;
    std::vector<std::string> targets() const;
    // Who owns what, as of the newest map; of no targets while there are none.
    Placement placement() const;
    IsOnline is_online() const;
    MemberList member_list(Instant now) const;
    // The newest version of the catalog that every member has applied, all of it; 0: there is none.
    std::uint64_t applied_by_all() const;
    // Gives up jobs that are about what the catalog does not have any more.
    void check_jobs(Instant now, std::int64_t now_unix_ns);
};

}  // namespace millrace::scheduler
