#include <algorithm>

#include "core/json.h"
#include "core/json_members.h"
#include "core/units.h"
#include "http/query_number.h"
#include "scheduler/job_document.h"
#include "scheduler/permissions.h"
#include "scheduler/proxy_api.h"
#include "scheduler/target_calls.h"

namespace millrace::scheduler {
using http::Access;

namespace {

using nlohmann::json;
constexpr std::size_t kErrorsPageDefault = 1000;
constexpr std::size_t kErrorsPageMax = 10'000;
constexpr auto kVerifyPatience = std::chrono::minutes(10);  // of a page: one very large object
constexpr auto kEventSpacing = milliseconds(200);
constexpr auto kEventRefresh = std::chrono::seconds(1);

Result<void> can_be_verified(const Job& job) {
    if (job.spec.dry_run != wire::DryRun::no) return fail(Code::conflict, "job " + job.id + " was a dry run: it has no results");
    if (is_terminal(job.state) || job.state == JobState::paused) return {};
    return fail(Code::conflict, "job " + job.id + " has not ended; wait for it, or pause it, first");
}

Task<Result<void>> refuse(Error error) { co_return error; }

struct Verified {
    std::string source, destination;  // "ais://bucket/"
    std::uint64_t checked = 0, kept = 0, problems = 0;
    json unreachable = json::object();
};

// Counts what a target has looked at; its problems as lines.
std::string add_page(Verified& sum, const std::string& target, const json& page) {
    sum.checked += count_of(page, "checked");
    sum.kept += count_of(page, "kept");
    std::string lines;
    for (const json& found : items_of(page, "problems")) {
        const std::string output = text_of(found, "output");
        lines += json_text({{"kind", "problem"}, {"object", sum.source + text_of(found, "object")}, {"target", target},
                          {"output", output.empty() ? "" : sum.destination + output}, {"problem", text_of(found, "problem")},
                          {"detail", text_of(found, "detail")}}) + "\n";
        ++sum.problems;
    }
    return lines;
}

}  // namespace

void JobApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    const auto id = [](const Parameters& path) -> const std::string& { return path.find("id")->second; };
    router.add("POST", "/v1/jobs", Access::run, [this](http::Request& request, http::Response& response, const Parameters&) {
        return submit(request, response);
    });
    router.add("GET", "/v1/jobs", Access::read, [this](http::Request& request, http::Response& response, const Parameters&) {
        return list(request, response);
    });
    // What is about one job: a GET is for those who may see it, all else for those who may run it.
    const auto of_job = [this, id](auto handler) {
        return [this, id, handler](http::Request& request, http::Response& response, const Parameters& path) {
            const Result<void> allowed = check(request, id(path));
            return allowed ? handler(request, response, id(path)) : refuse(allowed.error());
        };
    };
    router.add("GET", "/v1/jobs/{id}", Access::read, of_job([this](http::Request&, http::Response& response, const std::string& job) {
        return show(response, job, 200);
    }));
    router.add("DELETE", "/v1/jobs", Access::run, [this](http::Request& request, http::Response& response, const Parameters&) {
        return remove_old(request, response);
    });
    router.add("DELETE", "/v1/jobs/{id}", Access::run, of_job([this](http::Request&, http::Response& response, const std::string& job) {
        return remove(response, job);
    }));
    router.add("GET", "/v1/jobs/{id}/errors", Access::read, of_job([this](http::Request& request, http::Response& response, const std::string& job) {
        return errors(request, response, job);
    }));
    router.add("GET", "/v1/jobs/{id}/report", Access::read, of_job([this](http::Request&, http::Response& response, const std::string& job) {
        return report(response, job);
    }));
    router.add("GET", "/v1/jobs/{id}/verify", Access::read, of_job([this](http::Request& request, http::Response& response, const std::string& job) {
        return verify(request, response, job);
    }));
    router.add("GET", "/v1/jobs/{id}/events", Access::read, of_job([this](http::Request&, http::Response& response, const std::string& job) {
        return events(response, job);
    }));
    const auto add_command = [&](const char* verb, Scheduler::Command change) {
        router.add("POST", std::string("/v1/jobs/{id}/") + verb, Access::run,
                   of_job([this, change](http::Request&, http::Response& response, const std::string& job) { return command(response, job, change); }));
    };
    add_command("pause", [](Job& job) { return pause(job); });
    const auto add_again = [&](const char* verb, Again how) {
        router.add("POST", std::string("/v1/jobs/{id}/") + verb, Access::run,
                   of_job([this, how](http::Request& request, http::Response& response, const std::string& job) {
            return start_again(request, response, job, how);
        }));
    };
    add_again("resume", Again::resume);
    add_again("retry", Again::retry);
    add_command("cancel", [](Job& job) { return cancel(job, unix_now_ns()); });
}

