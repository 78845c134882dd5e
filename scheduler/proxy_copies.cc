// What a proxy remembers of nodes, and what it does about those, itself included, that run from older copies of their folders.
#include <algorithm>

#include "core/log.h"
#include "scheduler/proxy_core.h"

namespace millrace::scheduler {
namespace {
constexpr auto kHousekeepingPause = std::chrono::seconds(10);
}  // namespace

// What is remembered of members and for how long things are kept. It is written down before long; until then less is remembered, and no harm done.
void ProxyCore::housekeep(Instant now) {
    next_housekeeping_ = now + kHousekeepingPause;
    if (auto committed = commit_members(); !committed) log::error("members could not be written down", {{"error", committed.error()}});
    std::uint64_t applied_by_all = catalog_.wire().version;
    for (const auto& [target, member] : membership_.members()) {
        const bool all_of_it = member.catalog_problems.empty() && !member.boot_id.empty();
        applied_by_all = std::min(applied_by_all, all_of_it ? std::min(member.catalog_version, member.transforms_of_catalog) : 0);
    }
    DesiredCatalog without = catalog_;
    if (without.drop_destroyed(applied_by_all)) {
        if (auto written = write_catalog(without); !written) log::error("the catalog could not be written down", {{"error", written.error()}});
    }
    scheduler_.expire(now, config_.job_retention_ms, config_.ended_jobs_max);
}

Result<void> ProxyCore::check_leads() const {
    if (outdated().empty()) return {};
    return fail(Code::unavailable, outdated());
}

std::vector<std::string> ProxyCore::problems() const {
    std::vector<std::string> problems;
    if (!outdated().empty()) problems.push_back(outdated());
    for (const auto& [target, member] : membership_.members()) {
        if (!member.problem.empty()) problems.push_back(member.problem);
        for (const wire::CatalogProblem& problem : member.catalog_problems) {
            problems.push_back("target " + target + " has not applied '" + problem.name + "': " + problem.reason);
        }
    }
    for (const auto& [id, stranger] : membership_.strangers()) problems.push_back("target " + id + " at " + stranger.endpoint + ": " + stranger.reason);
    return problems;
}

Result<std::string> ProxyCore::accept(const std::string& node) {
    if (node == proxy_id_ || node == "proxy") {
        MILLRACE_TRY(accept_self());
        return "proxy " + proxy_id_ + " leads the cluster with what it has; what was commanded since its copy was made is forgotten";
    }
    MILLRACE_TRY(check_leads());
    MILLRACE_TRY(membership_.accept(node, random_id("br-")));
    const std::string why = "target " + node + " was accepted with another folder than the one that was known (" + rfc3339(unix_now_ns()) + ")";
    log::warn("target accepted", {{"target", node}});
    scheduler_.target_accepted(node, why, steady_now());
    Result<void> written = flush();  // the jobs first: a target that joins finds them as they should be
    if (written) written = commit_members();
    if (!written) {
        return written.error().during("target " + node + " is accepted, but that could not be written down: should the proxy end before its disk takes "
            "writes again, the target has to be accepted once more");
    }
    return "target " + node + " joins with the folder it has; its slices of unfinished jobs go on from its own checkpoints";
}

// Everything that targets may have seen is overtaken; the lineage last, so that a crash in between leaves this proxy outdated.
Result<void> ProxyCore::accept_self() {
    MILLRACE_TRY_ASSIGN(wire::OwnLineage own, leadership_.accepted(random_id("br-")));
    scheduler_.overtake(leadership_.lives_since_copy(), steady_now());
    MILLRACE_TRY(flush());
    DesiredCatalog changed = catalog_;
    changed.overtake(newest_catalog_, leadership_.catalog_seen());
    MILLRACE_TRY(commit_catalog(changed));
    MILLRACE_TRY(commit_lineage(own));
    leadership_.accept(std::move(own));
    newest_catalog_ = {};
    return {};
}

}  // namespace millrace::scheduler
