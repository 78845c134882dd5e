// The targets of the cluster as a client sees them, and which one owns an object. Pure.
#pragma once
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "core/ids.h"
#include "core/placement.h"
#include "http/message.h"

namespace millrace::cli {

class OwnerMap {
public:
    struct Owner {
        TargetId id;
        http::Endpoint endpoint;
        bool online = false;
        std::string reason;  // why it is not
    };

    // From the reply of GET /v1/cluster.
    static Result<OwnerMap> from(const nlohmann::json& cluster);
    const Owner& owner(std::string_view object_name) const;

private:
    Placement placement_;  // of targets
    std::map<TargetId, Owner> owners_;
};

}  // namespace millrace::cli
