// The cluster as AIStore's clients read it. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "scheduler/membership.h"

namespace millrace::aistore {

// By which AIStore's clients compute the owner of an object themselves. Ours differs (core/placement.h): targets pass on
// what is asked of them and not theirs.
std::uint64_t id_digest(std::string_view node_id);

struct ProxyView {
    std::string id;
    std::string cluster_id;
    std::string url;  // as the client reached it
    std::uint64_t map_version = 0;
    std::uint64_t catalog_version = 0;
};
std::string cluster_map(const ProxyView& proxy, const std::map<std::string, scheduler::Member>& members);

// One node of the map.
nlohmann::json cluster_node(const std::string& id, bool is_proxy, const std::string& url, bool online);
// {"node_hostname","node_ip_addr","daemon_port","direct_url"} of "http://HOST:PORT".
nlohmann::json network(const std::string& url);

}  // namespace millrace::aistore
