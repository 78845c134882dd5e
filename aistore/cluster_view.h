// The cluster as AIStore's clients read it. Pure.
#pragma once
#include <cstdint>
#include <map>
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
};
std::string cluster_map(const ProxyView& proxy, const std::map<std::string, scheduler::Member>& members);
std::string cluster_configuration();
// What a node says of itself. Code::not_found for a node that is no member.
Result<std::string> node_status(const std::string& node, const ProxyView& proxy, const std::map<std::string, scheduler::Member>& members);

}  // namespace millrace::aistore
