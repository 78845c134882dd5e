#include <algorithm>

#include "aistore/api.h"
#include "aistore/job_view.h"
#include "core/json.h"

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

// Newest first.
std::vector<const scheduler::Job*> find(const scheduler::ClusterState& state, const JobFilter& filter) {
    std::vector<const scheduler::Job*> found;
    for (const auto& [id, live] : state.jobs.jobs()) {
        if (matches(filter, live.job)) found.push_back(&live.job);
    }
    std::ranges::sort(found, std::greater(), &scheduler::Job::created_unix_ns);
    return found;
}

struct MovedBucket {
    Move move;
    std::string name;
};

std::optional<MovedBucket> find_move(const scheduler::ClusterState& state, const std::string& id) {
    const auto move = parse_move_id(id);
    if (!move) return std::nullopt;
    for (const wire::BucketEntry& bucket : state.catalog.wire().buckets) {
        if (bucket.uid == move->bucket_uid) return MovedBucket{*move, bucket.name};
    }
    return std::nullopt;
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
}

// The newest, where a kind is all that is given.
Task<Result<void>> JobApi::status(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    auto filter = read_filter(body);
    if (filter && filter->id.empty() && filter->kind.empty()) filter = fail(Code::invalid_argument, "give the id of the job, or a kind");
    if (!filter) co_return filter.error();
    const auto jobs = find(state_, *filter);
    const auto moved = find_move(state_, filter->id);
    if (jobs.empty() && !moved) co_return unknown_job(*filter);
    const json document = moved ? move_status(filter->id, moved->move) : job_status(*jobs.front());
    co_return co_await response.send_json(200, json_text(document));
}

Task<Result<void>> JobApi::snapshots(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    const auto filter = read_filter(body);
    if (!filter) co_return filter.error();
    json by_target = json::object();
    for (const scheduler::Job* job : find(state_, *filter)) {
        for (auto& [target, snap] : job_snapshots(*job)) by_target[target].push_back(std::move(snap));
    }
    if (const auto moved = find_move(state_, filter->id)) {
        for (const std::string& target : state_.targets()) by_target[target].push_back(move_snapshot(filter->id, moved->move, moved->name));
    }
    if (by_target.empty()) co_return unknown_job(*filter);
    co_return co_await response.send_json(200, json_text(by_target));
}

Task<Result<void>> JobApi::list(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    const auto filter = read_filter(body);
    if (!filter) co_return filter.error();
    json rows = json::array();
    for (const scheduler::Job* job : find(state_, *filter)) rows.push_back(job_status(*job));
    co_return co_await response.send_json(200, json_text(rows));
}

Task<Result<void>> JobApi::running(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    auto filter = read_filter(body);
    if (!filter) co_return filter.error();
    filter->active = true;
    json rows = json::array();
    for (const scheduler::Job* job : find(state_, *filter)) rows.push_back(job_kind(*job) + "[" + job->id + "]");
    co_return co_await response.send_json(200, json_text(rows));
}

// stop, of one job or of all of a kind: those that have ended stay as they are. Nothing is started this way: jobs come with
// what they are to do, and what AIStore starts by hand (lru, rebalance, …) is not there to be started.
Task<Result<void>> JobApi::command(http::Request& request, http::Response& response) {
    const auto body = co_await request.read_all(kBodyMax);
    const auto message = body ? parse_action(*body) : Result<ActionMessage>(body.error());
    const auto filter = message ? parse_job_filter(message->value) : Result<JobFilter>(message.error());
    Result<void> done = filter ? Result<void>() : filter.error();
    if (done && message->action != "stop") {
        done = fail(Code::invalid_argument, "the action '" + message->action + "' is not supported: jobs cannot be started or changed this way");
    }
    if (done && filter->id.empty() && filter->kind.empty()) done = fail(Code::invalid_argument, "give the id of the job, or a kind");
    if (done && !filter->id.empty() && find(state_, *filter).empty() && !find_move(state_, filter->id)) done = unknown_job(*filter);
    std::size_t stopped = 0;
    if (done) {
        std::vector<std::string> active;
        for (const scheduler::Job* job : find(state_, *filter)) {
            if (!scheduler::is_terminal(job->state)) active.push_back(job->id);
        }
        for (const std::string& job : active) {
            scheduler::Scheduler::Command cancel_it = [](scheduler::Job& changed) { return scheduler::cancel(changed, unix_now_ns()); };
            done = co_await jobs_.command(job, std::move(cancel_it));
            if (!done && stopped > 0) done = done.error().during(std::to_string(stopped) + " of the jobs were stopped, then");
            if (!done) break;
            ++stopped;
        }
    }
    if (!done) co_return done.error();
    co_return co_await response.send(200, {}, "");
}

}  // namespace millrace::aistore
