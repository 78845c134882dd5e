#include "aistore/cluster_view.h"

#include "aistore/message.h"
#include "core/hash.h"

namespace millrace::aistore {

using nlohmann::json;

namespace {

constexpr std::uint64_t kDigestSeed = 1103515245;
constexpr int kMaintenance = 1 << 2;  // of a node's flags

json network(const std::string& url) {
    const std::size_t colon = url.rfind(':');
    const std::size_t host = url.find("://") == std::string::npos ? 0 : url.find("://") + 3;
    const bool has_port = colon != std::string::npos && colon >= host;
    return {{"node_hostname", url.substr(host, has_port ? colon - host : std::string::npos)},
            {"node_ip_addr", url.substr(host, has_port ? colon - host : std::string::npos)},
            {"daemon_port", has_port ? url.substr(colon + 1) : ""}, {"direct_url", url}};
}

json node(const std::string& id, const char* type, const std::string& url, int flags) {
    const json net = network(url);
    return {{"daemon_id", id}, {"daemon_type", type}, {"public_net", net}, {"intra_control_net", net}, {"intra_data_net", net},
            {"flags", flags}, {"id_digest", id_digest(id)}};
}

json target_node(const std::string& id, const scheduler::Member& member) {
    return node(id, "target", member.endpoint, member.online ? 0 : kMaintenance);
}

}  // namespace

std::uint64_t id_digest(std::string_view node_id) { return xxh64(node_id, kDigestSeed); }

std::string cluster_map(const ProxyView& proxy, const std::map<std::string, scheduler::Member>& members) {
    const json self = node(proxy.id, "proxy", proxy.url, 0);
    json targets = json::object();
    for (const auto& [id, member] : members) targets[id] = target_node(id, member);
    return json_text({{"pmap", {{proxy.id, self}}}, {"tmap", std::move(targets)}, {"proxy_si", self}, {"uuid", proxy.cluster_id},
                    {"creation_time", ""}, {"version", std::to_string(proxy.map_version)}});
}

std::string cluster_configuration() {
    return json_text({{"auth", {{"enabled", false}}}, {"backend", json::object()}, {"checksum", {{"type", "xxhash2"}}},
                    {"mirror", {{"enabled", false}}}, {"ec", {{"enabled", false}}}, {"versioning", {{"enabled", true}}}});
}

Result<std::string> node_status(const std::string& id, const ProxyView& proxy, const std::map<std::string, scheduler::Member>& members) {
    if (id == proxy.id) return json_text({{"snode", node(proxy.id, "proxy", proxy.url, 0)}, {"status", "online"}});
    const auto found = members.find(id);
    if (found == members.end()) return fail(Code::not_found, "node " + id + " is not a member of the cluster");
    json transforms = json::array();
    for (const wire::TransformReport& report : found->second.transforms) {
        transforms.push_back({{"name", report.name}, {"state", report.state}, {"objects", report.runs}, {"failures", report.failures},
                              {"cpu_seconds", static_cast<double>(report.cpu_millis) / 1000}, {"memory_bytes", report.memory_bytes}});
    }
    return json_text({{"snode", target_node(id, found->second)}, {"status", found->second.online ? "online" : "offline"},
                    {"running_slices", found->second.running_slices}, {"transforms", std::move(transforms)}});
}

}  // namespace millrace::aistore
