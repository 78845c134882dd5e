#include "aistore/node_view.h"

#include <algorithm>
#include <set>

#include "core/json_members.h"

namespace millrace::aistore {
namespace {

using nlohmann::json;

constexpr int kStarted = 1 << 1 | 1 << 2;  // the cluster, the node
constexpr const char* kUptime = "up.ns.time";

struct Metric {
    std::string name;
    const char* kind;
    std::uint64_t value;
};

// What a target counts, under the names that AIStore has for it.
std::vector<Metric> request_metrics(const json& requests) {
    std::vector<Metric> metrics;
    for (const auto& [ours, theirs] : {std::pair("get", "get"), std::pair("put", "put"), std::pair("head", "head"), std::pair("append", "append"),
                                       std::pair("delete", "del"), std::pair("rename", "ren")}) {
        const json& of_kind = member(requests, ours);
        const std::string name = theirs;
        metrics.push_back({name + ".n", "counter", count_of(of_kind, "ok")});
        metrics.push_back({"err." + name + ".n", "counter", count_of(of_kind, "failed")});
        metrics.push_back({name + ".ns.total", "total", count_of(of_kind, "ns")});
    }
    for (const auto& [name, bytes] : {std::pair("get", count_of(requests, "sent_bytes")), std::pair("put", count_of(requests, "stored_bytes"))}) {
        metrics.push_back({std::string(name) + ".size", "size", bytes});
        metrics.push_back({std::string(name) + ".bps", "bw", bytes});  // whoever asks twice knows the time between
    }
    return metrics;
}

std::vector<Metric> disk_metrics(const json& rates) {
    std::vector<Metric> metrics;
    if (!rates.is_object()) return metrics;
    for (const auto& [disk, rate] : rates.items()) {
        const std::string prefix = "disk." + disk + ".";
        metrics.push_back({prefix + "read.bps", "compbw", count_of(rate, "read")});
        metrics.push_back({prefix + "write.bps", "compbw", count_of(rate, "write")});
        metrics.push_back({prefix + "avg.rsize", "gauge", count_of(rate, "read_average")});
        metrics.push_back({prefix + "avg.wsize", "gauge", count_of(rate, "write_average")});
        metrics.push_back({prefix + "util", "gauge", count_of(rate, "busy")});
    }
    return metrics;
}

std::vector<Metric> metrics_of(const NodeReport& node) {
    std::vector<Metric> metrics{{kUptime, "special", count_of(node.vitals, "running_ns")}, {"state.flags", "gauge", kStarted}};
    if (node.is_proxy) return metrics;
    for (const auto& more : {request_metrics(member(node.vitals, "requests")), disk_metrics(member(node.vitals, "rates"))}) {
        metrics.insert(metrics.end(), more.begin(), more.end());
    }
    return metrics;
}

json tracker_of(const NodeReport& node) {
    json tracker = json::object();
    for (const Metric& metric : metrics_of(node)) tracker[metric.name] = {{"v", std::to_string(metric.value)}};
    return tracker;
}

json capacity_of(const NodeReport& node) {
    json paths = json::object();
    std::uint64_t used = 0, available = 0, most = 0, least = 100, sum = 0;
    std::set<std::string> counted;  // several folders may lie on one disk
    for (const json& disk : items_of(node.vitals, "disks")) {
        const std::string name = text_of(disk, "disk");
        const std::uint64_t percent = count_of(disk, "used_percent");
        paths[text_of(disk, "folder")] = {
            {"used", std::to_string(count_of(disk, "used"))}, {"avail", std::to_string(count_of(disk, "available"))}, {"pct_used", percent},
            {"disks", name.empty() ? json::array() : json::array({name})}, {"mountpath_label", ""},
            {"fs", {{"Fs", text_of(disk, "device")}, {"FsType", text_of(disk, "filesystem")}, {"FsID", member(disk, "id")}}}};
        most = std::max(most, percent);
        least = std::min(least, percent);
        sum += percent;
        if (!counted.insert(text_of(disk, "device")).second) continue;
        used += count_of(disk, "used");
        available += count_of(disk, "available");
    }
    const std::size_t number = paths.size();
    return {{"Mountpaths", std::move(paths)}, {"total_used", std::to_string(used)}, {"total_avail", std::to_string(available)}, {"pct_max", most},
            {"pct_avg", number == 0 ? 0 : sum / number}, {"pct_min", number == 0 ? 0 : least}, {"cs_err", ""}};
}

json memory_and_processors(const NodeReport& node) {
    const json& memory = member(node.vitals, "memory");
    const json& process = member(node.vitals, "process");
    const json& load = items_of(node.vitals, "load");
    const auto load_at = [&load](std::size_t i) { return i < load.size() && load[i].is_number() ? load[i].get<double>() : 0.0; };
    const std::uint64_t total = count_of(memory, "total"), available = count_of(memory, "available"), resident = count_of(process, "resident");
    const std::uint64_t user = count_of(process, "user_ms"), system = count_of(process, "system_ms");
    const double running_ms = static_cast<double>(count_of(node.vitals, "running_ns")) / 1e6;
    const double percent = running_ms > 0 ? static_cast<double>(user + system) * 100 / running_ms : 0;
    const double processors = static_cast<double>(std::max<std::uint64_t>(count_of(node.vitals, "processors"), 1));
    const std::uint64_t swap_total = count_of(memory, "swap_total"), swap_free = count_of(memory, "swap_free");
    return {{"mem_used", resident}, {"mem_avail", available},
            {"pct_mem_used", total == 0 ? 0.0 : static_cast<double>(resident) * 100 / static_cast<double>(total)}, {"pct_cpu_used", percent},
            {"load_avg", {{"One", load_at(0)}, {"Five", load_at(1)}, {"Fifteen", load_at(2)}}},
            {"cpu_util", static_cast<std::int64_t>(std::min(100.0, load_at(0) * 100 / processors))},
            {"mem", {{"Total", total}, {"Used", total - count_of(memory, "free")}, {"Free", count_of(memory, "free")},
                     {"BuffCache", count_of(memory, "buffers_and_cache")}, {"ActualFree", available}, {"ActualUsed", total - std::min(available, total)},
                     {"SwapTotal", swap_total}, {"SwapFree", swap_free}, {"SwapUsed", swap_total - std::min(swap_free, swap_total)}}},
            {"proc", {{"CPU", {{"User", user}, {"System", system}, {"Total", user + system}, {"LastTime", 0}, {"Percent", percent}}},
                      {"Mem", {{"Size", count_of(process, "virtual")}, {"Resident", resident}, {"Share", count_of(process, "shared")}}}}}};
}

json node_of(const NodeReport& node) { return cluster_node(node.id, node.is_proxy, node.url, node.online); }

}  // namespace

json node_stats(const NodeReport& node) { return {{"snode", node_of(node)}, {"tracker", tracker_of(node)}, {"capacity", capacity_of(node)}}; }

json node_status(const NodeReport& node, const ProxyView& proxy, const scheduler::Member* about) {
    json status = node_stats(node);
    const std::string map_version = std::to_string(proxy.map_version);
    status.update({{"status", node.online ? "online" : "offline"}, {"deployment", "linux"}, {"ais_version", kLikeVersion}, {"build_time", ""},
                   {"k8s_pod_name", ""}, {"smap_version", map_version}, {"sys_info", memory_and_processors(node)}});
    status["Cluster"] = {{"smap", {{"primary", {{"pub_url", proxy.url}, {"control_url", proxy.url}, {"id", proxy.id}}}, {"version", map_version},
                                   {"uuid", proxy.cluster_id}}},
                         {"bmd", {{"uuid", proxy.cluster_id}, {"version", std::to_string(proxy.catalog_version)}}},
                         {"etlmd", {{"version", std::to_string(proxy.catalog_version)}}}, {"rmd", {{"version", "0"}}}, {"config", {{"version", "1"}}},
                         {"flags", node.online ? kStarted : 0}};
    if (about == nullptr) return status;
    json& transforms = status["transforms"] = json::array();
    for (const wire::TransformReport& report : about->transforms) {
        transforms.push_back({{"name", report.name}, {"state", report.state}, {"objects", report.runs}, {"failures", report.failures},
                              {"cpu_seconds", static_cast<double>(report.cpu_millis) / 1000}, {"memory_bytes", report.memory_bytes}});
    }
    status["running_slices"] = about->running_slices;
    return status;
}

json system_info(const std::vector<NodeReport>& nodes) {
    json info{{"proxy", json::object()}, {"target", json::object()}};
    for (const NodeReport& node : nodes) {
        json of = memory_and_processors(node);
        if (!node.is_proxy) {
            const json capacity = capacity_of(node);
            const auto number = [&capacity](const char* key) { return std::stoull(capacity.at(key).get<std::string>()); };
            of.update({{"fs_used", capacity["total_used"]}, {"fs_capacity", std::to_string(number("total_used") + number("total_avail"))},
                       {"pct_fs_used", capacity["pct_avg"].get<double>()}});
        }
        info[node.is_proxy ? "proxy" : "target"][node.id] = std::move(of);
    }
    return info;
}

json cluster_stats(const std::vector<NodeReport>& nodes) {
    json stats{{"proxy", nullptr}, {"target", json::object()}};
    for (const NodeReport& node : nodes) {
        if (node.is_proxy) {
            stats["proxy"] = node_stats(node);
        } else {
            stats["target"][node.id] = node_stats(node);
        }
    }
    return stats;
}

json mountpaths(const NodeReport& node) {
    json available = json::array();
    for (const json& disk : items_of(node.vitals, "disks")) available.push_back(text_of(disk, "folder"));
    return {{"available", std::move(available)}, {"waiting_dd", json::array()}, {"disabled", json::array()}};
}

json disk_stats(const NodeReport& node) {
    json stats = capacity_of(node);
    json& disks = stats["AllDiskStats"] = json::object();
    const json& rates = member(node.vitals, "rates");
    if (!rates.is_object()) return stats;
    for (const auto& [disk, rate] : rates.items()) {
        disks[disk] = {{"RBps", count_of(rate, "read")}, {"Ravg", count_of(rate, "read_average")}, {"WBps", count_of(rate, "write")},
                       {"Wavg", count_of(rate, "write_average")}, {"Util", count_of(rate, "busy")}};
    }
    return stats;
}

std::uint64_t disk_bytes(const std::vector<json>& vitals) {
    std::map<std::string, std::uint64_t> sizes;  // by what tells filesystems apart
    for (const json& of_node : vitals) {
        for (const json& disk : items_of(of_node, "disks")) {
            sizes[text_of(disk, "device") + json_text(member(disk, "id"))] = count_of(disk, "used") + count_of(disk, "available");
        }
    }
    std::uint64_t sum = 0;
    for (const auto& [disk, bytes] : sizes) sum += bytes;
    return sum;
}

json metric_kinds(const NodeReport& node) {
    json kinds = json::object();
    for (const Metric& metric : metrics_of(node)) kinds[metric.name] = metric.kind;
    return kinds;
}

}  // namespace millrace::aistore
