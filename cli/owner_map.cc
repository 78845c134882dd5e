#include "cli/owner_map.h"

#include <nlohmann/json.hpp>

#include "cli/document.h"

namespace millrace::cli {

Result<OwnerMap> OwnerMap::from(const nlohmann::json& cluster) {
    OwnerMap map;
    const nlohmann::json& targets = member(cluster, "targets");
    if (!targets.is_array()) {
        return fail(Code::internal, "the cluster map has no list of targets; is the endpoint a Millrace proxy?");
    }
    std::vector<TargetId> ids;
    for (const nlohmann::json& target : targets) {
        Owner owner{TargetId(text_of(target, "id")), {}, flag_of(target, "online"), text_of(target, "reason")};
        if (owner.id.empty()) return fail(Code::internal, "the cluster map has a target without an id");
        // A target that has not come back since the proxy restarted has no address yet.
        if (auto endpoint = http::Endpoint::parse(text_of(target, "endpoint"))) {
            owner.endpoint = std::move(*endpoint);
        } else if (owner.online) {
            return endpoint.error().during("the address of target " + owner.id.str());
        }
        const TargetId id = owner.id;
        if (map.owners_.emplace(id, std::move(owner)).second) ids.push_back(id);
    }
    if (ids.empty()) {
        return fail(Code::unavailable, "the cluster has no targets yet; start one with: millrace target");
    }
    map.placement_ = Placement(count_of(cluster, "version"), std::move(ids));
    return map;
}

const OwnerMap::Owner& OwnerMap::owner(std::string_view object_name) const {
    return owners_.at(*placement_.owner(object_name));
}

}  // namespace millrace::cli
