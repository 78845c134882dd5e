#include "scheduler/target_directory.h"

#include "auth/node_proof.h"
#include "core/clock.h"

namespace millrace::scheduler {

std::vector<TargetId> TargetDirectory::ids() const {
    std::vector<TargetId> ids;
    for (const auto& [target, member] : state_.members.members()) ids.emplace_back(target);
    return ids;
}

Result<http::Endpoint> TargetDirectory::endpoint_of(const std::string& target) const {
    MILLRACE_TRY(state_.check_leads());
    const auto& members = state_.members.members();
    const auto found = members.find(target);
    if (found != members.end() && !found->second.online && !found->second.problem.empty()) return fail(Code::unavailable, found->second.problem);
    if (found == members.end() || !found->second.online) {
        return fail(Code::unavailable, "target " + target + " is offline; start it with: millrace target --config FILE");
    }
    return http::Endpoint::parse(found->second.endpoint);
}

Result<TargetId> TargetDirectory::owner(std::string_view object_name) const {
    MILLRACE_TRY(state_.check_has_targets());
    const Placement placement = state_.placement();
    return *placement.owner(object_name);
}

void TargetDirectory::prove(http::ClientRequest& request, const std::string& target) const {
    request.headers.set(auth::kProofHeader, auth::make_proof(*state_.node_keys, target, request.method, request.target, unix_now_ns() / 1'000'000'000));
}

}  // namespace millrace::scheduler
