#include "worker/slice_machine.h"

#include <algorithm>

#include "core/check.h"
#include "worker/near_empty.h"

namespace millrace::worker {
namespace {
constexpr std::size_t kFeedNames = 256;
constexpr std::uint32_t kTimeoutsAloneMax = 16;  // so many say that the objects themselves take too long
}  // namespace

SliceMachine::SliceMachine(SliceOptions options, Progress progress, Instant begun)
    : options_(options), control_(options.workers_min, options.workers_start, options.workers_max), last_checkpoint_(begun) {
    load(std::move(progress));
}

void SliceMachine::load(Progress progress) {
    front_ticket_ += window_.size();  // tickets of the window that is thrown away never come back
    window_.clear();
    waiting_.clear();
    suspects_.clear();
    backoff_.clear();
    on_trial_.clear();
    sink_trials_.clear();
    changes_.clear();
    ahead_ = {progress.settled_ahead.begin(), progress.settled_ahead.end()};
    progress.settled_ahead.clear();
    progress_ = std::move(progress);
    fed_to_ = progress_.watermark;
    phase_fed_ = false;
    dirty_ = false;
    settled_since_checkpoint_ = 0;
    checkpoint_failures_ = 0;
    checkpoint_failure_.clear();
    checkpoint_not_before_ = {};
    failures_forgiven_ = failures();
    acknowledged_ = progress_.counters;
    surveyed_durably_ = progress_.survey.done;
    finished_durably_ = progress_.phase == Phase::finished;
    failed_durably_ = !progress_.failure.empty();
}

void SliceMachine::rewind(Progress durable) {
    MILLRACE_CHECK(in_flight_ == 0 && !in_checkpoint_);
    Survey survey = std::move(progress_.survey);  // what was counted stays counted
    std::string failure = std::move(progress_.failure);  // and a failure stays as it was last ordered, or met
    load(std::move(durable));
    progress_.survey = std::move(survey);
    progress_.failure = std::move(failure);
    failed_durably_ = false;
    dirty_ = true;
}

// ---- commands

void SliceMachine::order(Desired desired, std::uint64_t pass, bool fresh) {
    desired_ = desired;
    pass_ = std::max(pass_, pass);
    if (fresh) {
        ++orders_;
        stalls_ = 0;
        stalled_until_ = {};
        checkpoint_not_before_ = {};
        sink_trials_.clear();  // whoever ordered it may have made room
        failures_forgiven_ = failures();
        if ((desired == Desired::run || desired == Desired::prepare) && !progress_.failure.empty()) {
            progress_.failure.clear();
            failed_durably_ = false;
            dirty_ = true;
            failure_cleared_ = true;
        }
    }
    if (desired == Desired::run && progress_.phase == Phase::finished && pass_ > progress_.retried_pass) enter_phase(Phase::retry);
}

void SliceMachine::transform_ready(bool ready, const std::string& reason) {
    transform_ready_ = ready;
    transform_reason_ = reason;
}

void SliceMachine::give_up(const std::string& reason) {
    if (!progress_.failure.empty()) return;
    progress_.failure = reason;
    dirty_ = true;
}

// ---- survey and feed

bool SliceMachine::wants_survey() const {
    return !progress_.survey.done && progress_.failure.empty() && (desired_ == Desired::prepare || desired_ == Desired::run);
}

void SliceMachine::surveyed(const Survey& page) {
    progress_.survey.objects += page.objects;
    progress_.survey.bytes += page.bytes;
    progress_.survey.unmapped += page.unmapped;
    progress_.survey.after = page.after;
    progress_.survey.done = page.done;
    if (page.done) dirty_ = true;
}

bool SliceMachine::needs_survey() const {
    if (options_.survey_durable_before_run && !surveyed_durably_) return true;
    return (options_.survey_before_run || options_.plan_only) && !progress_.survey.done;
}

bool SliceMachine::wants_to_run() const {
    return desired_ == Desired::run && progress_.failure.empty() && checkpoint_failure_.empty() && transform_ready_ && !needs_survey() &&
           !options_.plan_only;
}

bool SliceMachine::ledger_is_behind() const {
    return progress_.phase == Phase::retry && fed_to_.empty() && !phase_fed_ && (!changes_.empty() || in_checkpoint_);
}

std::optional<FeedRequest> SliceMachine::next_feed(Instant now) const {
    if (!may_start(now) || phase_fed_ || progress_.phase == Phase::finished || ledger_is_behind()) return std::nullopt;
    const std::size_t worth_it = std::min<std::size_t>(kFeedNames, std::max<std::size_t>(1, options_.window_objects_max / 4));
    if (room() == 0 || (room() < worth_it && !waiting_.empty())) return std::nullopt;
    FeedRequest request{.phase = progress_.phase, .after = fed_to_, .up_to = {}, .pass_below = 0, .names_max = std::min(room(), kFeedNames)};
    if (progress_.phase == Phase::retry) {
        request.pass_below = progress_.phase_pass;
    } else if (!progress_.survey.done) {
        if (fed_to_ >= progress_.survey.after) return std::nullopt;
        request.up_to = progress_.survey.after;
    }
    return request;
}

bool SliceMachine::awaits(const FeedRequest& request) const {
    const std::uint64_t pass_below = progress_.phase == Phase::retry ? progress_.phase_pass : 0;
    return !phase_fed_ && progress_.phase == request.phase && fed_to_ == request.after && pass_below == request.pass_below;
}

// What a retry has done is not fed again after a restart, as its ledger row is gone: it takes its room until the front has come past it.
std::size_t SliceMachine::room() const {
    const std::size_t taken = window_.size() + (progress_.phase == Phase::retry ? ahead_.size() : 0);
    const std::size_t left = options_.window_objects_max - std::min<std::size_t>(taken, options_.window_objects_max);
    return window_.empty() ? std::max<std::size_t>(left, 1) : left;
}

void SliceMachine::fed(const FeedRequest& request, std::vector<FedObject> objects, const std::string& scanned_to, bool at_end) {
    for (FedObject& object : objects) {
        const bool settled = ahead_.erase(object.name) > 0;
        if (!settled) waiting_.push_back(front_ticket_ + window_.size());
        window_.push_back({.name = std::move(object.name), .place = settled ? Place::settled : Place::waiting,
                           .was_quarantined = object.was_quarantined, .never_fitted = object.never_fitted});
    }
    if (!at_end) {
        fed_to_ = scanned_to;
    } else if (!request.up_to.empty()) {
        fed_to_ = request.up_to;
    } else {
        phase_fed_ = true;
    }
    advance();
    check();
}

void SliceMachine::feed_failed(const Error& error, Instant now) { stall(error.context, now); }

// ---- objects

std::vector<Dispatch> SliceMachine::dispatch(Instant now) {
    std::vector<Dispatch> chosen;
    if (!may_start(now)) return chosen;
    stalled_until_ = {};
    while (!backoff_.empty() && backoff_.begin()->first <= now) {
        const std::uint64_t ticket = backoff_.begin()->second;
        backoff_.erase(backoff_.begin());
        wait_again(ticket, window_[ticket - front_ticket_]);
    }
    const auto start = [&](std::deque<std::uint64_t>& queue) {
        const std::uint64_t ticket = queue.front();
        queue.pop_front();
        Entry& object = window_[ticket - front_ticket_];
        object.place = Place::running;
        object.order = orders_;
        object.pass = pass_;
        ++in_flight_;
        if (object.isolated) suspect_in_flight_ = true;
        if (object.on_trial) trial_in_flight_ = true;
        chosen.push_back({ticket, object.name, object.isolated});
    };
    if (trial_in_flight_) return chosen;
    if (const auto trial = due_trial(); trial != on_trial_.end()) {
        std::iter_swap(on_trial_.begin(), trial);
        if (in_flight_ == 0) start(on_trial_);
        return chosen;
    }
    const std::size_t workers = control_.limit();
    const std::size_t room = workers + std::min<std::size_t>(workers, options_.run_ahead_max);
    const std::size_t limit = stalls_ > 0 ? 1 : room;  // one probe while nothing has worked since a stall
    while (!waiting_.empty() && regular_in_flight() < limit) start(waiting_);
    if (!suspects_.empty() && !suspect_in_flight_ && (stalls_ == 0 || in_flight_ == 0)) start(suspects_);
    return chosen;
}

SliceMachine::Entry& SliceMachine::landed(std::uint64_t ticket) {
    MILLRACE_CHECK(ticket >= front_ticket_ && ticket - front_ticket_ < window_.size());
    Entry& object = window_[ticket - front_ticket_];
    MILLRACE_CHECK(object.place == Place::running);
    --in_flight_;
    if (object.isolated) suspect_in_flight_ = false;
    if (object.on_trial) trial_in_flight_ = false;
    return object;
}

bool SliceMachine::only_trials_left() const {
    const bool may_feed = !phase_fed_ && room() > 0;
    return in_flight_ == 0 && waiting_.empty() && suspects_.empty() && backoff_.empty() && !may_feed;
}

std::deque<std::uint64_t>::iterator SliceMachine::due_trial() {
    if (only_trials_left()) return on_trial_.begin();
    return std::ranges::find_if(on_trial_, [this](std::uint64_t ticket) { return sink_trials_.is_due(ticket); });
}

void SliceMachine::count_settled(Entry& object, std::uint64_t SliceCounters::*counter) {
    SliceCounters& counters = progress_.counters;
    if (progress_.phase == Phase::retry) --(object.was_quarantined ? counters.quarantined : counters.failed);
    ++(counters.*counter);
    object.place = Place::settled;
    ++settled_since_checkpoint_;
    dirty_ = true;
}

void SliceMachine::settle(std::uint64_t ticket, Settled how, std::uint64_t bytes_in, std::uint64_t bytes_out, std::uint64_t bytes_moved,
                          Instant now, const std::string& sink, const std::string& life) {
    Entry& object = landed(ticket);
    sink_trials_.forget(ticket);
    if (how == Settled::done) sink_trials_.took(sink, life);
    SliceCounters& counters = progress_.counters;
    counters.bytes_in += bytes_in;
    counters.bytes_out += bytes_out;
    counters.bytes_moved += bytes_moved;
    if (how == Settled::done) ++counters.attempts;
    if (how == Settled::done && options_.counts_near_empty && is_near_empty(bytes_in, bytes_out)) ++counters.near_empty;
    if (progress_.phase == Phase::retry) changes_[object.name] = std::nullopt;
    count_settled(object, how == Settled::done ? &SliceCounters::done : &SliceCounters::skipped);
    stalls_ = 0;
    stall_reason_.clear();
    if (object.isolated) {
        timeouts_alone_ = 0;
    } else {
        control_.succeeded(now);
    }
    advance();
    check();
}

void SliceMachine::settle_failed(Entry& object, const Failure& failure, bool quarantined) {
    changes_[object.name] = FailedObject{quarantined, failure.error, failure.stderr_tail, object.attempts, object.pass};
    count_settled(object, quarantined ? &SliceCounters::quarantined : &SliceCounters::failed);
    if (object.order != orders_) ++failures_forgiven_;  // begun under an order before the newest
    if (options_.failures_max && failures() > failures_forgiven_ + *options_.failures_max) {
        give_up("more than " + std::to_string(*options_.failures_max) + " objects failed; the last: " + object.name + ": " + failure.error.context);
    }
}

void SliceMachine::not_started(std::uint64_t ticket) { wait_again(ticket, landed(ticket)); }

void SliceMachine::wait_again(std::uint64_t ticket, Entry& object) {
    object.place = Place::waiting;
    (object.on_trial ? on_trial_ : object.isolated ? suspects_ : waiting_).push_front(ticket);
}

// Behind the others, whose results the sink may take.
void SliceMachine::wait_at_sink(std::uint64_t ticket, Entry& object) {
    if (object.isolated) return wait_again(ticket, object);
    object.place = Place::waiting;
    object.on_trial = sink_trials_.runs_alone(ticket);
    (object.on_trial ? on_trial_ : waiting_).push_back(ticket);
}

std::uint32_t SliceMachine::sink_failures(std::uint64_t ticket, const Failure& failure) {
    if (failure.blame != Blame::sink || !may_be_the_results_doing(failure.error.code)) return 0;
    return sink_trials_.failed(ticket, failure.sink, only_trials_left(), window_[ticket - front_ticket_].never_fitted);
}

void SliceMachine::attempt_failed(std::uint64_t ticket, const Failure& failure, Instant now) {
    Entry& object = landed(ticket);
    if (object.isolated) timeouts_alone_ = failure.error.code == Code::timed_out ? timeouts_alone_ + 1 : 0;
    const bool may_have_waited = options_.shares_server && timeouts_alone_ < kTimeoutsAloneMax;
    const std::uint32_t at_sink = sink_failures(ticket, failure);
    const Verdict verdict =
        judge(failure, {object.attempts + 1, options_.attempts_max, object.isolated, options_.listed, may_have_waited, at_sink});
    if (verdict != Verdict::wait && verdict != Verdict::stop && verdict != Verdict::skip) {
        const std::uint32_t attempts = std::max(1u, at_sink);
        object.attempts += attempts;
        progress_.counters.attempts += attempts;
        stalls_ = 0;
        sink_trials_.forget(ticket);
    }
    switch (verdict) {
        case Verdict::skip:
            if (progress_.phase == Phase::retry) changes_[object.name] = std::nullopt;
            count_settled(object, &SliceCounters::skipped);
            break;
        case Verdict::fail: settle_failed(object, failure, false); break;
        case Verdict::quarantine: settle_failed(object, failure, true); break;
        case Verdict::retry:
            object.place = Place::backoff;
            backoff_.emplace(now + retry_delay(object.attempts), ticket);
            if (failure.error.code != Code::rejected) control_.overloaded(now);
            break;
        case Verdict::isolate:
            object.isolated = true;
            object.on_trial = false;
            object.place = Place::waiting;
            suspects_.push_back(ticket);
            break;
        case Verdict::wait:
            at_sink > 0 ? wait_at_sink(ticket, object) : wait_again(ticket, object);
            stall(failure.error.context, now);
            break;
        case Verdict::stop:
            wait_again(ticket, object);
            if (object.order == orders_) desired_ = Desired::stop;  // else a newer order has started the slice again
            break;
    }
    advance();
    check();
}

void SliceMachine::stall(const std::string& reason, Instant now) {
    stall_reason_ = reason;
    if (now < stalled_until_) return;  // several objects met the same obstacle
    ++stalls_;
    stalled_until_ = now + stall_delay(stalls_);
}

void SliceMachine::advance() {
    while (!window_.empty() && window_.front().place == Place::settled) {
        progress_.watermark = std::move(window_.front().name);
        window_.pop_front();
        ++front_ticket_;
    }
    if (!window_.empty() || progress_.phase == Phase::finished) return;
    progress_.watermark = std::max(progress_.watermark, fed_to_);
    if (!phase_fed_) return;
    if (progress_.phase == Phase::main) {
        // Counted but never fed: deleted before its turn.
        progress_.counters.skipped += progress_.survey.objects - std::min(progress_.survey.objects, progress_.counters.settled());
    } else {
        progress_.retried_pass = progress_.phase_pass;
    }
    enter_phase(pass_ > progress_.retried_pass ? Phase::retry : Phase::finished);
}

void SliceMachine::check() const {
    const std::size_t unsettled = waiting_.size() + suspects_.size() + backoff_.size() + on_trial_.size() + in_flight_;
    MILLRACE_CHECK(unsettled <= window_.size());  // each entry is in one place
    MILLRACE_CHECK(!suspect_in_flight_ || in_flight_ > 0);
    MILLRACE_CHECK(!trial_in_flight_ || in_flight_ == 1);
    MILLRACE_CHECK(window_.empty() || (window_.front().place != Place::settled && progress_.watermark < window_.front().name));
    MILLRACE_CHECK(progress_.phase != Phase::finished || window_.empty());
}

void SliceMachine::enter_phase(Phase phase) {
    progress_.phase = phase;
    if (phase == Phase::retry) progress_.phase_pass = pass_;
    progress_.watermark.clear();
    fed_to_.clear();
    ahead_.clear();
    phase_fed_ = false;
    finished_durably_ = false;
    dirty_ = true;
}

// ---- checkpoints

bool SliceMachine::checkpoint_due(Instant now) const {
    if (in_checkpoint_ || !dirty_ || now < checkpoint_not_before_) return false;
    const bool is_to_rest = desired_ != Desired::run && desired_ != Desired::prepare;
    const bool at_rest = in_flight_ == 0 && (progress_.phase == Phase::finished || is_to_rest || !progress_.failure.empty());
    const bool is_waited_for = progress_.survey.done && needs_survey();  // to be durable; else what was counted can be counted again
    if (at_rest || is_waited_for || failure_cleared_ || !checkpoint_failure_.empty() || ledger_is_behind()) return true;
    return settled_since_checkpoint_ >= options_.checkpoint_objects_max || now - last_checkpoint_ >= options_.checkpoint_interval;
}

CheckpointWork SliceMachine::begin_checkpoint() {
    MILLRACE_CHECK(!in_checkpoint_);
    std::erase_if(ahead_, [&](const std::string& name) { return name <= progress_.watermark; });
    CheckpointWork work{progress_, std::exchange(changes_, {})};
    work.progress.settled_ahead.assign(ahead_.begin(), ahead_.end());
    for (const Entry& object : window_) {
        if (object.place == Place::settled) work.progress.settled_ahead.push_back(object.name);
    }
    std::ranges::sort(work.progress.settled_ahead);
    dirty_ = false;
    failure_cleared_ = false;
    settled_since_checkpoint_ = 0;
    in_checkpoint_ = work;
    return work;
}

void SliceMachine::end_checkpoint(bool durable, const std::string& reason, Instant now) {
    MILLRACE_CHECK(in_checkpoint_.has_value());
    const CheckpointWork work = std::move(*in_checkpoint_);
    in_checkpoint_.reset();
    last_checkpoint_ = now;
    if (!durable) {
        changes_.insert(work.changes.begin(), work.changes.end());  // newer ones win
        dirty_ = true;
        checkpoint_failure_ = reason.empty() ? "the checkpoint cannot be written" : reason;
        checkpoint_not_before_ = now + stall_delay(++checkpoint_failures_);
        return;
    }
    checkpoint_failures_ = 0;
    checkpoint_failure_.clear();
    MILLRACE_CHECK(work.progress.counters.done >= acknowledged_.done && work.progress.counters.settled() >= acknowledged_.settled());
    acknowledged_ = work.progress.counters;
    surveyed_durably_ = work.progress.survey.done;
    finished_durably_ = work.progress.phase == Phase::finished && progress_.phase == Phase::finished &&
                        work.progress.retried_pass == progress_.retried_pass;
    failed_durably_ = !work.progress.failure.empty() && !progress_.failure.empty();
}

// ---- queries

SliceState SliceMachine::state() const {
    const bool at_rest = in_flight_ == 0 && !dirty_ && !in_checkpoint_;
    if (!progress_.failure.empty()) {
        if (failed_durably_ && at_rest) return SliceState::failed;
        return desired_ == Desired::prepare ? SliceState::preparing : SliceState::running;  // who has yet to say so is not prepared
    }
    if (finished_durably_) return SliceState::finished;
    switch (desired_) {
        case Desired::pause: return at_rest ? SliceState::paused : SliceState::running;
        case Desired::forget:
        case Desired::stop: return at_rest ? SliceState::stopped : SliceState::running;
        case Desired::prepare: return transform_ready_ && !needs_survey() ? SliceState::ready : SliceState::preparing;
        case Desired::run: break;
    }
    if (options_.plan_only) return needs_survey() ? SliceState::preparing : SliceState::ready;
    if (needs_survey()) return SliceState::preparing;
    return stalls_ > 0 || !checkpoint_failure_.empty() || !transform_ready_ ? SliceState::stalled : SliceState::running;
}

std::string SliceMachine::reason() const {
    if (!progress_.failure.empty()) return progress_.failure;
    if (!checkpoint_failure_.empty()) return checkpoint_failure_;
    if (finished_durably_ || desired_ == Desired::pause || desired_ == Desired::stop) return "";
    if (!transform_ready_) return transform_reason_;
    return stalls_ > 0 ? stall_reason_ : "";
}

Instant SliceMachine::next_wakeup() const {
    Instant next = Instant::max();
    if (wants_to_run()) {
        if (!backoff_.empty()) next = std::max(backoff_.begin()->first, stalled_until_);
        if (stalled_until_ != Instant{}) next = std::min(next, stalled_until_);
    }
    if (dirty_ && !in_checkpoint_) {
        const bool waits = !checkpoint_failure_.empty();
        next = std::min(next, waits ? checkpoint_not_before_ : std::max(checkpoint_not_before_, last_checkpoint_ + options_.checkpoint_interval));
    }
    return next;
}

}  // namespace millrace::worker
