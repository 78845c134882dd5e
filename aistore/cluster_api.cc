#include "aistore/api.h"
#include "auth/caller.h"
#include "aistore/bucket_props.h"
#include "aistore/configuration.h"
#include "aistore/log_archive.h"
#include "aistore/node_view.h"
#include "core/json_members.h"
#include "core/log_tail.h"
#include "core/run_all.h"
#include "core/whole_number.h"
#include "scheduler/target_calls.h"

namespace millrace::aistore {
using http::Access;

namespace {

using nlohmann::json;

ProxyView proxy_view(const scheduler::ClusterState& state, const http::Request& request) {
    return {state.proxy_id, state.cluster_id, request.server_url(), state.members.version(),
            state.catalog.wire().version};
}

// The node that a request is about: this proxy, where it names none. A target passes on what it is asked itself, and says which it is.
std::string node_of(const http::Request& request, const scheduler::ClusterState& state) {
    const std::string named = request.query.get("node", request.headers.find("Ais-Node-Id").value_or(""));
    return named.empty() ? state.proxy_id : named;
}

Error unknown_node(const std::string& id) { return fail(Code::not_found, "node " + id.substr(0, 200) + " is not a member of the cluster"); }

Result<log::Level> level_of(const std::string& severity) {
    if (severity.empty() || severity == "info") return log::Level::debug;  // all that is written
    if (severity == "warning") return log::Level::warn;
    if (severity == "error") return log::Level::error;
    return fail(Code::invalid_argument, "severity '" + severity.substr(0, 100) + "' is not one of info, warning, error");
}

std::string level_word(log::Level level) { return level == log::Level::debug ? "debug" : level == log::Level::warn ? "warn" : "error"; }

}  // namespace

void ClusterApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    router.add("GET", "/v1/health", Access::anyone, [this](http::Request&, http::Response& response, const Parameters&) { return health(response); });
    const auto of_node = [this](http::Request& request, http::Response& response, const Parameters&) { return node(request, response); };
    const auto of_cluster = [this](http::Request& request, http::Response& response, const Parameters&) { return cluster(request, response); };
    const auto set = [this](http::Request& request, http::Response& response, const Parameters&) { return set_configuration(request, response); };
    router.add("GET", "/v1/cluster?what", Access::read, of_cluster);
    router.add("GET", "/v1/daemon", Access::read, of_node);
    router.add("GET", "/v1/reverse/daemon", Access::read, of_node);
    router.add("PUT", "/v1/cluster/set-config", Access::manage, set);
    router.add("PUT", "/v1/daemon/set-config", Access::manage, set);
    router.add("PUT", "/v1/reverse/daemon/set-config", Access::manage, set);
    router.add("PUT", "/v1/daemon", Access::manage, set);
    router.add("PUT", "/v1/reverse/daemon", Access::manage, set);
}

Task<Result<void>> ClusterApi::health(http::Response& response) {
    if (!control_.obstacle().empty()) co_return fail(Code::unavailable, control_.obstacle());
    for (const auto& [target, member] : state_.members.members()) {
        if (!member.online) continue;
        const std::string running = std::to_string(std::chrono::nanoseconds(steady_now() - started_).count());
        http::Headers headers{{"Ais-Cluster-Uptime", running}, {"Ais-Node-Uptime", running}};
        co_return co_await response.send(200, std::move(headers), "");
    }
    co_return fail(Code::unavailable, "no target is online; start one with: millrace target --config FILE");
}

// What a node says of itself; of one that is offline, or does not answer, only that.
Task<NodeReport> ClusterApi::report(std::string id, std::string proxy_url) {
    if (id == state_.proxy_id) co_return NodeReport{id, proxy_url, true, true, vitals_.measure()};
    const auto found = state_.members.members().find(id);
    NodeReport report{id, found->second.endpoint, false, found->second.online, nullptr};
    if (!report.online) co_return report;
    const Query nothing;
    auto vitals = co_await scheduler::ask_target(targets_, id, "/v1/worker/vitals", nothing);
    if (vitals) report.vitals = std::move(*vitals);
    report.online = vitals.has_value();
    co_return report;
}

Task<std::vector<NodeReport>> ClusterApi::reports(std::string proxy_url) {
    std::vector<Task<NodeReport>> asked;
    asked.push_back(report(state_.proxy_id, proxy_url));
    for (const std::string& target : state_.targets()) asked.push_back(report(target, proxy_url));
    co_return co_await run_all(std::move(asked));
}

Task<Result<void>> ClusterApi::cluster(http::Request& request, http::Response& response) {
    const std::string what = request.query.get("what");
    const ProxyView proxy = proxy_view(state_, request);
    json document;
    if (what == "cluster_config") {
        document = cluster_configuration(proxy.url, proxy.cluster_id);
    } else if (what == "sysinfo") {
        const std::vector<NodeReport> nodes = co_await reports(proxy.url);
        document = system_info(nodes);
    } else if (what == "node_stats" || what == "stats") {
        const std::vector<NodeReport> nodes = co_await reports(proxy.url);
        document = cluster_stats(nodes);
    } else if (what == "remote") {
        document = {{"a", nullptr}, {"ver", 0}};
    } else if (what == "backends") {
        document = json::array();
    } else if (what == "target_ips") {
        std::string addresses;
        for (const auto& [id, member] : state_.members.members()) {
            addresses += (addresses.empty() ? "" : ",") + network(member.endpoint)["node_ip_addr"].get<std::string>();
        }
        co_return co_await response.send(200, {}, addresses);
    } else {
        co_return co_await node(request, response);
    }
    co_return co_await response.send_json(200, json_text(document));
}

