// What AIStore's clients read of one node, or of all: how it stands, what it uses, what it has done. Pure: of the vitals that a node says of itself
// (core/vitals.h, and worker/request_counts.h of a target).
#pragma once
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "aistore/cluster_view.h"

namespace millrace::aistore {

// AIStore's version whose clients find here what they look for.
inline constexpr const char* kLikeVersion = "5.0.0";

struct NodeReport {
    std::string id;
    std::string url;
    bool is_proxy = false;
    bool online = true;
    nlohmann::json vitals;  // null where nothing is known
};

nlohmann::json node_stats(const NodeReport& node);
// about: not null of a target: also its slices and transforms, in words of our own.
nlohmann::json node_status(const NodeReport& node, const ProxyView& proxy, const scheduler::Member* about);
// {"proxy":{id:…},"target":{id:…}}
nlohmann::json system_info(const std::vector<NodeReport>& nodes);
nlohmann::json cluster_stats(const std::vector<NodeReport>& nodes);
nlohmann::json mountpaths(const NodeReport& node);
nlohmann::json disk_stats(const NodeReport& node);
// Of all disks that these vitals speak of, each of them once, whichever of a machine's nodes keep objects on it.
std::uint64_t disk_bytes(const std::vector<nlohmann::json>& vitals);
// The name of each number in "tracker", and of what kind it is.
nlohmann::json metric_kinds(const NodeReport& node);

}  // namespace millrace::aistore
