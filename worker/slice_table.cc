#include "worker/slice_table.h"

#include <algorithm>

#include "core/log.h"
#include "state/record.h"

namespace millrace::worker {
namespace {
constexpr std::size_t kNamesInPlaceMax = 10'000;  // the list of a job is written down aside when it is longer
constexpr auto kForgottenFencesKept = std::chrono::hours(24 * 30);
constexpr std::uint32_t kForgottenPerCleaning = 1000;
constexpr std::size_t kSharingRoundsMax = 8;

state::SlicePins to_record(const wire::Pins& pins) {
    state::SlicePins record{pins.source_uid, pins.destination_uid, {}};
    for (const wire::PinnedTransform& pinned : pins.transforms) record.transforms.push_back({pinned.name, pinned.digest});
    return record;
}

}  // namespace

SliceTable::SliceTable(SliceEnvironment environment, std::function<void(const wire::Message&)> send)
    : environment_(std::move(environment)), send_(std::move(send)) {
    environment_.report = [this](const wire::SliceStatus& status) { send_(status); };
    environment_.place_changes = [this](SliceRunner& runner) { look_at_claim(runner); };
    environment_.syncs = std::make_shared<RemoteSyncs>(environment_.control.executor(), environment_.sync_target);
}

SliceTable::~SliceTable() = default;

Result<void> SliceTable::restore() {
    drop_old_fences();
    MILLRACE_TRY_ASSIGN(std::vector<state::SliceOrder> orders, environment_.slices.orders());
    for (state::SliceOrder& order : orders) {
        const JobId job(order.job);
        MILLRACE_TRY_ASSIGN(const auto bytes, environment_.slices.spec_bytes(job));
        auto spec = state::decode_record<wire::JobSpec>("specification of job " + order.job, bytes.value_or(""));
        ++order.incarnation;
        arrivals_ = std::max(arrivals_, order.arrival);
        if (auto written = environment_.slices.put_order(order, nullptr); !written) return written.error();
        auto runner = spec ? SliceRunner::make(environment_, order, std::move(*spec)) : Result<std::unique_ptr<SliceRunner>>(spec.error());
        if (!runner) {
            log::error("slice cannot be continued", {{"job", job}, {"error", runner.error()}});
            damaged_.emplace(job, runner.error());
            continue;
        }
        log::info("slice restored", {{"job", job}, {"incarnation", order.incarnation}, {"revision", order.revision}});
        runners_.emplace(job, std::move(*runner)).first->second->look_back();
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
    std::optional<KnownOrder> known;
    if (found != runners_.end()) {
        const state::SliceOrder& order = found->second->order();
        known = {order.revision, static_cast<wire::Desired>(order.desired), order.epoch};
    }
    wire::DirectiveAck ack{.job = directive.job, .revision = directive.revision};
    switch (judge_directive(directive, known)) {
        case DirectiveAction::acknowledge: ack.revision = known->revision; break;
        case DirectiveAction::contradict: ack.revision = known->revision + 1; break;
        case DirectiveAction::ask_for_spec:
            ack.needs_spec = true;
            ack.part = lists_.missing(directive.job);
            break;
        case DirectiveAction::forget:
            lists_.forget(directive.job);
            if (!forgetting_.insert(job).second) co_return;  // the first one acknowledges when the slice has come to rest
            co_await forget(job);
            forgetting_.erase(job);
            break;
        case DirectiveAction::adopt: {
            if (const auto missing = known ? std::nullopt : lists_.add(directive)) {
                ack.needs_spec = true;
                ack.part = *missing;
                break;
            }
            if (!adopting_.insert(job).second) co_return;  // the first one acknowledges
            const Result<void> adopted = co_await adopt(std::move(directive));
            adopting_.erase(job);
            if (!adopted) {
                log::error("directive could not be written down", {{"job", job}, {"error", adopted.error()}});
                co_return;  // not acknowledged: the proxy says it again
            }
            break;
        }
    }
    send_(ack);
    share_places();
}

Task<Result<void>> SliceTable::adopt(wire::Directive directive) {
    const JobId job(directive.job);
    const auto found = runners_.find(job);
    state::SliceOrder order;
    if (found != runners_.end()) {
        order = found->second->order();
    } else {
        order.job = directive.job;
        order.incarnation = 1;
        order.created_seq_end = environment_.buckets.reader(directive.spec.source, directive.pins.source_uid)->created_seq_end();
        order.arrival = ++arrivals_;
    }
    order.revision = directive.revision;
    order.desired = static_cast<int>(directive.desired);
    order.epoch = directive.epoch;
    order.pass = std::max(order.pass, directive.pass);  // an older proxy does not take a retry back
    if (!directive.pins.empty()) order.pins = to_record(directive.pins);  // a proxy from before pins tells none
    if (directive.desired == wire::Desired::stop) MILLRACE_CO_TRY(environment_.fences.stop(job, directive.epoch));
    if (found != runners_.end()) {
        MILLRACE_CO_TRY(environment_.slices.put_order(order, nullptr));
        co_return found->second->adopt(order);
    }
    auto write = [this, order, spec = &directive.spec] {
        const std::string bytes = state::encode_record(*spec);
        return environment_.slices.put_order(order, &bytes);
    };
    const bool is_long = directive.spec.objects.size() > kNamesInPlaceMax;
    const Result<void> written = is_long ? co_await environment_.blocking.run(write) : write();
    if (!written) co_return written;
    MILLRACE_CO_TRY_ASSIGN(std::unique_ptr<SliceRunner> runner, SliceRunner::make(environment_, order, std::move(directive.spec)));
    log::info("slice accepted", {{"job", job}, {"revision", order.revision}, {"created_seq_end", order.created_seq_end}});
    SliceRunner& fresh = *runners_.emplace(job, std::move(runner)).first->second;
    fresh.kick();
    co_return Result<void>{};
}

Task<void> SliceTable::forget(const JobId& job) {
    if (auto node = runners_.extract(job)) {
        line_.erase(node.mapped()->arrival());
        co_await node.mapped()->stop();
        line_.erase(node.mapped()->arrival());  // what ends may look like one that wants to run
        log::info("slice forgotten", {{"job", job}});
    }
    damaged_.erase(job);
    if (auto forgotten = environment_.slices.forget(job, unix_now_ns()); !forgotten) {
        log::warn("slice records could not be removed", {{"job", job}, {"error", forgotten.error()}});
    }
    environment_.fences.forgotten(job);
    if (++forgotten_ % kForgottenPerCleaning == 0) drop_old_fences();
}

void SliceTable::drop_old_fences() {
    const std::int64_t kept_ns = std::chrono::nanoseconds(kForgottenFencesKept).count();
    if (auto dropped = environment_.slices.drop_fences_forgotten_before(unix_now_ns() - kept_ns); !dropped) {
        log::warn("fences of removed jobs stay", {{"error", dropped.error()}});
    }
}

void SliceTable::receive(const wire::StatusAck& ack) {
    const auto found = runners_.find(JobId(ack.job));
    if (found != runners_.end()) found->second->acknowledged(ack);
}

void SliceTable::report_all() {
    for (const auto& [job, runner] : runners_) runner->report_again();
}

Result<void> SliceTable::hold() {
    for (const auto& [job, runner] : runners_) {
        state::SliceOrder order = runner->order();
        const auto desired = static_cast<wire::Desired>(order.desired);
        if (desired != wire::Desired::prepare && desired != wire::Desired::run) continue;
        order.desired = static_cast<int>(wire::Desired::pause);
        MILLRACE_TRY(environment_.slices.put_order(order, nullptr));
        MILLRACE_TRY(runner->adopt(order));
    }
    return {};
}

void SliceTable::release() {
    released_ = true;
    share_places();
}

void SliceTable::kick_all() {
    for (const auto& [job, runner] : runners_) runner->kick();
}

void SliceTable::look_at_claim(SliceRunner& runner) {
    if (runner.admitted() || runner.wants_to_run()) {
        line_.emplace(runner.arrival(), &runner);
    } else {
        line_.erase(runner.arrival());
    }
    share_places();
}

// A slice that gets or loses its place may change the claims of others.
void SliceTable::share_places() {
    if (!released_) return;
    share_again_ = true;
    if (std::exchange(sharing_, true)) return;
    for (std::size_t rounds = 0; std::exchange(share_again_, false) && rounds < kSharingRoundsMax; ++rounds) share_places_once();
    sharing_ = false;
}

void SliceTable::share_places_once() {
    std::vector<SliceRunner*> line;
    for (const auto& [arrival, runner] : line_) line.push_back(runner);
    std::vector<PlaceClaim> claims;
    for (const SliceRunner* runner : line) claims.push_back({runner->admitted(), runner->wants_to_run(), runner->is_stalled()});
    const std::vector<bool> shared = worker::share_places(claims, environment_.config.running_slices_max);
    for (const bool given : {false, true}) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (shared[i] == given) line[i]->admit(given);
        }
    }
}

std::uint32_t SliceTable::running() const {
    return static_cast<std::uint32_t>(std::ranges::count_if(line_, [](const auto& item) { return item.second->wants_to_run(); }));
}

void SliceTable::begin_stop() {
    for (const auto& [job, runner] : runners_) runner->begin_stop();
}

Task<void> SliceTable::stop() {
    begin_stop();
    for (const auto& [job, runner] : runners_) co_await runner->stop();
    line_.clear();
    runners_.clear();
}

}  // namespace millrace::worker
