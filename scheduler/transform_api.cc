#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/hash.h"
#include "spec/transform_spec.h"
#include "scheduler/proxy_api.h"
#include "scheduler/target_calls.h"

namespace millrace::scheduler {
namespace {

using nlohmann::json;
constexpr std::size_t kSpecMax = 1 << 20;

struct Standing {
    std::string state;
    std::size_t running = 0;
    std::size_t targets = 0;
    json per_target = json::array();
};

Standing standing(const ProxyCore& core, const wire::TransformEntry& entry) {
    Standing sum;
    bool starting = false;
    bool aborted = false;
    std::size_t online = 0;
    for (const auto& [target, member] : core.members().members()) {
        ++sum.targets;
        const auto report = std::ranges::find(member.transforms, entry.name, &wire::TransformReport::name);
        json row{{"target", target}, {"state", "unknown"}, {"reason", member.online ? "" : "the target is offline"}, {"pid", 0}, {"restarts", 0},
                 {"runs", 0}, {"failures", 0}, {"last_death", ""}, {"last_death_log", ""}, {"cpu_seconds", 0.0}, {"memory_bytes", 0}, {"start", ""}};
        if (report != member.transforms.end()) {
            row["state"] = member.online ? report->state : "offline";
            row["reason"] = member.online ? report->reason : "the target is offline";
            row["pid"] = report->pid;
            row["restarts"] = report->restarts;
            row["runs"] = report->runs;
            row["failures"] = report->failures;
            row["last_death"] = report->last_death;
            row["last_death_log"] = report->last_death_log;
            row["cpu_seconds"] = static_cast<double>(report->cpu_millis) / 1000;
            row["memory_bytes"] = report->memory_bytes;
            row["start"] = report->start;
        }
        if (member.online) {
            ++online;
            if (row["state"] == "running") ++sum.running;
            aborted = aborted || row["state"] == "aborted";
            starting = starting || row["state"] == "initializing" || row["state"] == "unknown";
        }
        sum.per_target.push_back(std::move(row));
    }
    sum.state = !entry.enabled ? "stopped" : sum.running == online && online > 0 ? "running"
                : aborted ? "aborted" : starting ? "starting" : "degraded";
    return sum;
}

std::string kind_of(const wire::TransformEntry& entry) {
    const auto parsed = spec::parse_spec(entry.spec_json, entry.name);
    return parsed ? std::string(spec::kind_name(parsed->spec.kind)) : "unknown";
}

}  // namespace

void TransformApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    const auto name = [](const Parameters& path) -> const std::string& { return path.find("name")->second; };
    router.add("PUT", "/v1/etl", [this](http::Request& request, http::Response& response, const Parameters&) { return add(request, response); });
    router.add("GET", "/v1/etl", [this](http::Request&, http::Response& response, const Parameters&) { return list(response); });
    router.add("GET", "/v1/etl/{name}", [this, name](http::Request&, http::Response& response, const Parameters& path) { return show(response, name(path)); });
    router.add("DELETE", "/v1/etl/{name}", [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return control(response, core_.remove_transform(name(path)));
    });
    router.add("POST", "/v1/etl/{name}/start", [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return control(response, core_.enable_transform(name(path), true));
    });
    router.add("POST", "/v1/etl/{name}/restart", [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return control(response, core_.restart_transform(name(path)));
    });
    router.add("POST", "/v1/etl/{name}/stop", [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return control(response, core_.enable_transform(name(path), false));
    });
    router.add("GET", "/v1/etl/{name}/logs", [this, name](http::Request& request, http::Response& response, const Parameters& path) {
        return gather(request, response, name(path), "/v1/worker/logs");
    });
    router.add("GET", "/v1/etl/{name}/errors", [this, name](http::Request& request, http::Response& response, const Parameters& path) {
        return gather(request, response, name(path), "/v1/worker/inline_errors");
    });
}

Task<void> TransformApi::add(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kSpecMax);
    auto parsed = body ? spec::parse_spec(*body, "request body") : Result<spec::ParsedSpec>(body.error());
    if (!parsed) {
        (void)co_await response.send_error(parsed.error());
        co_return;
    }
    const spec::TransformSpec& spec = parsed->spec;
    const Result<void> added = co_await core_.add_transform(spec.name, spec::to_json(spec), spec.init_timeout_ms);
    if (!added && added.error().code == Code::rejected) {
        http::Headers headers{{"Content-Type", "application/problem+json"}};
        const json problem{{"type", "about:blank"}, {"title", "Failed Dependency"}, {"status", 424}, {"code", "rejected"}, {"detail", added.error().context}};
        (void)co_await response.send(424, std::move(headers), text_of(problem));
        co_return;
    }
    if (!added) {
        (void)co_await response.send_error(added.error());
        co_return;
    }
    (void)co_await response.send_json(200, text_of({{"name", spec.name}, {"warnings", parsed->warnings}}));
}

Task<void> TransformApi::list(http::Response& response) {
    json rows = json::array();
    for (const wire::TransformEntry& entry : core_.catalog().wire().transforms) {
        const Standing sum = standing(core_, entry);
        rows.push_back({{"name", entry.name}, {"kind", kind_of(entry)}, {"state", sum.state}, {"targets_running", sum.running}, {"targets", sum.targets}});
    }
    (void)co_await response.send_json(200, text_of(rows));
}

Task<void> TransformApi::show(http::Response& response, const std::string& name) {
    const wire::TransformEntry* entry = core_.catalog().transform(name);
    if (entry == nullptr) {
        (void)co_await response.send_error(unknown_transform(name));
        co_return;
    }
    Standing sum = standing(core_, *entry);
    const auto parsed = spec::parse_spec(entry->spec_json, name);
    const json document{{"name", name}, {"kind", kind_of(*entry)}, {"state", sum.state}, {"spec", json::parse(entry->spec_json, nullptr, false)},
                        {"digest", parsed ? checksum_text(spec::digest(parsed->spec)) : ""}, {"targets", std::move(sum.per_target)}};
    (void)co_await response.send_json(200, text_of(document));
}

Task<void> TransformApi::control(http::Response& response, Task<Result<void>> change) {
    const Result<void> changed = co_await std::move(change);
    if (!changed) {
        (void)co_await response.send_error(changed.error());
        co_return;
    }
    (void)co_await response.send(200, {}, "");
}

// Logs (with ?after=, what was written since), or the last inline errors, of every target (or of ?target=).
Task<void> TransformApi::gather(http::Request& request, http::Response& response, const std::string& name, std::string path) {
    if (core_.catalog().transform(name) == nullptr) {
        (void)co_await response.send_error(unknown_transform(name));
        co_return;
    }
    const std::string only = request.query.get("target");
    json rows = json::array();
    for (const TargetId& target : core_.target_ids()) {
        if (!only.empty() && only != target.str()) continue;
        Query query;
        query.add("transform", name);
        if (!request.query.get("after").empty()) query.add("after", request.query.get("after"));
        auto answer = co_await ask_target(core_, target.str(), path, query);
        if (!answer) {
            if (only.empty()) continue;
            (void)co_await response.send_error(answer.error());
            co_return;
        }
        if (answer->contains("log")) rows.push_back({{"target", target.str()}, {"log", answer->value("log", "")}, {"end", answer->value("end", 0)}});
        for (json& row : answer->value("rows", json::array())) {
            row["target"] = target.str();
            rows.push_back(std::move(row));
        }
    }
    (void)co_await response.send_json(200, text_of(rows));
}

}  // namespace millrace::scheduler
