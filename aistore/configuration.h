// The configuration of a cluster and of a node, as AIStore's clients read it. Pure.
//
// Every member that AIStore always sends is there. What a Millrace cluster has no choice of, or has not at all, says so: switched off, nothing, no
// time. What there is a choice of is in the configuration file of each node, and is not changed over HTTP.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "core/result.h"
#include "core/uri.h"

namespace millrace::aistore {

// The proxy, where clients find it.
nlohmann::json cluster_configuration(const std::string& proxy_url, const std::string& cluster_id);
// The same, and what is of the node alone: where it listens, and the folders it keeps objects in.
nlohmann::json node_configuration(nlohmann::json cluster, const std::string& node_url, const std::vector<std::string>& folders);

// "log.level=3&…" sets what is so already; anything else is Code::invalid_argument, which says where it is set.
Result<void> check_settings(const Query& settings, const nlohmann::json& configuration);
// The same of {"log":{"level":"3"}}.
Result<void> check_settings(const nlohmann::json& settings, const nlohmann::json& configuration);

}  // namespace millrace::aistore
