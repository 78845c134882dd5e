// Changes of buckets and transforms: written down, told to the targets, and waited for.
#include <algorithm>
#include <optional>

#include "core/hash.h"
#include "core/log.h"
#include "scheduler/proxy_core.h"
#include "spec/transform_spec.h"

namespace millrace::scheduler {
namespace {

constexpr auto kApplyPatience = std::chrono::seconds(10);
constexpr auto kCatalogPatience = std::chrono::seconds(20);
constexpr auto kStopPatience = std::chrono::seconds(30);
constexpr auto kStartPatience = std::chrono::minutes(5);

}  // namespace

// The image that the first target runs is the one of the cluster: from then on the others run it, or say why not.
void ProxyCore::receive_transforms(const std::string& target, wire::TransformStatus status) {
    Member* member = membership_.find(target);
    member->transforms = std::move(status.transforms);
    member->catalog_problems = std::move(status.problems);
    member->transforms_of_catalog = status.catalog_version;
    DesiredCatalog changed = catalog_;
    for (const wire::TransformReport& report : member->transforms) {
        const wire::TransformEntry* entry = catalog_.transform(report.name);
        const bool runs_it = entry != nullptr && report.state == "running" && report.spec_json_digest == checksum_text(xxh64(entry->spec_json));
        if (runs_it) (void)changed.set_image(report.name, report.image);
    }
    if (changed.wire().version == catalog_.wire().version) return;
    const Result<void> committed = commit_catalog(changed);
    if (!committed) log::error("the image of a transform cannot be written down", {{"target", target}, {"error", committed.error()}});
}

Task<Result<std::string>> ProxyCore::wait_for_targets(JudgeOfTarget judge, Instant deadline) {
    for (;;) {
        std::string waiting_for;
        for (const auto& [target, member] : membership_.members()) {
            if (!member.online) continue;
            MILLRACE_CO_TRY_ASSIGN(const bool is_there, judge(target, member));
            if (!is_there) waiting_for = target;
        }
        if (waiting_for.empty() || steady_now() >= deadline) co_return waiting_for;
        co_await wait_for_change(deadline);
    }
}

// Every online target speaks of this catalog, and of no problem with the entry.
Task<Result<void>> ProxyCore::wait_until_applied(std::string entry, Duration patience) {
    const std::uint64_t version = catalog_.wire().version;
    const JudgeOfTarget judge = [&](const std::string& target, const Member& member) -> Result<bool> {
        if (std::min(member.catalog_version, member.transforms_of_catalog) < version) return false;
        const auto problem = std::ranges::find(member.catalog_problems, entry, &wire::CatalogProblem::name);
        if (problem == member.catalog_problems.end()) return true;
        return fail(Code::unavailable, "the catalog says so now, but target " + target + " has not applied it: " + problem->reason +
            "; it goes on trying, see: millrace cluster show");
    };
    MILLRACE_CO_TRY_ASSIGN(const std::string late, co_await wait_for_targets(judge, steady_now() + patience));
    if (late.empty()) co_return Result<void>{};
    co_return fail(Code::unavailable, "the catalog says so now, but target " + late +
        " has not said in time that it has applied it; it may do so later, see: millrace cluster show");
}

Task<Result<void>> ProxyCore::create_bucket(std::string name, std::uint64_t small_object_bytes_max) {
    MILLRACE_CO_TRY(check_leads());
    if (membership_.members().empty()) co_return fail(Code::unavailable, "no target has joined yet; start one with: millrace target --config FILE");
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.create_bucket(name, small_object_bytes_max, unix_now_ns()));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_return co_await wait_until_applied(name, kCatalogPatience);
}

Result<void> ProxyCore::refuse_if_used(const std::string& bucket) const {
    const auto user = scheduler_.user_of_bucket(bucket);
    if (!user) return {};
    return fail(Code::conflict, "job " + *user + " uses bucket \"ais://" + bucket + "\"; cancel the job or let it finish first");
}

Task<Result<void>> ProxyCore::rename_bucket(std::string from, std::string to) {
    MILLRACE_CO_TRY(check_leads());
    MILLRACE_CO_TRY(refuse_if_used(from));
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.rename_bucket(from, to));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_return co_await wait_until_applied(to, kCatalogPatience);
}

Task<Result<void>> ProxyCore::destroy_bucket(std::string name) {
    MILLRACE_CO_TRY(check_leads());
    MILLRACE_CO_TRY(refuse_if_used(name));
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.destroy_bucket(name));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_return co_await wait_until_applied(name, kCatalogPatience);
}