Result<void> JobApi::check(const http::Request& request, const std::string& id) const {
    MILLRACE_TRY_ASSIGN(const LiveJob* const live, find(id));
    const auth::Caller& caller = auth::caller_of(request);
    return request.method == "GET" || request.method == "HEAD" ? check_seen(caller, live->job.spec) : check_run(caller, live->job.spec);
}

Result<const LiveJob*> JobApi::find(const std::string& id) const {
    const LiveJob* live = state_.jobs.find(id);
    if (live == nullptr) return fail(Code::not_found, "job " + id + " does not exist");
    return live;
}

Task<Result<void>> JobApi::submit(http::Request& request, http::Response& response) {
    auto read = [](std::string body) { return parse_job_request(body); };
    auto parsed = co_await bodies_.read(request, read);
    if (!parsed) co_return parsed.error();
    MILLRACE_CO_TRY(check_run(auth::caller_of(request), parsed->spec));
    const std::string key(request.headers.find("Idempotency-Key").value_or(""));
    if (key.size() > 256) co_return fail(Code::invalid_argument, "Idempotency-Key is longer than 256 bytes");
    const Result<std::string> id = co_await jobs_.submit(std::move(*parsed), key);
    if (!id) co_return id.error();
    request.deed = *id;
    co_return co_await show(response, *id, 202);
}

Task<Result<void>> JobApi::show(http::Response& response, const std::string& id, int status) {
    const auto live = find(id);
    if (!live) co_return live.error();
    http::Headers headers{{"Content-Type", "application/json"}, {"Location", "/v1/jobs/" + id}};
    const std::string document = job_document(**live, state_.is_online(), Detail::full, unix_now_ns());
    co_return co_await response.send(status, std::move(headers), document);
}

Task<Result<void>> JobApi::list(http::Request& request, http::Response& response) {
    const std::string state = request.query.get("state");
    const std::optional<JobState> wanted = job_state_of(state);
    if (!state.empty() && !wanted) co_return fail(Code::invalid_argument, "state '" + state + "' is none that a job can be in");
    std::vector<const LiveJob*> jobs;
    for (const auto& [id, live] : state_.jobs.jobs()) {
        if ((!wanted || live.job.state == *wanted) && check_seen(auth::caller_of(request), live.job.spec)) jobs.push_back(&live);
    }
    std::ranges::sort(jobs, std::greater(), [](const LiveJob* live) { return live->job.created_unix_ns; });
    std::string text = "[";
    for (const LiveJob* live : jobs) {
        if (text.size() > 1) text += ",";
        text += job_document(*live, state_.is_online(), Detail::summary, unix_now_ns());
    }
    co_return co_await response.send_json(200, text + "]");
}

Task<Result<void>> JobApi::start_again(http::Request& request, http::Response& response, const std::string& id, Again how) {
    const std::string with_current = request.query.get("with_current");
    if (!with_current.empty() && with_current != "true" && with_current != "false") {
        co_return fail(Code::invalid_argument, "with_current is true or false");
    }
    MILLRACE_CO_TRY(co_await jobs_.start_again(id, how, with_current == "true"));
    co_return co_await show(response, id, 200);
}

Task<Result<void>> JobApi::command(http::Response& response, const std::string& id, Scheduler::Command change) {
    MILLRACE_CO_TRY(co_await jobs_.command(id, change));
    co_return co_await show(response, id, 200);
}

Task<Result<void>> JobApi::remove(http::Response& response, const std::string& id) {
    MILLRACE_CO_TRY(co_await jobs_.remove(id));
    co_return co_await response.send(200, {}, "");
}

Task<Result<void>> JobApi::remove_old(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY(auth::caller_of(request).check_everywhere(auth::Right::run));
    const Result<milliseconds> age = parse_duration(request.query.get("older_than"));
    if (!age) co_return age.error().during("older_than");
    MILLRACE_CO_TRY_ASSIGN(const std::size_t removed, co_await jobs_.remove_older_than(*age));
    co_return co_await response.send_json(200, "{\"removed\":" + std::to_string(removed) + "}");
}

Task<Result<void>> JobApi::errors(http::Request& request, http::Response& response, const std::string& id) {
    MILLRACE_CO_TRY_ASSIGN(const std::optional<std::uint64_t> wanted, http::query_number(request.query, "limit"));
    const auto limit = static_cast<std::size_t>(std::min<std::uint64_t>(wanted.value_or(kErrorsPageDefault), kErrorsPageMax));
    const auto page = co_await error_page(state_, targets_, id, request.query.get("cursor"), limit);
    if (!page) co_return page.error();
    co_return co_await response.send_json(200, json_text({{"errors", page->rows}, {"cursor", page->cursor}, {"unreachable", page->unreachable},
                                                         {"problems", page->problems}}));
}

