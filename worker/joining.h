// How a target comes into a cluster whose control plane is protected: it shows an invitation, with its key, and keeps what it is told of the proxy in
// its folder, so that later starts need no invitation. Control loop only.
#pragma once
#include <optional>
#include <string>

#include "core/task.h"
#include "http/client.h"
#include "wire/join_code.h"
#include "wire/node_key.h"

namespace millrace::worker {

// Where the proxy is, and how it is known again.
struct ProxyAccess {
    std::string control;    // "tcp://host:port"
    std::string proxy_key;  // public
};

// From <folder>/proxy_access; nullopt: it never joined by an invitation. Code::corrupt says what to do.
Result<std::optional<ProxyAccess>> read_proxy_access(const std::string& folder);
// Shows the invitation, and writes <folder>/proxy_access. Code::permission: it is not good (any more). Code::unavailable: the proxy does not answer; the
// same invitation may be shown again.
Task<Result<ProxyAccess>> join_cluster(http::Client& client, std::string folder, std::string node, wire::NodeKey key, wire::JoinCode code);

}  // namespace millrace::worker
