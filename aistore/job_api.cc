#include <algorithm>

#include "aistore/api.h"
#include "aistore/configuration.h"
#include "aistore/job_view.h"
#include "aistore/momentary_job.h"
#include "core/json.h"
#include "scheduler/permissions.h"

namespace millrace::aistore {
using http::Access;

namespace {

using nlohmann::json;

Error unknown_job(const JobFilter& filter) {
    const std::string what = filter.id.empty() ? "of kind '" + filter.kind + "'" : filter.id;
    return fail(Code::not_found, "job " + what + " does not exist");
}

Result<JobFilter> read_filter(const Result<std::string>& body) {
    if (!body) return body.error();
    const json message = body->empty() ? json::object() : json_or_null(*body);
    if (!message.is_object()) return fail(Code::invalid_argument, "the body must be a JSON object such as {\"ID\":\"job-…\"}");
    return parse_job_filter(message);
}

// Newest first, of those that the caller may see.
std::vector<const scheduler::Job*> find(const scheduler::ClusterState& state, const auth::Caller& caller, const JobFilter& filter) {
    std::vector<const scheduler::Job*> found;
    for (const auto& [id, live] : state.jobs.jobs()) {
        if (matches(filter, live.job) && scheduler::check_seen(caller, live.job.spec)) found.push_back(&live.job);
    }
    std::ranges::sort(found, std::greater(), &scheduler::Job::created_unix_ns);
    return found;
}

struct FoundMomentary {
    MomentaryJob job;
    std::string bucket;  // the name that it has now
};

// One whose bucket was destroyed meanwhile is forgotten with it.
std::optional<FoundMomentary> find_momentary(const scheduler::ClusterState& state, const std::string& id) {
    auto job = parse_momentary_id(id);
    if (!job) return std::nullopt;
    if (job->bucket_uid.empty()) return FoundMomentary{std::move(*job), ""};
    for (const wire::BucketEntry& bucket : state.catalog.wire().buckets) {
        if (bucket.uid == job->bucket_uid) return FoundMomentary{std::move(*job), bucket.name};
    }
    return std::nullopt;
}

// Those that AIStore would show as active: also what has just ended.
JobFilter with_idle_ones(JobFilter filter) {
    filter.active = false;
    return filter;
}

}  // namespace

void JobApi::add_routes(http::Router& router) {
    const auto bind = [this](Task<Result<void>> (JobApi::*handler)(http::Request&, http::Response&)) {
        return [this, handler](http::Request& request, http::Response& response, const http::PathParameters&) {
            return (this->*handler)(request, response);
        };
    };
    router.add("GET", "/v1/cluster?what=status", Access::read, bind(&JobApi::status));
    router.add("GET", "/v1/cluster?what=qryxstats", Access::read, bind(&JobApi::snapshots));
    router.add("GET", "/v1/cluster?what=status_all", Access::read, bind(&JobApi::list));
    router.add("GET", "/v1/cluster?what=running_all", Access::read, bind(&JobApi::running));
    router.add("PUT", "/v1/cluster", Access::run, bind(&JobApi::command));
    router.add("GET", "/v1/download", Access::read, bind(&JobApi::other_jobs));
    router.add("GET", "/v1/sort", Access::read, bind(&JobApi::other_jobs));
}

// The newest, where a kind is all that is given.
Task<Result<void>> JobApi::status(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    auto filter = read_filter(body);
    if (filter && filter->id.empty() && filter->kind.empty()) filter = fail(Code::invalid_argument, "give the id of the job, or a kind");
    if (!filter) co_return filter.error();
    const auto jobs = find(state_, auth::caller_of(request), *filter);
    const auto momentary = find_momentary(state_, filter->id);
    if (jobs.empty() && !momentary) co_return unknown_job(*filter);
    const json document = momentary ? momentary_status(filter->id, momentary->job) : job_status(*jobs.front());
    co_return co_await response.send_json(200, json_text(document));
}

// A list for each target, in which there may be nothing: AIStore's command asks for every kind that there is.
Task<Result<void>> JobApi::snapshots(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    const auto filter = read_filter(body);
    if (!filter) co_return filter.error();
    json by_target = json::object();
    for (const std::string& target : state_.targets()) {
        if (filter->target.empty() || filter->target == target) by_target[target] = json::array();
    }
    bool found = filter->id.empty() && (filter->kind.empty() || is_known_kind(filter->kind));
    for (const scheduler::Job* job : find(state_, auth::caller_of(request), with_idle_ones(*filter))) {
        if (filter->active && scheduler::is_terminal(job->state) && !has_just_ended(*job, unix_now_ns())) continue;
        found = true;
        for (auto& [target, snap] : job_snapshots(*job)) {
            if (filter->target.empty() || filter->target == target) by_target[target].push_back(std::move(snap));
        }
    }
    if (const auto momentary = find_momentary(state_, filter->id)) {
        found = true;
        for (json& snaps : by_target) snaps.push_back(momentary_snapshot(filter->id, momentary->job, momentary->bucket));
    }
    if (!found) co_return unknown_job(*filter);
    co_return co_await response.send_json(200, json_text(by_target));
}

Task<Result<void>> JobApi::list(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    const auto filter = read_filter(body);
    if (!filter) co_return filter.error();
    json rows = json::array();
    for (const scheduler::Job* job : find(state_, auth::caller_of(request), *filter)) rows.push_back(job_status(*job));
    co_return co_await response.send_json(200, json_text(rows));
}

Task<Result<void>> JobApi::running(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    auto filter = read_filter(body);
    if (!filter) co_return filter.error();
    filter->active = true;
    json rows = json::array();
    for (const scheduler::Job* job : find(state_, auth::caller_of(request), *filter)) rows.push_back(job_kind(*job) + "[" + job->id + "]");
    co_return co_await response.send_json(200, json_text(rows));
}

// Downloads and dSort, which AIStore's command asks for when it lists all jobs: there are none.
Task<Result<void>> JobApi::other_jobs(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    const auto filter = read_filter(body);
    if (!filter) co_return filter.error();
    const std::string id = request.query.get("id", request.query.get("uuid", filter->id));  // "uuid": the SDK, of dSort
    if (!id.empty()) co_return unknown_job({.id = id});
    co_return co_await response.send_json(200, "[]");
}

Task<Result<void>> JobApi::command(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    const auto message = body ? parse_action(*body) : Result<ActionMessage>(body.error());
    const auto filter = message ? parse_job_filter(message->value) : Result<JobFilter>(message.error());
    if (!filter) co_return filter.error();
    if (message->action == "set-config" || message->action == "reset-config") {
        const std::string url = request.server_url();
        if (message->action == "set-config") MILLRACE_CO_TRY(check_settings(message->value, cluster_configuration(url, state_.cluster_id)));
        co_return co_await response.send(200, {}, "");
    }
    if (message->action == "start") co_return co_await start(response, *filter);
    if (message->action == "stop") co_return co_await stop(request, response, *filter);
    const std::string action = message->action.substr(0, 100);
    co_return fail(Code::invalid_argument, "the action '" + action + "' is not supported on a cluster; aistore/AISTORE.md lists what is");
}

// Nothing is started this way but what has nothing to do: other jobs come with what they are to work on.
Task<Result<void>> JobApi::start(http::Response& response, const JobFilter& filter) {
    if (!has_nothing_to_do(filter.kind)) {
        co_return fail(Code::invalid_argument, "a job of kind '" + filter.kind.substr(0, 100) + "' is not started this way; copy or transform a bucket or "
            "a list of objects, see aistore/AISTORE.md");
    }
    const std::string id = momentary_id({filter.kind, "", unix_now_ns()});
    co_return co_await response.send(200, {}, id);
}

// Of one job, or of all of a kind: those that have ended stay as they are, and one that is not there does not run either.
Task<Result<void>> JobApi::stop(http::Request& request, http::Response& response, const JobFilter& filter) {
    if (filter.id.empty() && filter.kind.empty()) co_return fail(Code::invalid_argument, "give the id of the job, or a kind");
    std::vector<std::string> active;
    for (const scheduler::Job* job : find(state_, auth::caller_of(request), filter)) {
        if (scheduler::is_terminal(job->state)) continue;
        MILLRACE_CO_TRY(scheduler::check_run(auth::caller_of(request), job->spec));
        active.push_back(job->id);
    }
    std::size_t stopped = 0;
    for (const std::string& job : active) {
        scheduler::Scheduler::Command cancel_it = [](scheduler::Job& changed) { return scheduler::cancel(changed, unix_now_ns()); };
        const Result<void> done = co_await jobs_.command(job, std::move(cancel_it));
        if (!done && stopped > 0) co_return done.error().during(std::to_string(stopped) + " of the jobs were stopped, then");
        if (!done) co_return done.error();
        ++stopped;
    }
    co_return co_await response.send(200, {}, "");
}

}  // namespace millrace::aistore
