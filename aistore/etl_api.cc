#include <nlohmann/json.hpp>

#include "aistore/api.h"
#include "aistore/etl_view.h"
#include "core/log.h"
#include "core/names.h"
#include "scheduler/permissions.h"
#include "scheduler/target_calls.h"
#include "scheduler/transform_standing.h"
#include "spec/transform_spec.h"

namespace millrace::aistore {
using http::Access;

namespace {

using nlohmann::json;

constexpr std::size_t kErrorsPage = 1000;

// AIStore's clients give up on the request when `init_timeout` is over, and would begin again: the answer must come before.
Duration patience_of(const spec::TransformSpec& spec) {
    constexpr auto kHeadStart = std::chrono::seconds(2);
    return std::max<Duration>(spec.init_timeout_ms - scheduler::CatalogService::kApplyPatience - kHeadStart, spec.init_timeout_ms / 2);
}

// AIStore's ready-made images install what PACKAGES and OS_PACKAGES name when they start, which needs a network. Its messages
// have no word for one, so that those who ask for packages get it.
void allow_packages(const std::string& body, spec::TransformSpec& spec) {
    const bool wants_packages = spec.env.contains("PACKAGES") || spec.env.contains("OS_PACKAGES");
    const bool says_network = body.find("network") != std::string::npos;
    if (spec.kind != spec::Kind::oci || !wants_packages || says_network) return;
    spec.container.network = spec::Network::bridge;
    log::info("transform gets a network, to install packages from", {{"transform", spec.name}});
}

}  // namespace

void EtlApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    const auto name = [](const Parameters& path) -> const std::string& { return path.find("name")->second; };
    router.add("PUT", "/v1/etl", Access::run, [this](http::Request& request, http::Response& response, const Parameters&) { return init(request, response); });
    router.add("GET", "/v1/etl", Access::read, [this](http::Request&, http::Response& response, const Parameters&) { return list(response); });
    router.add("GET", "/v1/etl/{name}", Access::read, [this, name](http::Request& request, http::Response& response, const Parameters& path) {
        return view(request, response, name(path));
    });
    router.add("GET", "/v1/etl/{name}/logs", Access::run, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return logs(response, name(path), "");
    });
    router.add("GET", "/v1/etl/{name}/logs/{target}", Access::run, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return logs(response, name(path), path.find("target")->second);
    });
    router.add("GET", "/v1/etl/{name}/health", Access::read, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return standing(response, name(path), true);
    });
    router.add("GET", "/v1/etl/{name}/metrics", Access::read, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return standing(response, name(path), false);
    });
    router.add("POST", "/v1/etl/{name}/start", Access::run, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return enable(response, name(path), true);
    });
    router.add("POST", "/v1/etl/{name}/stop", Access::run, [this, name](http::Request&, http::Response& response, const Parameters& path) {
        return enable(response, name(path), false);
    });
    router.add("DELETE", "/v1/etl/{name}", Access::run, [this, name](http::Request& request, http::Response& response, const Parameters& path) {
        return remove(request, response, name(path));
    });
}

Task<Result<void>> EtlApi::init(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kSpecBytesMax);
    auto parsed = body ? spec::parse_spec(*body, "request body") : Result<spec::ParsedSpec>(body.error());
    if (!parsed) co_return parsed.error();
    spec::TransformSpec& spec = parsed->spec;
    allow_packages(*body, spec);
    MILLRACE_CO_TRY(scheduler::check_transform(auth::caller_of(request), spec));
    request.deed = spec.name;
    const std::string spec_json = spec::to_json(spec);
    Result<void> added = co_await catalog_.add_transform(spec.name, spec_json, patience_of(spec));
    // One that cannot run here will not run for asking again: not a status that clients repeat the request for.
    if (!added && added.error().code == Code::rejected) added = fail(Code::invalid_argument, added.error().context);
    if (!added) co_return added.error();
    const std::string id = etl_job_id(spec.name);
    co_return co_await response.send(200, {}, id);
}

Task<Result<void>> EtlApi::list(http::Response& response) {
    json rows = json::array();
    for (const wire::TransformEntry& entry : state_.catalog.wire().transforms) {
        rows.push_back(etl_row(entry.name, scheduler::standing(state_, entry)));
    }
    co_return co_await response.send_json(200, json_text(rows));
}

