#include "scheduler/job_machine.h"

#include <algorithm>
#include <tuple>

#include "core/check.h"

namespace millrace::scheduler {
namespace {

using wire::Desired;
using wire::SliceState;

constexpr std::uint64_t kRevisionsMax = std::uint64_t{1} << 39;  // fences have room for epochs up to here
constexpr std::uint64_t kBeyond = 1'000'000;  // than anything that a proxy counts up to in one life

void direct(Job& job, JobState state, Desired desired) {
    job.state = state;
    job.desired = desired;
    ++job.revision;
    MILLRACE_CHECK(job.epoch <= job.revision);  // each epoch comes with a revision of its own
}

void finish(Job& job, JobState state, std::int64_t now_unix_ns) {
    MILLRACE_CHECK(is_terminal(state));
    job.state = state;
    job.finished_unix_ns = now_unix_ns;
}

Error wrong_state(const Job& job, std::string_view what, std::string_view allowed) {
    return fail(Code::conflict, "job " + job.id + " is " + std::string(job_state_name(job.state)) + "; " + std::string(what) +
        " is possible when it is " + std::string(allowed));
}

void count(SliceTally& tally, const Slice& slice, int one) {
    if (!slice.heard || slice.status.revision != tally.revision) return;
    const SliceState state = slice.status.state;
    const bool is_finished = state == SliceState::finished;
    const bool is_prepared = is_finished || state == SliceState::ready || state == SliceState::running;
    tally.prepared += static_cast<std::size_t>(is_prepared ? one : 0);
    tally.finished += static_cast<std::size_t>(is_finished ? one : 0);
    tally.failed += static_cast<std::size_t>(state == SliceState::failed ? one : 0);
}

SliceTally tally_of(const Job& job) {
    SliceTally tally{.revision = job.revision};
    for (const auto& [target, slice] : job.slices) count(tally, slice, +1);
    return tally;
}

// Whether advance() may do something, as far as statuses decide.
bool may_move(const Job& job, bool failures_changed, bool total_known_changed) {
    const SliceTally& tally = job.tally;
    if (tally.failed > 0 || tally.finished == job.slices.size()) return true;
    if (job.state == JobState::preparing && tally.prepared == job.slices.size()) return true;
    return job.spec.on_error != wire::OnError::go_on && (failures_changed || total_known_changed);
}

// True when every slice whose target can answer has reached one of the states, under the current revision.
bool all_in(const Job& job, const IsOnline& is_online, std::initializer_list<SliceState> states, bool offline_too) {
    return std::ranges::all_of(job.slices, [&](const auto& item) {
        const auto& [target, slice] = item;
        if (!offline_too && !is_online(target)) return true;
        return speaks_of_now(job, slice) && std::ranges::find(states, slice.status.state) != states.end();
    });
}

std::uint64_t failures(const SliceCounters& counters) { return counters.failed + counters.quarantined; }

// Those that count towards the limit: of attempts since the last resume or retry.
std::uint64_t fresh_failures(const Job& job) {
    std::uint64_t sum = 0;
    for (const auto& [target, slice] : job.slices) {
        if (!speaks_of_now(job, slice)) continue;
        const std::uint64_t all = failures(slice.status.counters);
        sum += all - std::min(all, slice.failures_forgiven);
    }
    return sum;
}

// Outputs get other names than their sources, so they may belong to other targets.
bool moves_outputs(const wire::JobSpec& spec) { return !spec.prepend.empty() && spec.operation != wire::Operation::remove; }

// What is missing although every slice has finished, because a target came back without it; empty if nothing is. Settles it.
std::string losses(Job& job) {
    std::string text;
    for (auto& [target, slice] : job.slices) {
        const std::string why = std::exchange(slice.loss, "");
        const std::uint64_t promised = std::exchange(slice.promised_objects, 0);
        slice.promised_results = 0;
        if (why.empty() || job.spec.dry_run != wire::DryRun::no) continue;
        const std::uint64_t objects = slice.status.total_objects;
        if (objects >= promised && !moves_outputs(job.spec)) continue;
        text += (text.empty() ? "" : "; ") + why;
        if (objects < promised) {
            text += "; " + std::to_string(promised - objects) + " of its " + std::to_string(promised) + " selected objects are not there any more";
        }
        if (moves_outputs(job.spec)) text += "; outputs of other targets that belong there may be missing: submit the job again to make them";
    }
    return text;
}

// What resume and retry have in common: the slices run again under a new epoch.
void start_again(Job& job) {
    ++job.epoch;
    job.overtaken = false;
    job.reason.clear();
    job.finished_unix_ns = 0;
    direct(job, job.prepared ? JobState::running : JobState::preparing, job.prepared ? Desired::run : Desired::prepare);
}

// Why the job must be given up, or empty.
std::string verdict(const Job& job) {
    for (const auto& [target, slice] : job.slices) {
        if (speaks_of_now(job, slice) && slice.status.state == SliceState::failed) return "target " + target + ": " + slice.status.reason;
    }
    if (job.spec.on_error == wire::OnError::go_on) return "";
    const JobTotals sum = totals(job);
    const std::uint64_t fresh = fresh_failures(job);
    const std::uint64_t limit = job.spec.on_error_limit;
    if (job.spec.on_error == wire::OnError::abort_after_count && fresh > limit) {
        return std::to_string(fresh) + " objects failed; the job allows " + std::to_string(limit);
    }
    if (job.spec.on_error == wire::OnError::abort_after_percent && sum.total_known && fresh * 100 > limit * sum.total_objects) {
        return std::to_string(fresh) + " of " + std::to_string(sum.total_objects) + " objects failed; the job allows " +
               std::to_string(limit) + "%";
    }
    return "";
}

}  // namespace

Result<void> pause(Job& job) {
    if (job.state != JobState::preparing && job.state != JobState::running) return wrong_state(job, "pause", "preparing or running");
    direct(job, JobState::paused, Desired::pause);
    return {};
}

Result<void> resume(Job& job) {
    if (job.state != JobState::paused && job.state != JobState::failed && job.state != JobState::cancelled) {
        return wrong_state(job, "resume", "paused, failed or cancelled");
    }
    start_again(job);
    return {};
}

Result<void> retry(Job& job, std::int64_t now_unix_ns) {
    if (!is_terminal(job.state) && job.state != JobState::paused) return wrong_state(job, "retry", "finished, failed, cancelled or paused");
    if (job.state == JobState::completed) return fail(Code::conflict, "job " + job.id + " completed without errors: there is nothing to retry");
    if (job.spec.dry_run != wire::DryRun::no) return fail(Code::conflict, "job " + job.id + " was a dry run; submit the job itself");
    job.pass = job.epoch + 1;  // as start_again() makes it: beyond all passes that targets may have seen, too
    if (job.started_unix_ns == 0) job.started_unix_ns = now_unix_ns;
    start_again(job);
    return {};
}

Result<void> cancel(Job& job, std::int64_t now_unix_ns) {
    if (is_terminal(job.state)) return wrong_state(job, "cancel", "preparing, running or paused");
    direct(job, JobState::cancelled, Desired::stop);
    job.finished_unix_ns = now_unix_ns;
    return {};
}

void give_up(Job& job, std::string reason, std::int64_t now_unix_ns) {
    job.reason = std::move(reason);
    direct(job, JobState::failed, Desired::stop);
    job.finished_unix_ns = now_unix_ns;
}

News absorb(Job& job, const std::string& target, const wire::SliceStatus& status) {
    const auto found = job.slices.find(target);
    if (found == job.slices.end() || status.revision > job.revision) return News::none;
    Slice& slice = found->second;
    const wire::SliceStatus& known = slice.status;
    // A slice in another folder counts its incarnations from the beginning, but it has a newer order.
    const auto age = [](const wire::SliceStatus& s) { return std::tuple(s.revision, s.incarnation, s.seq); };
    if (slice.heard && age(status) <= age(known)) return News::none;
    const bool failures_changed = failures(known.counters) != failures(status.counters);
    if (known.revision != status.revision) {
        slice.failures_forgiven = status.failures_forgiven;
    } else if (known.incarnation == status.incarnation) {  // a target forgives what failed before its start, too; the job does not
        slice.failures_forgiven += status.failures_forgiven - std::min(status.failures_forgiven, known.failures_forgiven);
    }
    if (job.tally.revision != job.revision) job.tally = tally_of(job);
    count(job.tally, slice, -1);
    const bool knew_total = known.total_known;
    slice.heard = true;
    slice.status = status;
    count(job.tally, slice, +1);
    return may_move(job, failures_changed, knew_total != status.total_known) ? News::decisive : News::progress;
}

void direct_anew(Job& job) {
    const bool ended_well = job.state == JobState::completed || job.state == JobState::completed_with_errors;
    direct(job, job.state, ended_well ? Desired::stop : job.desired);
}

void lose_slice(Job& job, const std::string& target, const std::string& why) {
    const auto found = job.slices.find(target);
    if (found == job.slices.end()) return;
    Slice& slice = found->second;
    if (slice.heard) {
        const std::uint64_t objects = slice.status.total_known ? slice.status.total_objects : 0;
        const SliceCounters& counters = slice.status.counters;
        slice.promised_objects = std::max({slice.promised_objects, objects, counters.settled()});
        slice.promised_results = std::max(slice.promised_results, counters.done + counters.skipped);
    }
    slice.loss = why;
    slice.heard = false;
    slice.status = {};
    slice.failures_forgiven = 0;
    ++job.epoch;
    direct_anew(job);
}

bool settle_loss(Job& job, const std::string& target, bool has_order, std::int64_t now_unix_ns) {
    const auto found = job.slices.find(target);
    if (found == job.slices.end() || found->second.loss.empty()) return false;
    if (job.state != JobState::completed && job.state != JobState::completed_with_errors) return false;
    Slice& slice = found->second;
    const SliceState state = slice.status.state;
    const bool at_rest = state == SliceState::finished || state == SliceState::stopped || state == SliceState::failed;
    if (has_order && !(speaks_of_now(job, slice) && at_rest)) return false;
    const SliceCounters& counters = slice.status.counters;
    const bool has_all = counters.settled() >= slice.promised_objects && counters.done + counters.skipped >= slice.promised_results;
    const bool all_there = has_all && !moves_outputs(job.spec);
    if (!all_there && job.spec.dry_run == wire::DryRun::no) {
        give_up(job, slice.loss + "; it may lack what this job had stored there: a resume makes that again", now_unix_ns);
        return true;
    }
    slice.loss.clear();
    slice.promised_objects = slice.promised_results = 0;
    return true;
}

void overtake(Job& job, std::uint64_t lives) {
    job.revision += kBeyond * lives;
    job.epoch += kBeyond * lives;
    job.overtaken = !is_terminal(job.state);
}

bool overtake_unknown(Job& job, std::uint64_t revision_heard) {
    if (revision_heard <= job.revision || revision_heard >= kRevisionsMax) return false;
    job.revision = revision_heard;
    job.epoch = revision_heard + 1;  // none is greater than its revision
    direct_anew(job);
    return true;
}

bool fail_removed(Job& job, const std::string& target, std::int64_t now_unix_ns) {
    Slice& slice = job.slices[target];
    const bool was_there = slice.heard || job.overtaken;
    if (!was_there || is_terminal(job.state)) return false;
    slice = {};
    give_up(job, "target " + target + " does not know this job any more: it was removed after the copy was made that the proxy runs from; "
                 "remove it, or resume it to run it there from the beginning", now_unix_ns);
    return true;
}

bool advance(Job& job, const IsOnline& is_online, std::int64_t now_unix_ns) {
    if (job.state != JobState::preparing && job.state != JobState::running) return false;
    if (std::string why = verdict(job); !why.empty()) {
        give_up(job, std::move(why), now_unix_ns);
        return true;
    }
    if (job.state == JobState::preparing) {
        const bool plan = job.spec.dry_run == wire::DryRun::plan;
        if (!all_in(job, is_online, {SliceState::ready, SliceState::running, SliceState::finished}, plan)) return false;
        const bool someone = std::ranges::any_of(job.slices, [&](const auto& item) { return is_online(item.first); });
        if (!someone && !job.slices.empty()) return false;
        if (job.started_unix_ns == 0) job.started_unix_ns = now_unix_ns;
        if (plan) {
            finish(job, JobState::completed, now_unix_ns);
            return true;
        }
        job.prepared = true;
        direct(job, JobState::running, Desired::run);
        return true;
    }
    if (!all_in(job, is_online, {SliceState::finished}, true)) return false;
    const JobTotals sum = totals(job);
    const std::string lost = losses(job);
    job.reason = lost;
    const bool clean = failures(sum.counters) == 0 && lost.empty();
    finish(job, clean ? JobState::completed : JobState::completed_with_errors, now_unix_ns);
    return true;
}

}  // namespace millrace::scheduler