Task<Result<void>> ClusterApi::node(http::Request& request, http::Response& response) {
    const std::string what = request.query.get("what");
    const ProxyView proxy = proxy_view(state_, request);
    if (what == "smap") co_return co_await response.send_json(200, cluster_map(proxy, state_.members.members()));
    if (what == "bmd") co_return co_await response.send_json(200, bucket_metadata(state_.catalog.wire(), proxy.cluster_id));
    const std::string id = node_of(request, state_);
    const bool is_proxy = id == state_.proxy_id;
    if (!is_proxy && !state_.members.members().contains(id)) co_return unknown_node(id);
    if (what == "log") co_return co_await log_of(request, response, id);
    json document;
    const NodeReport report = co_await this->report(id, proxy.url);
    if (what == "node_status" || what == "status") {
        const auto found = state_.members.members().find(id);
        document = node_status(report, proxy, found == state_.members.members().end() ? nullptr : &found->second);
    } else if (what == "node_stats" || what == "stats") {
        document = node_stats(report);
    } else if (what == "snode") {
        document = node_stats(report)["snode"];
    } else if (what == "config") {
        std::vector<std::string> folders;
        for (const json& folder : mountpaths(report)["available"]) folders.push_back(folder.get<std::string>());
        document = node_configuration(cluster_configuration(proxy.url, proxy.cluster_id), report.url, folders);
    } else if (what == "metrics") {
        document = metric_kinds(report);
    } else if (!is_proxy && what == "mountpaths") {
        document = mountpaths(report);
    } else if (!is_proxy && what == "disk") {
        document = disk_stats(report);
    } else if (what == "sysinfo") {
        const json info = system_info(std::vector<NodeReport>{report});
        document = info[is_proxy ? "proxy" : "target"][id];
    } else {
        co_return fail(Code::invalid_argument, "what='" + what.substr(0, 100) + "' is not answered here; aistore/AISTORE.md lists what is");
    }
    if (!report.online && what != "node_status" && what != "status" && what != "snode" && what != "config") {
        co_return fail(Code::unavailable, "target " + id + " is offline: what it has and does is not known");
    }
    co_return co_await response.send_json(200, json_text(document));
}

// The last lines, or with all=true an archive of them; a node keeps a mebibyte in memory, wherever its log goes.
Task<Result<void>> ClusterApi::log_of(http::Request& request, http::Response& response, const std::string& id) {
    MILLRACE_CO_TRY(auth::caller_of(request).check_everywhere(auth::Right::admin));  // names of objects are in it
    MILLRACE_CO_TRY_ASSIGN(const log::Level least, level_of(request.query.get("severity")));
    const std::string after = request.query.get("offset", "0");
    if (!parse_whole<std::uint64_t>(after)) co_return fail(Code::invalid_argument, "'offset' must be a number of bytes");
    std::string text;
    if (id == state_.proxy_id) {
        text = log::tail(least, *parse_whole<std::uint64_t>(after)).text;
    } else {
        Query query;
        query.add("level", level_word(least));
        query.add("after", after);
        MILLRACE_CO_TRY_ASSIGN(const json answer, co_await scheduler::ask_target(targets_, id, "/v1/worker/log", query));
        text = text_of(answer, "log");
    }
    if (request.query.get("all") != "true") {
        http::Headers headers{{"Content-Type", "text/plain; charset=utf-8"}};
        co_return co_await response.send(200, std::move(headers), text);
    }
    const std::string archive = log_archive(id + ".log", text, unix_now_ns() / 1'000'000'000);
    http::Headers headers{{"Content-Type", "application/gzip"}};
    co_return co_await response.send(200, std::move(headers), archive);
}

// Of the cluster or of a node, in the query or in the body. Nothing is set this way: what is said must be so already.
Task<Result<void>> ClusterApi::set_configuration(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kBodyMax));
    MILLRACE_CO_TRY_ASSIGN(const ActionMessage message, parse_action(body));
    const std::string id = node_of(request, state_);
    if (id != state_.proxy_id && !state_.members.members().contains(id)) co_return unknown_node(id);
    const ProxyView proxy = proxy_view(state_, request);
    const json have = cluster_configuration(proxy.url, proxy.cluster_id);
    const bool in_path = request.path.ends_with("/set-config");
    if (!in_path && message.action != "set-config" && message.action != "reset-config") {
        const std::string action = message.action.substr(0, 100);
        co_return fail(Code::invalid_argument, "the action '" + action + "' is not supported on nodes; aistore/AISTORE.md lists what is");
    }
    if (in_path) MILLRACE_CO_TRY(check_settings(request.query, have));
    if (message.action == "set-config") MILLRACE_CO_TRY(check_settings(message.value, have));
    co_return co_await response.send(200, {}, "");
}

}  // namespace millrace::aistore
