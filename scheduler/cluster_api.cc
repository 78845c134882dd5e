#include <nlohmann/json.hpp>

#include "core/config.h"
#include "core/metrics.h"
#include "core/json_members.h"
#include "scheduler/proxy_api.h"
#include "scheduler/target_calls.h"

namespace millrace::scheduler {
using http::Access;

using nlohmann::json;

void ClusterApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    router.add("GET", "/v1/cluster", Access::read, [this](http::Request&, http::Response& response, const Parameters&) { return show(response); });
    router.add("POST", "/v1/cluster/nodes/{id}/accept", Access::manage, [this](http::Request&, http::Response& response, const Parameters& path) {
        return accept(response, path.find("id")->second);
    });
    router.add("GET", "/health", Access::anyone, [this](http::Request&, http::Response& response, const Parameters&) { return health(response); });
    router.add("GET", "/metrics", Access::read, [this](http::Request&, http::Response& response, const Parameters&) { return metrics(response); });
}

Task<Result<void>> ClusterApi::show(http::Response& response) {
    json targets = json::array();
    for (const auto& [target, member] : state_.members.members()) {
        std::string reason = !member.problem.empty() ? member.problem : clock_problem(target, member);
        if (reason.empty() && !member.online) reason = "not heard of; start it with: millrace target --config FILE";
        targets.push_back({{"id", target}, {"endpoint", member.endpoint}, {"online", member.online}, {"reason", std::move(reason)},
                           {"running_slices", member.running_slices}});
    }
    json refused = json::array();
    for (const auto& [id, stranger] : state_.members.strangers()) {
        refused.push_back({{"id", id}, {"endpoint", stranger.endpoint}, {"reason", stranger.reason}});
    }
    const double uptime = std::chrono::duration<double>(steady_now() - started_).count();
    const json document{{"proxy_id", state_.proxy_id}, {"version", state_.members.version()}, {"term", term_}, {"sealed", state_.sealed()},
                        {"uptime_seconds", uptime}, {"targets", std::move(targets)}, {"refused", std::move(refused)},
                        {"problems", state_.problems()}, {"insecure", insecure()}};
    co_return co_await response.send_json(200, json_text(document));
}

std::vector<std::string> ClusterApi::insecure() const {
    std::vector<std::string> all;
    if (!exposed_.empty()) all.push_back("the proxy " + exposed_);
    for (const auto& [target, member] : state_.members.members()) {
        const auto place = http::Endpoint::parse(member.endpoint);
        if (asks_ || !place || is_loopback(place->host)) continue;
        all.push_back("target " + target + " is at " + member.endpoint + ": whoever reaches that can use it, and is not asked who they are");
    }
    return all;
}

Task<Result<void>> ClusterApi::accept(http::Response& response, const std::string& node) {
    MILLRACE_CO_TRY_ASSIGN(const std::string accepted, co_await control_.accept(node));
    co_return co_await response.send_json(200, json_text({{"node", node}, {"message", accepted}}));
}

Task<Result<void>> ClusterApi::health(http::Response& response) {
    bool someone = false;
    for (const auto& [target, member] : state_.members.members()) someone = someone || member.online;
    std::string reason = !state_.leadership.outdated().empty() ? state_.leadership.outdated() : control_.obstacle();
    if (reason.empty() && !someone) reason = "no target is online";
    json document{{"ready", reason.empty()}};
    if (!reason.empty()) document["reason"] = reason;
    if (auto problems = state_.problems(); !problems.empty()) document["problems"] = std::move(problems);
    if (auto exposed = insecure(); !exposed.empty()) document["insecure"] = std::move(exposed);
    co_return co_await response.send_json(reason.empty() ? 200 : 503, json_text(document));
}

Task<Result<void>> ClusterApi::metrics(http::Response& response) {
    std::map<std::string, double> by_state;
    for (const auto& [id, live] : state_.jobs.jobs()) by_state[std::string(job_state_name(live.job.state))] += 1;
    for (int state = 1; state <= 7; ++state) {
        const std::string name(job_state_name(static_cast<JobState>(state)));
        millrace::metrics::gauge("millrace_jobs", "Jobs by state", {{"state", name}}).set(by_state[name]);
    }
    for (const auto& [target, member] : state_.members.members()) {
        millrace::metrics::gauge("millrace_target_online", "Whether the proxy hears from the target", {{"target", target}}).set(member.online ? 1 : 0);
    }
    const std::string text = millrace::metrics::prometheus_text();
    http::Headers headers{{"Content-Type", "text/plain; version=0.0.4"}};
    co_return co_await response.send(200, std::move(headers), text);
}

}  // namespace millrace::scheduler