Task<Result<void>> JobApi::report(http::Response& response, const std::string& id) {
    const auto live = find(id);
    if (!live) co_return live.error();
    json head = json_or_null(job_document(**live, state_.is_online(), Detail::summary, unix_now_ns()));
    head["kind"] = "job";
    std::string lines = json_text(head) + "\n";
    for (const auto& [target, slice] : (*live)->job.slices) lines += slice_document(**live, target, state_.is_online()) + "\n";
    http::Headers headers{{"Content-Type", "application/x-ndjson"}};
    MILLRACE_CO_TRY(co_await response.start(200, std::move(headers), std::nullopt));
    std::string cursor;
    std::size_t count = 0;
    bool complete = true;
    do {
        const auto page = co_await error_page(state_, targets_, id, cursor, kErrorsPageDefault);
        if (!page) co_return page.error();  // the connection is cut: half a report is not taken for a whole one
        for (json row : page->rows) {
            row["kind"] = "error";
            lines += json_text(row) + "\n";
        }
        count += page->rows.size();
        complete = complete && page->unreachable.empty() && page->problems.empty();
        cursor = page->cursor;
        MILLRACE_CO_TRY(co_await response.write(as_bytes(lines)));
        lines.clear();
    } while (!cursor.empty());
    lines = json_text({{"kind", "end"}, {"errors", count}, {"complete", complete}}) + "\n";
    MILLRACE_CO_TRY(co_await response.write(as_bytes(lines)));
    co_return co_await response.finish();
}

Task<Result<void>> JobApi::verify(http::Request& request, http::Response& response, const std::string& id) {
    const auto live = find(id);
    MILLRACE_CO_TRY(live ? can_be_verified((*live)->job) : Result<void>(live.error()));
    const wire::JobSpec& spec = (*live)->job.spec;
    Verified sum{.source = "ais://" + spec.source + "/", .destination = "ais://" + spec.destination + "/"};
    const std::uint64_t done = spec.operation == wire::Operation::remove ? 0 : totals((*live)->job).counters.done;
    std::vector<std::string> targets;
    for (const auto& [target, slice] : (*live)->job.slices) targets.push_back(target);
    http::Headers headers{{"Content-Type", "application/x-ndjson"}};
    MILLRACE_CO_TRY(co_await response.start(200, std::move(headers), std::nullopt));
    for (const std::string& target : targets) {
        Query query;
        query.add("job", id);
        query.add("contents", request.query.get("contents"));
        std::string after;
        for (bool at_end = false; !at_end;) {
            Query from_there = query;
            from_there.add("after", after);
            const auto page = co_await ask_target(targets_, target, "/v1/worker/verify", from_there, kVerifyPatience);
            if (!page) {
                sum.unreachable[target] = page.error().context;
                break;
            }
            const std::string lines = add_page(sum, target, *page);
            if (!lines.empty()) MILLRACE_CO_TRY(co_await response.write(as_bytes(lines)));
            const std::string last = text_of(*page, "last");
            at_end = flag_of(*page, "at_end", true) || last <= after;
            after = last;
        }
    }
    const std::uint64_t of_the_job = sum.checked - std::min(sum.kept, sum.checked);
    const std::uint64_t unseen = sum.unreachable.empty() && done > of_the_job ? done - of_the_job : 0;
    const std::string end = json_text({{"kind", "end"}, {"checked", sum.checked}, {"kept", sum.kept}, {"problems", sum.problems}, {"unseen", unseen},
                                     {"complete", sum.unreachable.empty()}, {"unreachable", sum.unreachable}}) + "\n";
    MILLRACE_CO_TRY(co_await response.write(as_bytes(end)));
    co_return co_await response.finish();
}

Task<Result<void>> JobApi::events(http::Response& response, const std::string& id) {
    auto live = find(id);
    if (!live) co_return live.error();
    http::Headers headers{{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store"}};
    MILLRACE_CO_TRY(co_await response.start(200, std::move(headers), std::nullopt));
    for (;;) {
        live = find(id);
        if (!live) break;  // removed meanwhile
        const std::uint64_t seen = (*live)->changes;
        const bool last = is_terminal((*live)->job.state);
        const std::string event = "event: job\ndata: " + job_document(**live, state_.is_online(), Detail::full, unix_now_ns()) + "\n\n";
        MILLRACE_CO_TRY(co_await response.write(as_bytes(event)));
        if (last) break;
        // Changes are told at most so often, but for the last: its reader waits for nothing else.
        const Instant sent = steady_now();
        for (bool is_due = false; !is_due;) {
            const Instant now = steady_now();
            live = find(id);
            const bool changed = !live || (*live)->changes != seen;
            is_due = now >= sent + (changed ? kEventSpacing : kEventRefresh) || (changed && (!live || is_terminal((*live)->job.state)));
            if (!is_due) co_await control_.wait_for_change(sent + (changed ? kEventSpacing : kEventRefresh));
        }
    }
    co_return co_await response.finish();
}

}  // namespace millrace::scheduler
