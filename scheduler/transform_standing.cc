#include "scheduler/transform_standing.h"

#include <algorithm>

#include "core/json_members.h"
#include "scheduler/target_calls.h"

namespace millrace::scheduler {

using nlohmann::json;

Standing standing(const ClusterState& state, const wire::TransformEntry& entry) {
    Standing sum;
    bool starting = false;
    bool aborted = false;
    std::size_t online = 0;
    for (const auto& [target, member] : state.members.members()) {
        ++sum.targets;
        const auto report = std::ranges::find(member.transforms, entry.name, &wire::TransformReport::name);
        json row{{"target", target}, {"state", "unknown"}, {"reason", member.online ? "" : "the target is offline"}, {"pid", 0}, {"restarts", 0},
                 {"runs", 0}, {"failures", 0}, {"last_death", ""}, {"last_death_log", ""}, {"cpu_seconds", 0.0}, {"memory_bytes", 0},
                 {"start", ""}, {"image", ""}, {"sandbox", ""}, {"sandbox_lacks", ""}};
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
            row["image"] = report->image;
            row["sandbox"] = report->sandbox;
            row["sandbox_lacks"] = report->sandbox_lacks;
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

namespace {

// (target, what it answered) of those that answered.
using Answers = std::vector<std::pair<std::string, json>>;

Task<Result<Answers>> gather(const ClusterState& state, const TargetDirectory& directory, std::string name, std::string only, std::string path, Query query) {
    if (state.catalog.transform(name) == nullptr) co_return unknown_transform(name);
    query.add("transform", name);
    std::vector<TargetId> targets = directory.ids();
    if (!only.empty()) std::erase_if(targets, [&](const TargetId& target) { return target.str() != only; });
    if (targets.empty() && !only.empty()) co_return fail(Code::not_found, "target " + only + " is not a member of the cluster");
    auto replies = co_await ask_targets(directory, targets, path, query);
    Answers answers;
    for (std::size_t i = 0; i < replies.size(); ++i) {
        if (replies[i]) {
            answers.emplace_back(targets[i].str(), std::move(*replies[i]));
        } else if (!only.empty()) {
            co_return replies[i].error();
        }
    }
    co_return answers;
}

}  // namespace

Task<Result<json>> transform_logs(const ClusterState& state, const TargetDirectory& directory, std::string name, std::string only, std::string after) {
    Query query;
    if (!after.empty()) query.add("after", after);
    MILLRACE_CO_TRY_ASSIGN(const Answers answers, co_await gather(state, directory, name, only, "/v1/worker/logs", query));
    json rows = json::array();
    for (const auto& [target, answer] : answers) {
        rows.push_back({{"target", target}, {"log", text_of(answer, "log")}, {"end", count_of(answer, "end")}});
    }
    co_return rows;
}

Task<Result<json>> transform_errors(const ClusterState& state, const TargetDirectory& directory, std::string name, std::string only) {
    MILLRACE_CO_TRY_ASSIGN(const Answers answers, co_await gather(state, directory, name, only, "/v1/worker/inline_errors", Query()));
    json rows = json::array();
    for (const auto& [target, answer] : answers) {
        for (json row : items_of(answer, "rows")) {
            row["target"] = target;
            rows.push_back(std::move(row));
        }
    }
    co_return rows;
}

}  // namespace millrace::scheduler
