#include "scheduler/catalog_service.h"

#include <algorithm>
#include <optional>

#include "spec/transform_spec.h"

namespace millrace::scheduler {
namespace {

constexpr auto kCatalogPatience = std::chrono::seconds(20);
constexpr auto kStopPatience = std::chrono::seconds(30);
constexpr auto kStartPatience = std::chrono::minutes(5);

}  // namespace

Task<Result<std::string>> CatalogService::wait_for_targets(JudgeOfTarget judge, Instant deadline) {
    for (;;) {
        std::string waiting_for;
        for (const auto& [target, member] : state_.members.members()) {
            if (!member.online) continue;
            MILLRACE_CO_TRY_ASSIGN(const bool is_there, judge(target, member));
            if (!is_there) waiting_for = target;
        }
        if (waiting_for.empty() || steady_now() >= deadline) co_return waiting_for;
        co_await control_.wait_for_change(deadline);
    }
}

// Every online target speaks of this catalog, and of no problem with the entry.
Task<Result<void>> CatalogService::wait_until_applied(std::string entry, Duration patience) {
    const std::uint64_t version = state_.catalog.wire().version;
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

Task<Result<bool>> CatalogService::change(Change how) {
    auto turn = [&] { return change_in_turn(how); };
    co_return co_await control_.in_turn(std::move(turn));
}

Task<Result<bool>> CatalogService::change_in_turn(const Change& how) {
    MILLRACE_CO_TRY(state_.check_leads());
    DesiredCatalog changed = state_.catalog;
    MILLRACE_CO_TRY(how(changed));
    if (changed.wire().version == state_.catalog.wire().version) co_return false;
    MILLRACE_CO_TRY(co_await control_.change_catalog(std::move(changed)));
    co_return true;
}

Task<Result<void>> CatalogService::revoke(wire::RevokedEntry entry) {
    const Change add = [&entry](DesiredCatalog& changed) { return changed.revoke(entry, unix_now_ns() / 1'000'000'000); };
    MILLRACE_CO_TRY(co_await change(add));
    co_return co_await wait_until_applied("", kCatalogPatience);
}

Result<void> CatalogService::refuse_if_used(const std::string& bucket) const {
    const auto user = state_.jobs.user_of_bucket(bucket);
    if (!user) return {};
    return fail(Code::conflict, "job " + *user + " uses bucket \"ais://" + bucket + "\"; cancel the job or let it finish first");
}

Result<void> CatalogService::refuse_if_run(const std::string& transform) const {
    const auto user = state_.jobs.user_of_transform(transform);
    if (!user) return {};
    return fail(Code::conflict, "job " + *user + " uses this transform; cancel the job or let it finish first");
}

Task<Result<void>> CatalogService::create_bucket(std::string name, std::uint64_t small_object_bytes_max) {
    Change create = [&](DesiredCatalog& changed) -> Result<void> {
        MILLRACE_TRY(state_.check_has_targets());
        return changed.create_bucket(name, small_object_bytes_max, unix_now_ns());
    };
    MILLRACE_CO_TRY(co_await change(std::move(create)));
    co_return co_await wait_until_applied(name, kCatalogPatience);
}

Task<Result<void>> CatalogService::rename_bucket(std::string from, std::string to) {
    Change rename = [&](DesiredCatalog& changed) -> Result<void> {
        MILLRACE_TRY(refuse_if_used(from));
        return changed.rename_bucket(from, to);
    };
    MILLRACE_CO_TRY(co_await change(std::move(rename)));
    co_return co_await wait_until_applied(to, kCatalogPatience);
}

Task<Result<void>> CatalogService::destroy_bucket(std::string name) {
    Change destroy = [&](DesiredCatalog& changed) -> Result<void> {
        MILLRACE_TRY(refuse_if_used(name));
        return changed.destroy_bucket(name);
    };
    MILLRACE_CO_TRY(co_await change(std::move(destroy)));
    co_return co_await wait_until_applied(name, kCatalogPatience);
}

// Every online target speaks of this catalog and runs the transform; the reason of the first that says why it cannot.
Task<Result<void>> CatalogService::wait_until_running(std::string transform, Duration patience) {
    const std::uint64_t version = state_.catalog.wire().version;
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

Task<Result<void>> CatalogService::add_transform(std::string name, std::string spec_json, Duration init_timeout) {
    Change add = [&](DesiredCatalog& changed) -> Result<void> {
        MILLRACE_TRY(state_.check_has_targets());
        return changed.add_transform(name, spec_json);
    };
    MILLRACE_CO_TRY(co_await change(std::move(add)));
    const Result<void> running = co_await wait_until_running(name, init_timeout + kApplyPatience);
    if (running) co_return running;
    const Result<void> removed = co_await unregister(name, spec_json);
    if (!removed) co_return removed.error().during("transform '" + name + "' cannot run (" + running.error().context + "), and stays registered");
    co_return running.error().during("transform '" + name + "' cannot run");
}

Task<Result<void>> CatalogService::unregister(const std::string& name, const std::string& spec_json) {
    Change take_back = [&](DesiredCatalog& changed) -> Result<void> {
        const wire::TransformEntry* registered = changed.transform(name);
        const bool still_ours = registered != nullptr && registered->spec_json == spec_json;
        return still_ours ? changed.remove_transform(name) : Result<void>();
    };
    MILLRACE_CO_TRY(co_await change(std::move(take_back)));
    co_return Result<void>{};
}

Task<Result<void>> CatalogService::remove_transform(std::string name) {
    Change remove = [&](DesiredCatalog& changed) -> Result<void> {
        MILLRACE_TRY(refuse_if_run(name));
        return changed.remove_transform(name);
    };
    MILLRACE_CO_TRY(co_await change(std::move(remove)));
    co_return co_await wait_until_stopped(name, kStopPatience);
}

Task<Result<void>> CatalogService::enable_transform(std::string name, bool enabled) {
    Change enable = [&](DesiredCatalog& changed) { return changed.enable_transform(name, enabled); };
    MILLRACE_CO_TRY_ASSIGN(const bool is_changed, co_await change(std::move(enable)));
    if (!is_changed) co_return Result<void>{};
    if (!enabled) co_return co_await wait_until_stopped(name, kStopPatience);
    MILLRACE_CO_TRY(co_await wait_until_applied(name, kCatalogPatience));
    co_return co_await wait_until_running(name, kStartPatience);
}

Task<Result<void>> CatalogService::restart_transform(std::string name, std::optional<std::string> new_version) {
    if (new_version) MILLRACE_CO_TRY(refuse_if_run(name));
    MILLRACE_CO_TRY(co_await enable_transform(name, false));
    if (new_version) {
        Change set_version = [&](DesiredCatalog& changed) -> Result<void> {
            MILLRACE_TRY(refuse_if_run(name));
            const wire::TransformEntry* entry = changed.transform(name);
            if (entry == nullptr) return unknown_transform(name);
            MILLRACE_TRY_ASSIGN(const std::string spec_json, spec::with_version(entry->spec_json, *new_version));
            return changed.set_specification(name, spec_json);
        };
        MILLRACE_CO_TRY(co_await change(std::move(set_version)));
    }
    const Result<void> enabled = co_await enable_transform(name, true);
    if (!enabled) co_return enabled.error().during("transform '" + name + "' was stopped, and does not run again");
    co_return Result<void>{};
}

// Every online target speaks of this catalog and has nothing of the transform running any more.
Task<Result<void>> CatalogService::wait_until_stopped(std::string transform, Duration patience) {
    const std::uint64_t version = state_.catalog.wire().version;
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
