#include "aistore/api.h"
#include "aistore/cluster_view.h"

namespace millrace::aistore {
using http::Access;

namespace {

ProxyView proxy_view(const scheduler::ClusterState& state, const http::Request& request) {
    return {state.proxy_id, state.cluster_id, "http://" + std::string(request.headers.find("Host").value_or("")), state.members.version()};
}

}  // namespace

void ClusterApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    const auto show_map = [this](http::Request& request, http::Response& response, const Parameters&) { return map(request, response); };
    const auto show_configuration = [this](http::Request&, http::Response& response, const Parameters&) { return configuration(response); };
    const auto show_node = [this](http::Request& request, http::Response& response, const Parameters&) { return node(request, response); };
    const auto refuse_it = [this](http::Request& request, http::Response& response, const Parameters&) { return refuse(request, response); };
    router.add("GET", "/v1/health", Access::anyone, [this](http::Request&, http::Response& response, const Parameters&) { return health(response); });
    router.add("GET", "/v1/daemon?what=smap", Access::read, show_map);
    router.add("GET", "/v1/cluster?what=smap", Access::read, show_map);
    router.add("GET", "/v1/daemon?what=config", Access::read, show_configuration);
    router.add("GET", "/v1/cluster?what=cluster_config", Access::read, show_configuration);
    router.add("GET", "/v1/reverse/daemon?what=node_status", Access::read, show_node);
    router.add("GET", "/v1/cluster?what", Access::read, refuse_it);
    router.add("GET", "/v1/daemon", Access::read, refuse_it);
    router.add("GET", "/v1/reverse/daemon", Access::read, refuse_it);
}

Task<Result<void>> ClusterApi::map(http::Request& request, http::Response& response) {
    co_return co_await response.send_json(200, cluster_map(proxy_view(state_, request), state_.members.members()));
}

Task<Result<void>> ClusterApi::configuration(http::Response& response) { co_return co_await response.send_json(200, cluster_configuration()); }

Task<Result<void>> ClusterApi::health(http::Response& response) {
    if (!control_.obstacle().empty()) co_return fail(Code::unavailable, control_.obstacle());
    for (const auto& [target, member] : state_.members.members()) {
        if (!member.online) continue;
        co_return co_await response.send(200, {}, "");
    }
    co_return fail(Code::unavailable, "no target is online; start one with: millrace target --config FILE");
}

Task<Result<void>> ClusterApi::node(http::Request& request, http::Response& response) {
    const std::string id(request.headers.find("Ais-Node-Id").value_or(""));
    const auto status = node_status(id, proxy_view(state_, request), state_.members.members());
    if (!status) co_return status.error();
    co_return co_await response.send_json(200, *status);
}

Task<Result<void>> ClusterApi::refuse(http::Request& request, http::Response& response) {
    const std::string what = request.query.get("what").substr(0, 100);
    const std::string why = what == "log" ? "a node's log is in its log_file, or on its standard error; it is not served"
                                          : "what='" + what + "' is not answered here; aistore/AISTORE.md lists what is";
    co_return fail(Code::invalid_argument, why);
}

}  // namespace millrace::aistore
