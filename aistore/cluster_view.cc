#include "aistore/cluster_view.h"

#include "aistore/message.h"
#include "core/hash.h"

namespace millrace::aistore {

using nlohmann::json;

namespace {

constexpr std::uint64_t kDigestSeed = 1103515245;
constexpr int kKnowsJobs = 1 << 1, kMaintenance = 1 << 2;  // of a node's flags

}  // namespace

json network(const std::string& url) {
    const std::size_t colon = url.rfind(':');
    const std::size_t host = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
    const bool has_port = colon != std::string::npos && colon >= host;
    return {{"node_hostname", url.substr(host, has_port ? colon - host : std::string::npos)},
            {"node_ip_addr", url.substr(host, has_port ? colon - host : std::string::npos)},
            {"daemon_port", has_port ? url.substr(colon + 1) : ""}, {"direct_url", url}};
}

json cluster_node(const std::string& id, bool is_proxy, const std::string& url, bool online) {
    const json net = network(url);
    return {{"daemon_id", id}, {"daemon_type", is_proxy ? "proxy" : "target"}, {"public_net", net}, {"intra_control_net", net}, {"intra_data_net", net},
            {"flags", is_proxy ? kKnowsJobs : online ? 0 : kMaintenance}, {"id_digest", id_digest(id)}};
}

std::uint64_t id_digest(std::string_view node_id) { return xxh64(node_id, kDigestSeed); }

std::string cluster_map(const ProxyView& proxy, const std::map<std::string, scheduler::Member>& members) {
    const json self = cluster_node(proxy.id, true, proxy.url, true);
    json targets = json::object();
    for (const auto& [id, member] : members) targets[id] = cluster_node(id, false, member.endpoint, member.online);
    return json_text({{"pmap", {{proxy.id, self}}}, {"tmap", std::move(targets)}, {"proxy_si", self}, {"uuid", proxy.cluster_id},
                    {"creation_time", ""}, {"version", std::to_string(proxy.map_version)}});
}

}  // namespace millrace::aistore