// Every online target speaks of this catalog and runs the transform; the reason of the first that says why it cannot.
Task<Result<void>> ProxyCore::wait_until_running(const std::string& transform, Duration patience) {
    const std::uint64_t version = catalog_.wire().version;
    const JudgeOfTarget judge = [&](const std::string& target, const Member& member) -> Result<bool> {
        const auto report = std::ranges::find(member.transforms, transform, &wire::TransformReport::name);
        if (member.transforms_of_catalog < version || report == member.transforms.end()) return false;
        if (report->state != "running" && !report->reason.empty()) return fail(Code::rejected, "target " + target + ": " + report->reason);
        return report->state == "running";
    };
    MILLRACE_CO_TRY_ASSIGN(const std::string late, co_await wait_for_targets(judge, steady_now() + patience));
    if (!late.empty()) co_return fail(Code::rejected, "target " + late + " did not get it running in time");
    co_return co_await wait_until_applied(transform, kCatalogPatience);  // what was found out meanwhile: the image that it runs
}

Task<Result<void>> ProxyCore::add_transform(std::string name, std::string spec_json, Duration init_timeout) {
    MILLRACE_CO_TRY(check_leads());
    if (membership_.members().empty()) co_return fail(Code::unavailable, "no target has joined yet; start one with: millrace target --config FILE");
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.add_transform(name, spec_json));
    MILLRACE_CO_TRY(commit_catalog(changed));
    const Result<void> running = co_await wait_until_running(name, init_timeout + kApplyPatience);
    if (running) co_return running;
    DesiredCatalog without = catalog_;
    const wire::TransformEntry* registered = catalog_.transform(name);
    const bool still_ours = registered != nullptr && registered->spec_json == spec_json;
    if (still_ours && without.remove_transform(name)) {
        if (const auto removed = commit_catalog(without); !removed) {
            co_return removed.error().during("transform '" + name + "' cannot run (" + running.error().context + "), and stays registered");
        }
    }
    co_return running.error().during("transform '" + name + "' cannot run");
}

Task<Result<void>> ProxyCore::remove_transform(std::string name) {
    MILLRACE_CO_TRY(check_leads());
    if (const auto user = scheduler_.user_of_transform(name)) {
        co_return fail(Code::conflict, "job " + *user + " uses this transform; cancel the job or let it finish first");
    }
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.remove_transform(name));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_return co_await wait_until_stopped(name, kStopPatience);
}

Task<Result<void>> ProxyCore::enable_transform(std::string name, bool enabled) {
    MILLRACE_CO_TRY(check_leads());
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.enable_transform(name, enabled));
    if (changed.wire().version == catalog_.wire().version) co_return Result<void>{};
    MILLRACE_CO_TRY(commit_catalog(changed));
    if (!enabled) co_return co_await wait_until_stopped(name, kStopPatience);
    MILLRACE_CO_TRY(co_await wait_until_applied(name, kCatalogPatience));
    co_return co_await wait_until_running(name, kStartPatience);
}

Task<Result<void>> ProxyCore::restart_transform(std::string name, std::optional<std::string> new_version) {
    const auto user = new_version ? scheduler_.user_of_transform(name) : std::nullopt;
    if (user) co_return fail(Code::conflict, "job " + *user + " uses this transform; cancel the job or let it finish first");
    MILLRACE_CO_TRY(co_await enable_transform(name, false));
    if (new_version) {
        const wire::TransformEntry* entry = catalog_.transform(name);
        if (entry == nullptr) co_return unknown_transform(name);
        MILLRACE_CO_TRY_ASSIGN(const std::string spec_json, spec::with_version(entry->spec_json, *new_version));
        DesiredCatalog changed = catalog_;
        MILLRACE_CO_TRY(changed.set_specification(name, spec_json));
        MILLRACE_CO_TRY(commit_catalog(changed));
    }
    const Result<void> enabled = co_await enable_transform(name, true);
    if (!enabled) co_return enabled.error().during("transform '" + name + "' was stopped, and does not run again");
    co_return Result<void>{};
}

// Every online target speaks of this catalog and has nothing of the transform running any more.
Task<Result<void>> ProxyCore::wait_until_stopped(std::string transform, Duration patience) {
    const std::uint64_t version = catalog_.wire().version;
    const JudgeOfTarget judge = [&](const std::string&, const Member& member) -> Result<bool> {
        if (member.transforms_of_catalog < version) return false;
        const auto report = std::ranges::find(member.transforms, transform, &wire::TransformReport::name);
        return report == member.transforms.end() || report->state == "stopped";
    };
    MILLRACE_CO_TRY_ASSIGN(const std::string late, co_await wait_for_targets(judge, steady_now() + patience));
    if (late.empty()) co_return Result<void>{};
    co_return fail(Code::unavailable, "transform '" + transform + "' is to stop, but target " + late +
        " has not said in time that nothing of it runs any more; it may do so later");
}

}  // namespace millrace::scheduler
