// Where the targets are, and which of them owns an object. Control loop only.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "http/client.h"
#include "scheduler/cluster_state.h"

namespace millrace::scheduler {

class TargetDirectory {
public:
    // Both outlive it. client: by which targets are asked.
    TargetDirectory(const ClusterState& state, http::Client& client) : state_(state), client_(client) {}

    std::vector<TargetId> ids() const;
    // Code::unavailable while it is offline, with what to do.
    Result<http::Endpoint> endpoint_of(const std::string& target) const;
    // Code::unavailable while no target has joined.
    Result<TargetId> owner(std::string_view object_name) const;
    // Shows the target that the proxy makes the request, whose method and target are final.
    void prove(http::ClientRequest& request, const std::string& target) const;
    http::Client& client() const { return client_; }

private:
    const ClusterState& state_;
    http::Client& client_;
};

}  // namespace millrace::scheduler
