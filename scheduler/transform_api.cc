#include <algorithm>
#include <iterator>
#include <set>

#include "core/hash.h"
#include "core/json.h"
#include "core/json_members.h"
#include "core/names.h"
#include "http/query_number.h"
#include "scheduler/permissions.h"
#include "scheduler/proxy_api.h"
#include "scheduler/target_calls.h"
#include "scheduler/transform_standing.h"
#include "spec/transform_spec.h"

namespace millrace::scheduler {
using http::Access;

namespace {

using nlohmann::json;

std::string kind_of(const wire::TransformEntry& entry) {
    const auto parsed = spec::parse_spec(entry.spec_json, entry.name);
    return parsed ? std::string(spec::kind_name(parsed->spec.kind)) : "unknown";
}

// What targets on which it runs have to say nevertheless, each text once.
std::set<std::string> remarks_of_targets(const Standing& sum) {
    std::set<std::string> remarks;
    for (const json& row : sum.per_target) {
        if (text_of(row, "state") == "running" && !text_of(row, "reason").empty()) remarks.insert(text_of(row, "reason"));
    }
    return remarks;
}

}  // namespace

void TransformApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    const auto name = [](const Parameters& path) -> const std::string& { return path.find("name")->second; };
    router.add("PUT", "/v1/transforms", Access::run, [this](http::Request& request, http::Response& response, const Parameters&) {
        return add(request, response);
    });
    router.add("GET", "/v1/transforms", Access::read, [this](http::Request&, http::Response& response, const Parameters&) { return list(response); });
    router.add("GET", "/v1/transforms/{name}", Access::read, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return show(response, name(path));
    });
    router.add("DELETE", "/v1/transforms/{name}", Access::run, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return control(response, catalog_.remove_transform(name(path)));
    });
    router.add("POST", "/v1/transforms/{name}/start", Access::run, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return control(response, catalog_.enable_transform(name(path), true));
    });
    router.add("POST", "/v1/transforms/{name}/restart", Access::run, [this, name](http::Request& request, http::Response& response, const Parameters& path) {
        const bool is_new = request.query.find("new_version").has_value();
        return control(response, catalog_.restart_transform(name(path), is_new ? std::optional(request.query.get("new_version")) : std::nullopt));
    });
    router.add("POST", "/v1/transforms/{name}/stop", Access::run, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return control(response, catalog_.enable_transform(name(path), false));
    });
    router.add("GET", "/v1/transforms/{name}/logs", Access::run, [this, name](http::Request& request, http::Response& response, const Parameters& path) {
        return logs(request, response, name(path));
    });
    router.add("GET", "/v1/transforms/{name}/errors", Access::run, [this, name](http::Request& request, http::Response& response, const Parameters& path) {
        return answer(response, transform_errors(state_, targets_, name(path), request.query.get("target")));
    });
}

Task<Result<void>> TransformApi::add(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kSpecBytesMax);
    auto parsed = body ? spec::parse_spec(*body, "request body") : Result<spec::ParsedSpec>(body.error());
    if (!parsed) co_return parsed.error();
    const spec::TransformSpec& spec = parsed->spec;
    MILLRACE_CO_TRY(check_transform(auth::caller_of(request), spec));
    request.deed = spec.name;
    const Result<void> added = co_await catalog_.add_transform(spec.name, spec::to_json(spec), spec.init_timeout_ms);
    if (!added && added.error().code == Code::rejected) {
        co_return co_await response.send_error(added.error(), 424);
    }
    if (!added) co_return added.error();
    std::vector<std::string> warnings = std::move(parsed->warnings);
    const wire::TransformEntry* entry = state_.catalog.transform(spec.name);
    if (entry != nullptr) std::ranges::copy(remarks_of_targets(standing(state_, *entry)), std::back_inserter(warnings));
    co_return co_await response.send_json(200, json_text({{"name", spec.name}, {"warnings", warnings}}));
}

Task<Result<void>> TransformApi::list(http::Response& response) {
    json rows = json::array();
    for (const wire::TransformEntry& entry : state_.catalog.wire().transforms) {
        const Standing sum = standing(state_, entry);
        rows.push_back({{"name", entry.name}, {"kind", kind_of(entry)}, {"state", sum.state}, {"targets_running", sum.running}, {"targets", sum.targets}});
    }
    co_return co_await response.send_json(200, json_text(rows));
}

Task<Result<void>> TransformApi::show(http::Response& response, const std::string& name) {
    const wire::TransformEntry* entry = state_.catalog.transform(name);
    if (entry == nullptr) co_return unknown_transform(name);
    Standing sum = standing(state_, *entry);
    const auto parsed = spec::parse_spec(entry->spec_json, name);
    const json shown = parsed ? json_or_null(spec::to_json(spec::without_secrets(parsed->spec))) : json();
    const json document{{"name", name}, {"kind", kind_of(*entry)}, {"state", sum.state}, {"spec", shown},
                        {"digest", parsed ? checksum_text(spec::digest(parsed->spec, entry->image)) : ""}, {"image", entry->image},
                        {"targets", std::move(sum.per_target)}};
    co_return co_await response.send_json(200, json_text(document));
}

Task<Result<void>> TransformApi::control(http::Response& response, Task<Result<void>> change) {
    MILLRACE_CO_TRY(co_await std::move(change));
    co_return co_await response.send(200, {}, "");
}

Task<Result<void>> TransformApi::logs(http::Request& request, http::Response& response, const std::string& name) {
    MILLRACE_CO_TRY(http::query_number(request.query, "after", 0));
    co_return co_await answer(response, transform_logs(state_, targets_, name, request.query.get("target"), request.query.get("after")));
}

Task<Result<void>> TransformApi::answer(http::Response& response, Task<Result<json>> question) {
    const Result<json> rows = co_await std::move(question);
    if (!rows) co_return rows.error();
    co_return co_await response.send_json(200, json_text(*rows));
}

}  // namespace millrace::scheduler
