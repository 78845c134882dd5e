#include "worker/slice_table.h"

#include <algorithm>

#include "core/log.h"
#include "state/record.h"

namespace millrace::worker {

SliceTable::SliceTable(SliceEnvironment environment, Fences& fences, std::function<void(const wire::Message&)> send)
    : environment_(std::move(environment)), fences_(fences), send_(std::move(send)) {
    environment_.syncs = std::make_shared<RemoteSyncs>(environment_.control.executor(), environment_.client, environment_.cluster);
    environment_.report = [this](const wire::SliceStatus& status) {
        send_(status);
        share_places();
    };
}

SliceTable::~SliceTable() = default;

Result<void> SliceTable::restore() {
    MILLRACE_TRY_ASSIGN(std::vector<state::SliceOrder> orders, environment_.slices.orders());
    for (state::SliceOrder& order : orders) {
        const JobId job(order.job);
        MILLRACE_TRY_ASSIGN(const auto bytes, environment_.slices.spec_bytes(job));
        auto spec = state::decode_record<wire::JobSpec>("specification of job " + order.job, bytes.value_or(""));
        ++order.incarnation;
        if (auto written = environment_.slices.put_order(order, nullptr); !written) return written.error();
        auto runner = spec ? SliceRunner::make(environment_, order, std::move(*spec)) : Result<std::unique_ptr<SliceRunner>>(spec.error());
        if (!runner) {
            log::error("slice cannot be continued", {{"job", job}, {"error", runner.error()}});
            damaged_.emplace(job, runner.error());
            continue;
        }
        log::info("slice restored", {{"job", job}, {"incarnation", order.incarnation}, {"revision", order.revision}});
        runners_.emplace(job, std::move(*runner));
    }
    share_places();
    kick_all();
    return {};
}

Task<void> SliceTable::receive(wire::Directive directive) {
    const JobId job(directive.job);
    if (const auto damage = damaged_.find(job); damage != damaged_.end() && directive.desired != wire::Desired::forget) {
        // Never started anew: its selection was fixed, and is lost. The job says so; forgetting it is the way out.
        wire::SliceStatus status{.job = directive.job, .revision = directive.revision, .incarnation = UINT64_MAX, .state = wire::SliceState::failed};
        status.reason = damage->second.context + "; remove the job and submit it again";
        status.seq = directive.revision;
        send_(wire::DirectiveAck{.job = directive.job, .revision = directive.revision});
        send_(status);
        co_return;
    }
    const auto found = runners_.find(job);
    const auto known = found == runners_.end() ? std::nullopt : std::optional(found->second->order().revision);
    wire::DirectiveAck ack{.job = directive.job, .revision = directive.revision};
    switch (judge_directive(directive, known)) {
        case DirectiveAction::acknowledge: ack.revision = *known; break;
        case DirectiveAction::ask_for_spec: ack.needs_spec = true; break;
        case DirectiveAction::forget:
            if (!forgetting_.insert(job).second) co_return;  // the first one acknowledges when the slice has come to rest
            co_await forget(job);
            forgetting_.erase(job);
            break;
        case DirectiveAction::adopt:
            if (const Result<void> adopted = adopt(directive); !adopted) {
                log::error("directive could not be written down", {{"job", job}, {"error", adopted.error()}});
                co_return;  // not acknowledged: the proxy says it again
            }
            break;
    }
    send_(ack);
    share_places();
}

Result<void> SliceTable::adopt(const wire::Directive& directive) {
    const JobId job(directive.job);
    const auto found = runners_.find(job);
    state::SliceOrder order;
    if (found != runners_.end()) {
        order = found->second->order();
    } else {
        order.job = directive.job;
        order.incarnation = 1;
        order.created_seq_end = environment_.store.next_created_seq();
    }
    order.revision = directive.revision;
    order.desired = static_cast<int>(directive.desired);
    order.epoch = directive.epoch;
    order.pass = directive.pass;
    if (directive.desired == wire::Desired::stop) MILLRACE_TRY(fences_.stop(job, directive.epoch));
    if (found != runners_.end()) {
        MILLRACE_TRY(environment_.slices.put_order(order, nullptr));
        found->second->adopt(order);
        return {};
    }
    const std::string spec = state::encode_record(directive.spec);
    MILLRACE_TRY(environment_.slices.put_order(order, &spec));
    MILLRACE_TRY_ASSIGN(std::unique_ptr<SliceRunner> runner, SliceRunner::make(environment_, order, directive.spec));
    log::info("slice accepted", {{"job", job}, {"revision", order.revision}, {"created_seq_end", order.created_seq_end}});
    SliceRunner& fresh = *runners_.emplace(job, std::move(runner)).first->second;
    fresh.kick();
    return {};
}

Task<void> SliceTable::forget(const JobId& job) {
    if (auto node = runners_.extract(job)) {
        co_await node.mapped()->stop();
        log::info("slice forgotten", {{"job", job}});
    }
    damaged_.erase(job);
    if (auto forgotten = environment_.slices.forget(job); !forgotten) {
        log::warn("slice records could not be removed", {{"job", job}, {"error", forgotten.error()}});
    }
}

void SliceTable::receive(const wire::StatusAck& ack) {
    const auto found = runners_.find(JobId(ack.job));
    if (found != runners_.end()) found->second->acknowledged(ack);
}

void SliceTable::report_all() {
    for (const auto& [job, runner] : runners_) runner->report_again();
}

void SliceTable::kick_all() {
    for (const auto& [job, runner] : runners_) runner->kick();
}

// A slice that has a place keeps it until it is done; then the next one waiting gets it.
void SliceTable::share_places() {
    if (std::exchange(sharing_, true)) return;
    std::uint32_t taken = 0;
    for (const auto& [job, runner] : runners_) {
        if (runner->admitted() && !runner->wants_to_run()) runner->admit(false);
        if (runner->admitted()) ++taken;
    }
    for (const auto& [job, runner] : runners_) {
        if (taken >= environment_.config.running_slices_max) break;
        if (runner->admitted() || !runner->wants_to_run()) continue;
        runner->admit(true);
        ++taken;
    }
    sharing_ = false;
}

std::uint32_t SliceTable::running() const {
    return static_cast<std::uint32_t>(std::ranges::count_if(runners_, [](const auto& item) { return item.second->wants_to_run(); }));
}

Task<void> SliceTable::stop() {
    for (const auto& [job, runner] : runners_) runner->begin_stop();
    for (const auto& [job, runner] : runners_) co_await runner->stop();
    runners_.clear();
}

}  // namespace millrace::worker
