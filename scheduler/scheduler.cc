#include "scheduler/scheduler.h"

#include <algorithm>

#include "core/check.h"
#include "core/log.h"

namespace millrace::scheduler {
namespace {
constexpr auto kResend = milliseconds(500);
constexpr std::size_t kForgetsMax = 100'000;  // beyond, a target learns of a removal when it next reports

Error unknown_job(const std::string& id) { return fail(Code::not_found, "job " + id + " does not exist"); }
}  // namespace

void Scheduler::restore(Job job, ListedObjects objects) {
    LiveJob live{.job = std::move(job), .objects = std::move(objects)};
    if (!live.job.idempotency_key.empty()) keys_[live.job.idempotency_key] = live.job.id;
    start_telling(live);
    const std::string id = live.job.id;
    jobs_.insert_or_assign(id, std::move(live));
}

void Scheduler::submit(Job job, ListedObjects objects, Instant now) {
    MILLRACE_CHECK(!job.slices.empty() && !jobs_.contains(job.id));
    LiveJob live{.job = std::move(job), .objects = std::move(objects)};
    for (const auto& [target, slice] : live.job.slices) live.needs_spec[target] = 0;
    if (!live.job.idempotency_key.empty()) keys_[live.job.idempotency_key] = live.job.id;
    const std::string id = live.job.id;
    log::info("job submitted", {{"job", id}, {"operation", operation_name(live.job.spec.operation)}, {"transform", live.job.spec.transform},
                                {"source", live.job.spec.source}, {"destination", live.job.spec.destination}});
    show(jobs_.insert_or_assign(id, std::move(live)).first->second, now);
}

Result<Job> Scheduler::commanded(const std::string& id, const Command& change, Instant now, std::int64_t now_unix_ns) const {
    const LiveJob* live = find(id);
    if (live == nullptr) return unknown_job(id);
    Job job = live->job;
    MILLRACE_TRY(change(job));
    (void)advance(job, is_online_, now_unix_ns);
    stamp_end(job, now);
    return job;
}

void Scheduler::take(Job commanded, Instant now) {
    LiveJob& live = jobs_.at(commanded.id);
    MILLRACE_CHECK(commanded.revision >= live.job.revision && commanded.epoch >= live.job.epoch);
    live.job = std::move(commanded);
    show(live, now);
}

void Scheduler::check_unfinished(const std::function<Result<void>(const Job&)>& check, Instant now, std::int64_t now_unix_ns) {
    for (auto& [id, live] : jobs_) {
        if (is_terminal(live.job.state)) continue;
        const Result<void> passed = check(live.job);
        if (passed) continue;
        give_up(live.job, passed.error().context, now_unix_ns);
        changed(live, now);
    }
}

Result<void> Scheduler::check_removable(const std::string& id) const {
    const LiveJob* live = find(id);
    if (live == nullptr) return unknown_job(id);
    if (is_terminal(live->job.state)) return {};
    return fail(Code::conflict, "job " + id + " is " + std::string(job_state_name(live->job.state)) + "; cancel it first");
}

void Scheduler::remove(const std::string& id) {
    const auto found = jobs_.find(id);
    MILLRACE_CHECK(found != jobs_.end() && is_terminal(found->second.job.state));
    const Job& job = found->second.job;
    for (const auto& [target, slice] : job.slices) forget(id, target, job.revision + 1);
    keys_.erase(job.idempotency_key);
    jobs_.erase(found);
}

void Scheduler::receive(const std::string& target, const wire::SliceStatus& status, Instant now, std::int64_t now_unix_ns) {
    const auto found = jobs_.find(status.job);
    if (found == jobs_.end()) return forget(status.job, target, status.revision + 1);  // not acknowledged: it is repeated until forgotten
    effects_.push_back(SendMessage{target, wire::StatusAck{status.job, status.incarnation, status.seq}});
    LiveJob& live = found->second;
    if (live.job.slices.contains(target) && overtake_unknown(live.job, status.revision)) changed(live, now);
    const News news = absorb(live.job, target, status);
    if (status.revision == live.job.revision) live.untold.erase(target);  // it acts on it, so it has it
    if (news == News::none) return;
    ++live.changes;
    if (!is_terminal(live.job.state)) live.rates[target].observe(status.counters.settled(), status.counters.bytes_in, now);
    if (news == News::decisive && advance(live.job, is_online_, now_unix_ns)) changed(live, now);
    if (settle_loss(live.job, target, true, now_unix_ns)) changed(live, now);
}

void Scheduler::receive(const std::string& target, const wire::DirectiveAck& ack, Instant now, std::int64_t now_unix_ns) {
    const auto found = jobs_.find(ack.job);
    if (found == jobs_.end()) {
        const auto told = forgets_.find({ack.job, target});
        if (told != forgets_.end() && ack.revision >= told->second.revision) forgets_.erase(told);
        return;
    }
    LiveJob& live = found->second;
    if (live.job.slices.contains(target) && overtake_unknown(live.job, ack.revision)) changed(live, now);
    if (ack.needs_spec) return take_needs_spec(live, target, ack, now, now_unix_ns);
    live.needs_spec.erase(target);
    if (ack.revision >= live.job.revision) live.untold.erase(target);
}

// The target does not have the job: it never heard of it, lost it, or has removed it.
void Scheduler::take_needs_spec(LiveJob& live, const std::string& target, const wire::DirectiveAck& ack, Instant now, std::int64_t now_unix_ns) {
    const auto slice = live.job.slices.find(target);
    if (slice == live.job.slices.end()) return;
    const bool told_already = live.needs_spec.contains(target);
    const bool was_there = slice->second.heard || live.job.overtaken;
    if (!told_already && was_there) {
        if (ack.revision < live.job.revision) return;  // late
        // It may be late or doubled, too: the answer to a revision that nobody can have heard of before counts.
        if (const auto question = live.questions.find(target); question == live.questions.end() || question->second != live.job.revision) {
            direct_anew(live.job);
            live.questions[target] = live.job.revision;
            return changed(live, now);
        }
    }
    const bool ended_well = live.job.state == JobState::completed || live.job.state == JobState::completed_with_errors;
    if (!told_already && !slice->second.loss.empty() && ended_well) {
        live.untold.erase(target);  // nothing is to be done there any more
        if (settle_loss(live.job, target, false, now_unix_ns)) changed(live, now);
        return;
    }
    if (!told_already && fail_removed(live.job, target, now_unix_ns)) return changed(live, now);
    // A request that was doubled, or crossed with a repetition, has been answered; each further answer would be doubled on.
    const auto needed = live.needs_spec.find(target);
    const auto told = live.untold.find(target);
    const bool is_answered = needed != live.needs_spec.end() && needed->second == ack.part && told != live.untold.end() && now - told->second < kResend;
    if (is_answered) return;
    live.needs_spec[target] = ack.part;
    tell(live, target, now);
}

void Scheduler::target_accepted(const std::string& target, const std::string& why, Instant now) {
    for (auto& [id, live] : jobs_) {
        if (!live.job.slices.contains(target)) continue;
        lose_slice(live.job, target, why);
        live.needs_spec.erase(target);
        live.rates.erase(target);
        changed(live, now);
    }
}

void Scheduler::overtake(std::uint64_t lives, Instant now) {
    for (auto& [id, live] : jobs_) {
        scheduler::overtake(live.job, lives);
        changed(live, now);
    }
}

void Scheduler::expire(Instant now, milliseconds retention, std::size_t ended_max) {
    const auto uptime_ms = static_cast<std::uint64_t>(uptime(now).count());
    std::multimap<std::uint64_t, std::string> ended;  // by when
    for (auto& [id, live] : jobs_) {
        if (!is_terminal(live.job.state)) continue;
        if (live.job.finished_uptime_ms == 0) changed(live, now);  // of a time before there was a retention: it begins now
        ended.emplace(live.job.finished_uptime_ms, id);
    }
    std::size_t left = ended.size();
    for (const auto& [at, id] : ended) {
        const bool is_old = retention.count() > 0 && at + static_cast<std::uint64_t>(retention.count()) < uptime_ms;
        if (!is_old && left <= ended_max) return;
        log::info("old job forgotten", {{"job", id}});
        effects_.push_back(EraseJob{id});
        remove(id);
        --left;
    }
}

void Scheduler::target_joined(const std::string& target, Instant now, std::int64_t now_unix_ns) {
    for (auto& [id, live] : jobs_) {
        if (!live.job.slices.contains(target)) continue;
        live.untold.try_emplace(target);
        ++live.changes;
        if (advance(live.job, is_online_, now_unix_ns)) {
            changed(live, now);
        } else {
            tell(live, target, now);
        }
    }
}

void Scheduler::tick(Instant now, std::int64_t now_unix_ns) {
    for (auto& [id, live] : jobs_) {
        if (!is_terminal(live.job.state) && advance(live.job, is_online_, now_unix_ns)) {
            changed(live, now);
            continue;
        }
        for (const auto& [target, sent] : live.untold) {
            if (is_online_(target) && now - sent >= kResend) tell(live, target, now);
        }
    }
    for (auto& [where, told] : forgets_) {
        const auto& [job, target] = where;
        if (!is_online_(target) || now - told.sent < kResend) continue;
        told.sent = now;
        effects_.push_back(SendMessage{target, wire::Directive{.job = job, .revision = told.revision, .desired = wire::Desired::forget}});
    }
}

// The next tick says so.
void Scheduler::forget(const std::string& job, const std::string& target, std::uint64_t revision) {
    if (forgets_.size() >= kForgetsMax && !forgets_.contains({job, target})) forgets_.erase(forgets_.begin());
    Forget& told = forgets_[{job, target}];
    told.revision = std::max(told.revision, revision);
}

void Scheduler::changed(LiveJob& live, Instant now) {
    stamp_end(live.job, now);
    effects_.push_back(PersistJob{live.job.id});
    show(live, now);
}

void Scheduler::stamp_end(Job& job, Instant now) const {
    if (!is_terminal(job.state)) {
        job.finished_uptime_ms = 0;
    } else if (job.finished_uptime_ms == 0) {
        job.finished_uptime_ms = static_cast<std::uint64_t>(std::max<std::int64_t>(1, uptime(now).count()));
    }
}

void Scheduler::show(LiveJob& live, Instant now) {
    ++live.changes;
    log::info("job state", {{"job", live.job.id}, {"state", job_state_name(live.job.state)}, {"revision", live.job.revision}, {"reason", live.job.reason}});
    if (is_terminal(live.job.state)) live.rates.clear();
    if (live.told_revision < live.job.revision) start_telling(live);
    tell_all(live, now);
}

void Scheduler::start_telling(LiveJob& live) {
    live.told_revision = live.job.revision;
    for (const auto& [target, slice] : live.job.slices) live.untold[target] = {};
}

void Scheduler::tell_all(LiveJob& live, Instant now) {
    for (const auto& [target, sent] : live.untold) {
        if (is_online_(target)) tell(live, target, now);
    }
}

void Scheduler::tell(LiveJob& live, const std::string& target, Instant now) {
    MILLRACE_CHECK(live.told_revision == live.job.revision);  // an older order is never repeated
    wire::Directive directive{.job = live.job.id, .revision = live.job.revision, .desired = live.job.desired, .epoch = live.job.epoch,
                              .pass = live.job.pass};
    if (!live.job.pins.empty()) directive.pins = live.job.pins.back().pins;
    const auto needed = live.needs_spec.find(target);
    if (needed != live.needs_spec.end()) add_spec(directive, live, target, needed->second);
    live.untold[target] = now;
    effects_.push_back(SendMessage{target, std::move(directive)});
}

void Scheduler::add_spec(wire::Directive& directive, const LiveJob& live, const std::string& target, std::uint32_t part) {
    directive.has_spec = true;
    directive.spec = live.job.spec;
    if (!directive.spec.has_list) return;
    directive.parts = live.objects.parts(target);
    directive.part = std::min(part, directive.parts - 1);
    directive.spec.objects = live.objects.part(target, directive.part);
    if (directive.parts > 1) std::ranges::reverse(directive.spec.objects);
}

const LiveJob* Scheduler::find(const std::string& id) const {
    const auto found = jobs_.find(id);
    return found == jobs_.end() ? nullptr : &found->second;
}

bool Scheduler::is_being_accepted(const std::string& id) const {
    const LiveJob* live = find(id);
    if (live == nullptr || live->job.revision > 1) return false;
    return std::ranges::any_of(live->untold, [this](const auto& item) { return is_online_(item.first); });
}

std::optional<std::string> Scheduler::job_of_key(const std::string& idempotency_key) const {
    const auto found = keys_.find(idempotency_key);
    if (found == keys_.end()) return std::nullopt;
    return found->second;
}

std::optional<std::string> Scheduler::user_of_transform(const std::string& transform) const {
    return unfinished([&](const wire::JobSpec& spec) {
        return spec.transform == transform || std::ranges::find(spec.pipeline, transform) != spec.pipeline.end();
    });
}

std::optional<std::string> Scheduler::user_of_bucket(const std::string& bucket) const {
    return unfinished([&](const wire::JobSpec& spec) { return spec.source == bucket || spec.destination == bucket; });
}

std::optional<std::string> Scheduler::unfinished(const std::function<bool(const wire::JobSpec&)>& uses) const {
    for (const auto& [id, live] : jobs_) {
        if (!is_terminal(live.job.state) && uses(live.job.spec)) return id;
    }
    return std::nullopt;
}

}  // namespace millrace::scheduler
