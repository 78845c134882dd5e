#include "scheduler/target_calls.h"

#include <algorithm>

#include "core/json.h"
#include "core/json_members.h"
#include "core/run_all.h"

namespace millrace::scheduler {

using nlohmann::json;

Task<Result<std::string>> read_from_target(const TargetDirectory& directory, std::string target, std::string path, Query query, Duration patience) {
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, directory.endpoint_of(target));
    http::ClientRequest request{.method = "GET", .target = path + "?" + query.text()};
    request.deadline = steady_now() + patience;
    directory.prove(request, target);
    auto reply = co_await http::fetch_ok(directory.client(), endpoint, request, 64 << 20);
    if (!reply) co_return reply.error().during("target " + target);
    co_return std::move(reply->body);
}

Task<Result<json>> ask_target(const TargetDirectory& directory, std::string target, std::string path, Query query, Duration patience) {
    MILLRACE_CO_TRY_ASSIGN(const std::string answer, co_await read_from_target(directory, target, path, query, patience));
    json document = json_or_null(answer);
    if (!document.is_object()) co_return fail(Code::unavailable, "target " + target + " answered with something that is not JSON");
    co_return document;
}

Task<std::vector<Result<json>>> ask_targets(const TargetDirectory& directory, std::vector<TargetId> targets, std::string path, Query query) {
    std::vector<Task<Result<json>>> calls;
    for (const TargetId& target : targets) calls.push_back(ask_target(directory, target.str(), path, query));
    co_return co_await run_all(std::move(calls));
}

namespace {

constexpr std::size_t kErrorPageBytes = 8 << 20;  // a page ends behind the row that passes it

json error_row(const LiveJob& live, const std::string& target, const json& row) {
    return {{"object", "ais://" + live.job.spec.source + "/" + text_of(row, "name")}, {"target", target}, {"class", text_of(row, "class")},
            {"code", text_of(row, "code")}, {"message", text_of(row, "message")}, {"attempts", count_of(row, "attempts")},
            {"at", text_of(row, "at")}, {"stderr", text_of(row, "stderr")}};
}

}  // namespace

// The cursor is "target/last name"; an empty name means from the start of that target.
Task<Result<ErrorPage>> error_page(const ClusterState& state, const TargetDirectory& directory, std::string job, std::string cursor, std::size_t rows_max) {
    const LiveJob* live = state.jobs.find(job);
    if (live == nullptr) co_return fail(Code::not_found, "job " + job + " does not exist");
    const std::size_t slash = std::min(cursor.find('/'), cursor.size());
    const std::string from = cursor.substr(0, slash);
    std::string after = slash < cursor.size() ? cursor.substr(slash + 1) : "";
    std::vector<std::string> targets;
    for (const auto& [target, slice] : live->job.slices) {
        if (target >= from) targets.push_back(target);
    }
    ErrorPage page;
    std::size_t bytes = 0;
    const auto is_full = [&] { return page.rows.size() >= rows_max || bytes >= kErrorPageBytes; };
    for (const std::string& target : targets) {
        if (target != from) after.clear();
        for (bool at_end = false; !at_end && !is_full();) {
            Query query;
            query.add("job", job);
            query.add("after", after);
            query.add("limit", std::to_string(rows_max - page.rows.size()));
            const auto answer = co_await ask_target(directory, target, "/v1/worker/ledger", query);
            if (!answer) {
                const bool is_away = answer.error().code == Code::unavailable || answer.error().code == Code::timed_out;
                if (is_away) {
                    page.unreachable.push_back(target);
                } else {
                    page.problems.emplace(target, answer.error().context);
                }
                break;
            }
            live = state.jobs.find(job);
            if (live == nullptr) co_return fail(Code::not_found, "job " + job + " was removed");
            bool is_cut = false;
            std::string last = after;
            for (const json& row : items_of(*answer, "rows")) {
                is_cut = is_full();
                if (is_cut) break;
                last = text_of(row, "name");
                page.rows.push_back(error_row(*live, target, row));
                bytes += json_text(page.rows.back()).size();  // a control character takes six bytes there
            }
            if (!is_cut) last = text_of(*answer, "last", last);
            at_end = !is_cut && (flag_of(*answer, "at_end", true) || last <= after);
            after = last;
        }
        if (is_full()) {
            page.cursor = target + "/" + after;
            break;
        }
    }
    co_return page;
}

}  // namespace millrace::scheduler