// The message that started it, and the errors of a job (?uuid=), or the last inline errors.
Task<Result<void>> EtlApi::view(http::Request& request, http::Response& response, const std::string& name) {
    const wire::TransformEntry* entry = state_.catalog.transform(name);
    const auto message = entry == nullptr ? Result<json>(scheduler::unknown_transform(name)) : etl_init_message(name, entry->spec_json);
    if (!message) co_return message.error();
    const std::string head = "{\"init_msg\":" + json_text(*message) + ",\"obj_errors\":[";
    const std::string job = request.query.get("uuid");
    const auth::Caller& caller = auth::caller_of(request);
    if (!job.empty()) {
        if (const scheduler::LiveJob* live = state_.jobs.find(job)) MILLRACE_CO_TRY(scheduler::check_seen(caller, live->job.spec));
        co_return co_await view_job(response, head, job);
    }
    MILLRACE_CO_TRY(caller.check_somewhere(auth::Right::run));
    const auto rows = co_await scheduler::transform_errors(state_, targets_, name, "");
    if (!rows) co_return rows.error();
    json errors = json::array();
    for (const json& row : *rows) errors.push_back(etl_object_error(row));
    const std::string document = head + json_text(errors).substr(1) + "}";
    co_return co_await response.send_json(200, document);
}

// Every error, however many: a page at a time goes out as it comes in.
Task<Result<void>> EtlApi::view_job(http::Response& response, const std::string& head, const std::string& job) {
    std::string text = head;
    std::string cursor;
    const char* separator = "";
    do {
        const auto page = co_await scheduler::error_page(state_, targets_, job, cursor, kErrorsPage);
        if (!page) co_return page.error();  // behind a beginning it cuts the connection: half a list is not taken for a whole one
        for (const json& row : page->rows) text += std::exchange(separator, ",") + json_text(etl_object_error(row));
        for (const std::string& target : page->unreachable) {
            const json missing{{"object", ""}, {"code", "unavailable"}, {"message", "target " + target + " is offline: its errors are missing here"}};
            text += std::exchange(separator, ",") + json_text(etl_object_error(missing));
        }
        cursor = page->cursor;
        if (cursor.empty()) text += "]}";
        http::Headers headers{{"Content-Type", "application/json"}};
        if (!response.started()) MILLRACE_CO_TRY(co_await response.start(200, std::move(headers), std::nullopt));
        MILLRACE_CO_TRY(co_await response.write(as_bytes(text)));
        text.clear();
    } while (!cursor.empty());
    co_return co_await response.finish();
}

Task<Result<void>> EtlApi::logs(http::Response& response, const std::string& name, std::string target) {
    const auto rows = co_await scheduler::transform_logs(state_, targets_, name, target, "");
    if (!rows) co_return rows.error();
    co_return co_await response.send_json(200, json_text(etl_logs(*rows)));
}

Task<Result<void>> EtlApi::standing(http::Response& response, const std::string& name, bool health) {
    const wire::TransformEntry* entry = state_.catalog.transform(name);
    if (entry == nullptr) co_return scheduler::unknown_transform(name);
    const scheduler::Standing now = scheduler::standing(state_, *entry);
    const json document = health ? etl_health(now) : etl_metrics(now);
    co_return co_await response.send_json(200, json_text(document));
}

Task<Result<void>> EtlApi::enable(http::Response& response, const std::string& name, bool enabled) {
    Result<void> done = co_await catalog_.enable_transform(name, enabled);
    if (!done && done.error().code == Code::rejected) done = fail(Code::invalid_argument, done.error().context);
    if (!done) co_return done.error();
    co_return co_await response.send(200, {}, "");
}

// AIStore aborts the jobs of a transform that is deleted. They are cancelled here, and can be resumed once it is back.
Task<Result<void>> EtlApi::remove(http::Request& request, http::Response& response, const std::string& name) {
    Result<void> removed;
    while (const auto job = state_.jobs.user_of_transform(name)) {
        removed = scheduler::check_run(auth::caller_of(request), state_.jobs.find(*job)->job.spec);
        if (!removed) break;
        scheduler::Scheduler::Command cancel_it = [](scheduler::Job& changed) { return scheduler::cancel(changed, unix_now_ns()); };
        removed = co_await jobs_.command(*job, std::move(cancel_it));
        if (!removed) break;
    }
    if (removed) removed = co_await catalog_.remove_transform(name);
    if (!removed) co_return removed.error();
    co_return co_await response.send(200, {}, "");
}

}  // namespace millrace::aistore
