// Changes of buckets and transforms: written down, told to the targets, and waited for. Control loop only.
//
// Each returns when every online target has applied it. Code::unavailable, with the target and its reason, when one has not: the change is
// made all the same, and the target goes on trying.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "scheduler/control_plane.h"

namespace millrace::scheduler {

class CatalogService {
public:
    // How long after its init_timeout a transform is waited for.
    static constexpr auto kApplyPatience = std::chrono::seconds(10);

    CatalogService(ClusterState& state, ControlPlane& control) : state_(state), control_(control) {}

    Task<Result<void>> create_bucket(std::string name, std::uint64_t small_object_bytes_max);
    // Both are Code::conflict while a job that has not ended uses the bucket.
    Task<Result<void>> destroy_bucket(std::string name);
    Task<Result<void>> rename_bucket(std::string from, std::string to);
    // Registered only when it runs on every online target: otherwise Code::rejected with the target and its reason.
    Task<Result<void>> add_transform(std::string name, std::string spec_json, Duration init_timeout);
    Task<Result<void>> remove_transform(std::string name);
    // Stopping returns when nothing of it runs any more.
    Task<Result<void>> enable_transform(std::string name, bool enabled);
    // new_version: not null: what it computes may be another thing from now on, although its words are the same. The version is
    // this text; where that is empty, a number that follows the present one.
    Task<Result<void>> restart_transform(std::string name, std::optional<std::string> new_version);

    // A token, or all of a subject, are refused from now on, by the targets that are online when it returns.
    Task<Result<void>> revoke(wire::RevokedEntry entry);

private:
    // What is changed, from what there is, in a turn. Whether anything was.
    using Change = std::function<Result<void>(DesiredCatalog& changed)>;
    Task<Result<bool>> change(Change how);
    Task<Result<bool>> change_in_turn(const Change& how);
    Result<void> refuse_if_used(const std::string& bucket) const;
    Result<void> refuse_if_run(const std::string& transform) const;
    // Takes back a registration, unless somebody else has registered another meanwhile.
    Task<Result<void>> unregister(const std::string& name, const std::string& spec_json);

    // Whether a target is as it should be. An error ends the wait.
    using JudgeOfTarget = std::function<Result<bool>(const std::string& target, const Member& member)>;
    // Until every online target is; the name of one that was not at the deadline, or empty.
    Task<Result<std::string>> wait_for_targets(JudgeOfTarget judge, Instant deadline);
    // The entry of the catalog as it is now.
    Task<Result<void>> wait_until_applied(std::string entry, Duration patience);
    Task<Result<void>> wait_until_stopped(std::string transform, Duration patience);
    Task<Result<void>> wait_until_running(std::string transform, Duration patience);

    ClusterState& state_;
    ControlPlane& control_;
};

}  // namespace millrace::scheduler
