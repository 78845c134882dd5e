#include "scheduler/scheduler.h"

#include <algorithm>

#include "core/log.h"
#include "core/placement.h"

namespace millrace::scheduler {
namespace {
constexpr auto kResend = milliseconds(500);
constexpr std::size_t kForgetsMax = 100'000;  // beyond, a target learns of a removal when it next reports

Error unknown_job(const std::string& id) { return fail(Code::not_found, "job " + id + " does not exist"); }
}  // namespace

void Scheduler::restore(Job job, std::vector<std::string> objects) {
    LiveJob live{.job = std::move(job), .objects = std::move(objects)};
    if (!live.job.idempotency_key.empty()) keys_[live.job.idempotency_key] = live.job.id;
    start_telling(live);
    const std::string id = live.job.id;
    jobs_.insert_or_assign(id, std::move(live));
}

void Scheduler::submit(Job job, std::vector<std::string> objects, const std::vector<std::string>& targets, Instant now) {
    LiveJob live{.job = std::move(job), .objects = std::move(objects)};
    for (const std::string& target : targets) {
        live.job.slices[target] = {};
        live.needs_spec.insert(target);
    }
    if (!live.job.idempotency_key.empty()) keys_[live.job.idempotency_key] = live.job.id;
    const std::string id = live.job.id;
    log::info("job submitted", {{"job", id}, {"operation", operation_name(live.job.spec.operation)}, {"transform", live.job.spec.transform},
                                {"source", live.job.spec.source}, {"destination", live.job.spec.destination}});
    changed(jobs_.insert_or_assign(id, std::move(live)).first->second, now);
}

Result<void> Scheduler::command(const std::string& id, const Command& change, Instant now, std::int64_t now_unix_ns) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return unknown_job(id);
    MILLRACE_TRY(change(found->second.job));
    (void)advance(found->second.job, is_online_, now_unix_ns);
    changed(found->second, now);
    return {};
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

void Scheduler::drop(const std::string& id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return;
    keys_.erase(found->second.job.idempotency_key);
    jobs_.erase(found);
}

Result<void> Scheduler::remove(const std::string& id) {
    const auto found = jobs_.find(id);
    if (found == jobs_.end()) return unknown_job(id);
    const Job& job = found->second.job;
    if (!is_terminal(job.state)) {
        return fail(Code::conflict, "job " + id + " is " + std::string(job_state_name(job.state)) + "; cancel it first");
    }
    effects_.push_back(EraseJob{id, job.idempotency_key});
    for (const auto& [target, slice] : job.slices) forget(id, target, job.revision + 1);
    keys_.erase(job.idempotency_key);
    jobs_.erase(found);
    return {};
}

void Scheduler::receive(const std::string& target, const wire::SliceStatus& status, Instant now, std::int64_t now_unix_ns) {
    const auto found = jobs_.find(status.job);
    if (found == jobs_.end()) return forget(status.job, target, status.revision + 1);  // not acknowledged: it is repeated until forgotten
    effects_.push_back(SendMessage{target, wire::StatusAck{status.job, status.incarnation, status.seq}});
    LiveJob& live = found->second;
    const News news = absorb(live.job, target, status);
    if (news == News::none) return;
    ++live.changes;
    if (!is_terminal(live.job.state)) live.rates[target].observe(status.counters.settled(), status.counters.bytes_in, now);
    if (news == News::decisive && advance(live.job, is_online_, now_unix_ns)) changed(live, now);
}

void Scheduler::receive(const std::string& target, const wire::DirectiveAck& ack, Instant now) {
    const auto found = jobs_.find(ack.job);
    if (found == jobs_.end()) {
        const auto told = forgets_.find({ack.job, target});
        if (told != forgets_.end() && ack.revision >= told->second.revision) forgets_.erase(told);
        return;
    }
    LiveJob& live = found->second;
    if (ack.needs_spec) {
        live.needs_spec.insert(target);
        tell(live, target, now);
        return;
    }
    live.needs_spec.erase(target);
    if (ack.revision >= live.job.revision) live.untold.erase(target);
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
    ++live.changes;
    effects_.push_back(PersistJob{live.job.id});
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
    wire::Directive directive{.job = live.job.id, .revision = live.job.revision, .desired = live.job.desired, .epoch = live.job.epoch,
                              .pass = live.job.pass};
    if (!live.job.pins.empty()) directive.pins = live.job.pins.back().pins;
    if (live.needs_spec.contains(target)) {
        directive.has_spec = true;
        directive.spec = spec_for(live, target);
    }
    live.untold[target] = now;
    effects_.push_back(SendMessage{target, std::move(directive)});
}

wire::JobSpec Scheduler::spec_for(const LiveJob& live, const std::string& target) const {
    wire::JobSpec spec = live.job.spec;
    if (!spec.has_list) return spec;
    std::vector<TargetId> owners;
    for (const auto& [id, slice] : live.job.slices) owners.emplace_back(id);
    for (const std::string& object : live.objects) {
        if (owner_of(object, owners).str() == target) spec.objects.push_back(object);
    }
    return spec;
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
