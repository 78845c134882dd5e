#include "worker/slice_runner.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <limits>
#include <ranges>
#include <thread>

#include "core/check.h"
#include "core/hash.h"
#include "core/log.h"
#include "runtime/stream_communicator.h"
#include "worker/lookback.h"
#include "worker/progress_record.h"

namespace millrace::worker {
namespace {

constexpr auto kTransformPoll = milliseconds(200);
constexpr auto kSurveyPause = milliseconds(200);
constexpr std::uint32_t kWorkersMax = 32;
constexpr std::uint32_t kRunAheadMax = 64;
constexpr std::uint32_t kCopies = 64;

struct Concurrency {
    std::uint32_t floor = 1;
    std::uint32_t ceiling = kWorkersMax;
    std::uint32_t room = std::numeric_limits<std::uint32_t>::max();  // more only wait for each other
};

// What the specification of the (first) transform says, where it is known. Without one an object takes microseconds of its lane,
// unless it goes to another target.
Concurrency concurrency_of(const Transforms& transforms, const wire::JobSpec& spec, std::size_t lanes) {
    if (spec.operation != wire::Operation::transform) return {kCopies, kCopies};
    Concurrency bounds;
    const auto said = transforms.spec_of(spec.transform);
    if (!said) return bounds;
    bounds.floor = said->concurrency_min;
    if (said->communication == spec::Communication::stream) {
        bounds.room = static_cast<std::uint32_t>(lanes) * runtime::stream_objects_max(*said);
        bounds.ceiling = bounds.room;
    }
    if (said->concurrency_max > 0) bounds.ceiling = said->concurrency_max;
    bounds.ceiling = std::max(bounds.floor, bounds.ceiling);
    return bounds;
}

// Whether objects that run at once can hold each other up: not where each has a process of its own.
bool shares_server(const Transforms& transforms, const wire::JobSpec& spec) {
    const auto is_shared = [&](const std::string& name) {
        const auto said = transforms.spec_of(name);
        return !said || said->kind != spec::Kind::filter;
    };
    return std::ranges::any_of(spec.transforms(), is_shared);
}

SliceOptions make_options(const SliceEnvironment& environment, const wire::JobSpec& spec) {
    const TargetConfig& config = environment.config;
    SliceOptions options;
    options.window_objects_max = config.window_objects_max;
    options.checkpoint_objects_max = config.checkpoint_objects_max;
    options.checkpoint_interval = config.checkpoint_interval_ms;
    options.attempts_max = spec.attempts;
    options.listed = spec.has_list;
    options.survey_before_run = spec.rename().can_collide();
    options.counts_near_empty = spec.operation == wire::Operation::transform && spec.empty_output != wire::EmptyOutput::keep;
    options.survey_durable_before_run = spec.operation == wire::Operation::remove && spec.dry_run == wire::DryRun::no;
    options.plan_only = spec.dry_run == wire::DryRun::plan;
    options.shares_server = shares_server(environment.transforms, spec);
    if (spec.on_error == wire::OnError::abort_after_count) options.failures_max = spec.on_error_limit;
    const std::uint32_t processors = std::max(1u, std::thread::hardware_concurrency());
    const Concurrency transform = concurrency_of(environment.transforms, spec, environment.lanes.size());
    const std::uint32_t asked = std::min(spec.num_workers, transform.room);
    options.workers_max = asked > 0 ? asked : transform.ceiling;
    options.workers_min = asked > 0 ? asked : std::min(transform.floor, options.workers_max);
    options.run_ahead_max = kRunAheadMax;
    options.workers_start = std::clamp(2 * processors, options.workers_min, options.workers_max);
    return options;
}

Desired desired_of(const state::SliceOrder& order) {
    const auto desired = static_cast<Desired>(order.desired);
    return desired == Desired::forget ? Desired::stop : desired;
}

}  // namespace

Result<std::unique_ptr<SliceRunner>> SliceRunner::make(const SliceEnvironment& environment, state::SliceOrder order, wire::JobSpec spec) {
    const JobId job(order.job);
    // The names of a list are kept once, where they are selected.
    std::vector<std::string> objects = std::exchange(spec.objects, {});
    wire::JobSpec without_list = spec;
    spec.objects = std::move(objects);
    std::shared_ptr<BucketReader> source = environment.buckets.reader(spec.source, order.pins.source_uid);
    MILLRACE_TRY_ASSIGN(Selection selection, Selection::make(job, std::move(spec), order.created_seq_end, std::move(source), environment.slices));
    MILLRACE_TRY_ASSIGN(const std::optional<state::SliceCheckpoint> checkpoint, environment.slices.checkpoint(job));
    Progress progress = checkpoint ? from_record(*checkpoint) : Progress{};
    std::unique_ptr<SliceRunner> runner(
        new SliceRunner(environment, std::move(order), std::move(without_list), std::move(selection), std::move(progress)));
    MILLRACE_TRY_ASSIGN(runner->context_, runner->make_context(runner->order_));
    return runner;
}

SliceRunner::SliceRunner(const SliceEnvironment& environment, state::SliceOrder order, wire::JobSpec spec, Selection selection, Progress progress)
    : environment_(environment), order_(std::move(order)), spec_(std::move(spec)), selection_(std::move(selection)),
      machine_(make_options(environment, spec_), progress, steady_now()), reporter_(order_.job, order_.incarnation),
      queue_(std::make_shared<RunQueue>(environment.lanes.size(), xxh64(order_.job))),
      tasks_(environment.control.executor()), timer_changed_(environment.control.executor()), durable_(std::move(progress)),
      done_metric_(metrics::counter("millrace_attempts_total", "Attempts at objects of jobs, by result", {{"result", "ok"}})),
      failed_metric_(metrics::counter("millrace_attempts_total", "Attempts at objects of jobs, by result", {{"result", "error"}})),
      moved_bytes_metric_(metrics::counter("millrace_moved_bytes_total", "Output bytes of jobs that went to another target")),
      checkpoint_seconds_metric_(metrics::histogram("millrace_checkpoint_seconds", "Time of checkpoint barriers")) {
    door_->owner = this;
    const auto tell = [&control = environment_.control, door = door_] { post_kick(control, door); };
    workers_ = std::make_shared<LaneWorkers>(environment_.lanes, environment_.objects, queue_, tell);
    machine_.order(desired_of(order_), order_.pass, false);
}

SliceRunner::~SliceRunner() {
    MILLRACE_CHECK(tasks_.size() == 0);
    door_->owner = nullptr;
}

Result<std::shared_ptr<SliceContext>> SliceRunner::make_context(const state::SliceOrder& order) const {
    const JobId job(order.job);
    const std::uint64_t fence = make_fence(order.epoch, order.incarnation);
    MILLRACE_TRY_ASSIGN(Fences::Pass pass, environment_.fences.begin(job, environment_.cluster.self(), fence));
    Buckets& buckets = environment_.buckets;
    const bool removes = spec_.operation == wire::Operation::remove;
    auto context = std::make_shared<SliceContext>(SliceContext{
        job, spec_, spec_.transforms(), spec_.rename(), order.epoch, fence, order.created_seq_end,
        buckets.reader(spec_.source, order.pins.source_uid),
        removes ? buckets.writer(spec_.source, order.pins.source_uid) : buckets.writer(spec_.destination, order.pins.destination_uid),
        environment_.cluster, std::make_shared<const Fences::Pass>(std::move(pass))});
    context->pins = order.pins;
    return context;
}

Result<void> SliceRunner::adopt(const state::SliceOrder& order) {
    const bool is_again = order.epoch > order_.epoch;
    MILLRACE_TRY_ASSIGN(std::shared_ptr<SliceContext> context, make_context(order));
    const bool goes_on = order.epoch == order_.epoch && desired_of(order) == Desired::run && !*context_->over;
    if (goes_on) {
        context->over = context_->over;
    } else {
        end_attempts();
    }
    order_ = order;
    context_ = std::move(context);
    machine_.order(desired_of(order_), order_.pass, true);
    log::info("slice ordered", {{"job", order_.job}, {"revision", order_.revision}, {"desired", order_.desired}, {"epoch", order_.epoch}});
    if (is_again) look_back();
    kick();
    return {};
}

void SliceRunner::look_back() {
    const bool nothing_settled = durable_.phase == Phase::main && durable_.watermark.empty();
    if (order_.epoch == 1 || nothing_settled || !spec_.writes() || desired_of(order_) != Desired::run) return;
    tasks_.spawn(run_lookback(durable_.phase == Phase::main ? durable_.watermark : ""));
}

Task<void> SliceRunner::run_lookback(std::string settled_to) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const std::shared_ptr<const SliceContext> context = context_;
    auto count = [this, context, &settled_to] { return count_lost_outputs(*context, selection_, environment_.slices, settled_to); };
    const Result<std::uint64_t> lost = co_await environment_.blocking.run_task(std::move(count));
    if (!lost || *lost == outputs_lost_) co_return;  // what cannot be read meets the slice elsewhere
    outputs_lost_ = *lost;
    log::warn("outputs of settled objects are not there any more", {{"job", order_.job}, {"outputs", outputs_lost_}});
    kick();
}

// They come back as what was never begun.
void SliceRunner::end_attempts() {
    if (context_->over->exchange(true)) return;
    workers_->end_what_is_over();
}

void SliceRunner::admit(bool admitted) {
    if (admitted_ == admitted) return;
    admitted_ = admitted;
    kick();
}

bool SliceRunner::wants_to_run() const {
    const SliceState state = machine_.state();
    return desired_of(order_) == Desired::run && state != SliceState::finished && state != SliceState::failed;
}

void SliceRunner::report_again() {
    reporter_.start_over();
    kick();
}

// ---- the pump

void SliceRunner::kick() {
    if (pumping_) {
        kicked_ = true;  // from within: once more when this round is over
    } else {
        pump();
    }
}

void SliceRunner::post_kick(Loop& control, const std::shared_ptr<Door>& door) {
    control.post([door] {
        if (door->owner != nullptr) door->owner->kick();
    });
}

void SliceRunner::pump() {
    pumping_ = true;
    const Instant now = steady_now();
    collect();
    check_transform();
    if (machine_.gave_up()) end_attempts();
    if (stopping_ || barrier_.must_rewind() || !machine_.may_start(now)) take_back();
    if (!stopping_) {
        if (barrier_.must_rewind() && machine_.in_flight() == 0 && !machine_.checkpointing()) {
            barrier_.rewound();
            machine_.rewind(durable_);
        }
        if (!barrier_.must_rewind()) {
            if (machine_.wants_survey() && !surveying_ && buckets_ready()) {
                surveying_ = true;
                tasks_.spawn(run_survey());
            }
            if (!feeding_ && machine_.next_feed(now)) {
                feeding_ = true;
                tasks_.spawn(run_feed());
            }
            start_objects(machine_.dispatch(now));
        }
        if (machine_.checkpoint_due(now)) {
            CheckpointWork work = machine_.begin_checkpoint();
            tasks_.spawn(run_checkpoint(std::move(work)));
        }
    }
    report();
    look_at_place();
    arm_timer();
    pumping_ = false;
    if (std::exchange(kicked_, false)) post_kick(environment_.control, door_);
}

void SliceRunner::look_at_place() {
    const PlaceClaim now{admitted_, wants_to_run(), is_stalled()};
    if (now == told_) return;
    told_ = now;
    if (environment_.place_changes) environment_.place_changes(*this);
}

Result<void> SliceRunner::buckets_ready() const {
    if (!order_.pins.source_uid.empty()) MILLRACE_TRY(context_->source->check());
    if (!order_.pins.destination_uid.empty()) MILLRACE_TRY(context_->sink->check());
    return {};
}

Result<void> SliceRunner::transforms_ready() const {
    const auto& pinned = order_.pins.transforms;
    for (std::size_t i = 0; i < context_->chain.size(); ++i) {
        MILLRACE_TRY(environment_.transforms.ready(context_->chain[i], i < pinned.size() ? pinned[i].digest : 0));
    }
    return {};
}

void SliceRunner::check_transform() {
    waits_for_transform_ = false;
    Result<void> ready = buckets_ready();
    if (ready) ready = transforms_ready();
    if (!ready && ready.error().code == Code::conflict && desired_of(order_) != Desired::stop) {
        machine_.give_up(ready.error().context);  // nobody starts it again by himself
    } else if (!ready) {
        waits_for_transform_ = true;
        machine_.transform_ready(false, ready.error().context);
    } else if (!admitted_ && desired_of(order_) == Desired::run && !machine_.met_obstacle()) {
        machine_.transform_ready(false, "waiting for a place: " + std::to_string(environment_.config.running_slices_max) + " slices run on this target");
    } else {
        machine_.transform_ready(true, "");
    }
}

void SliceRunner::start_objects(const std::vector<Dispatch>& chosen) {
    queue_->add(chosen, context_);
    for (const std::size_t lane : queue_->hire(machine_.workers())) workers_->hire(lane);
}

// What no lane has begun waits here, when the slice may not start anything.
void SliceRunner::take_back() {
    const std::vector<std::uint64_t> tickets = queue_->take_back();
    for (const std::uint64_t ticket : tickets | std::views::reverse) machine_.not_started(ticket);
}

void SliceRunner::collect() {
    const Instant now = steady_now();
    for (Completion& completion : queue_->collect()) land(completion, now);
}

void SliceRunner::land(Completion& completion, Instant now) {
    // What was made with what the job was about before is made again.
    const bool is_former = completion.context && completion.context != context_ && completion.context->pins != order_.pins;
    if (completion.interrupted || is_former) return machine_.not_started(completion.ticket);
    if (!completion.result) {
        const Failure& failure = completion.result.error();
        log::debug("object attempt failed", {{"job", order_.job}, {"ticket", completion.ticket}, {"error", failure.error}});
        failed_metric_.add();
        machine_.attempt_failed(completion.ticket, failure, now);
        return;
    }
    const ExecutionResult& done = *completion.result;
    done_metric_.add();
    std::uint64_t moved = 0;
    if (!done.moved_to.empty()) {
        moved = done.bytes_out;
        moved_bytes_metric_.add(static_cast<double>(moved));
        barrier_.took(done.moved_to.str(), done.boot_id);
    }
    machine_.settle(completion.ticket, done.skipped ? Settled::skipped : Settled::done, done.bytes_in, done.bytes_out, moved, now,
                    done.moved_to.str(), done.boot_id);
}

// ---- survey, feed, checkpoint

Task<void> SliceRunner::run_survey() {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    while (machine_.wants_survey() && !stopping_) {
        const std::string after = machine_.survey().after;
        auto survey = [this, after] { return selection_.survey(after); };
        const Result<Survey> page = co_await environment_.blocking.run_task(std::move(survey));
        if (stopping_) break;
        if (!page) {
            if (page.error().code != Code::unavailable) {
                machine_.give_up(page.error().context);
                break;
            }
            co_await sleep_for(kSurveyPause);  // the bucket is not here at the moment, or does not answer
            if (!buckets_ready()) break;
            continue;
        }
        machine_.surveyed(*page);
        kick();
    }
    surveying_ = false;
    kick();
}

Task<void> SliceRunner::run_feed() {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    while (!stopping_ && !barrier_.must_rewind()) {
        const auto request = machine_.next_feed(steady_now());
        if (!request) break;
        Result<Selection::Fed> fed = co_await selection_.feed(*request);
        if (stopping_) break;
        const Instant now = steady_now();
        if (!machine_.awaits(*request)) continue;
        if (fed) {
            machine_.fed(*request, std::move(fed->objects), fed->scanned_to, fed->at_end);
        } else if (machine_.may_start(now)) {
            machine_.feed_failed(fed.error(), now);
        }
        kick();
        co_await next_turn();  // the loop's other work
    }
    feeding_ = false;
    kick();
}

Task<void> SliceRunner::run_checkpoint(CheckpointWork work) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const Instant begun = steady_now();
    const OutputBarrier::ByTarget remote = barrier_.begin();
    const JobId job(order_.job);
    const bool writes = spec_.dry_run == wire::DryRun::no;
    Result<void> outcome = co_await confirm_remote(remote);
    std::uint64_t bytes = 0;
    if (outcome) {
        const state::SliceCheckpoint record = to_record(work.progress);
        const state::LedgerChanges changes = to_record(work.changes);
        // Contents in the database become durable with the record: they were written to the same log, before it.
        auto write = [this, writes, &job, &record, &changes]() -> Result<std::uint64_t> {
            if (writes) MILLRACE_TRY(environment_.store.sync_files());
            return environment_.slices.put_checkpoint(job, record, changes);
        };
        const Result<std::uint64_t> written = co_await environment_.blocking.run(std::move(write));
        if (written) {
            bytes = *written;
        } else {
            outcome = written.error();
        }
    }
    barrier_.end(outcome.has_value());
    if (outcome) {
        durable_ = std::move(work.progress);
        checkpoint_bytes_ = bytes;
    } else {
        log::warn("checkpoint failed", {{"job", job}, {"error", outcome.error()}});
    }
    checkpoint_seconds_metric_.observe(std::chrono::duration<double>(steady_now() - begun).count());
    machine_.end_checkpoint(outcome.has_value(), outcome ? "" : outcome.error().context, steady_now());
    kick();
}

Task<Result<void>> SliceRunner::confirm_remote(const OutputBarrier::ByTarget& outputs) {
    for (const auto& [target, boot_id] : outputs) {
        MILLRACE_CO_TRY_ASSIGN(const std::string synced, co_await environment_.syncs->sync(TargetId(target)));
        MILLRACE_CO_TRY(barrier_.answered(target, synced));
    }
    co_return Result<void>{};
}

// ---- reports and time

wire::SliceStatus SliceRunner::status() const {
    wire::SliceStatus status{.job = order_.job, .revision = order_.revision, .state = machine_.state(), .reason = machine_.reason()};
    status.counters = machine_.acknowledged();
    status.total_objects = machine_.survey().objects;
    status.total_bytes = machine_.survey().bytes;
    status.total_unmapped = machine_.survey().unmapped;
    status.total_known = machine_.survey().done;
    status.in_flight = static_cast<std::uint32_t>(machine_.in_flight() - std::min(machine_.in_flight(), queue_->waiting()));
    status.checkpoint_bytes = checkpoint_bytes_;
    status.failures_forgiven = machine_.failures_forgiven();
    status.outputs_lost = outputs_lost_;
    return status;
}

void SliceRunner::report() {
    if (const auto due = reporter_.due(status(), steady_now())) environment_.report(*due);
}

void SliceRunner::arm_timer() {
    wake_at_ = std::min(machine_.next_wakeup(), reporter_.next_wakeup());
    // An instance that comes back tells nobody.
    const Desired desired = desired_of(order_);
    if (waits_for_transform_ && (desired == Desired::run || desired == Desired::prepare)) wake_at_ = std::min(wake_at_, steady_now() + kTransformPoll);
    if (wake_at_ < timer_waits_until_) timer_changed_.set();  // one that wakes too early costs less than to set it each time
    if (!timer_runs_ && !stopping_) {
        timer_runs_ = true;
        tasks_.spawn(run_timer());
    }
}

Task<void> SliceRunner::run_timer() {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    while (!stopping_) {
        timer_changed_.clear();
        timer_waits_until_ = std::min(wake_at_, steady_now() + std::chrono::hours(1));
        const bool changed = co_await timer_changed_.wait_until(timer_waits_until_);
        if (!changed && !stopping_) {
            // Never faster than this, whatever is overdue: something else will kick when it can go on.
            co_await sleep_for(milliseconds(2));
            kick();
        }
    }
    timer_runs_ = false;
}

void SliceRunner::begin_stop() {
    stopping_ = true;
    take_back();
    end_attempts();
    timer_changed_.set();
}

Task<void> SliceRunner::stop() {
    begin_stop();
    // What is cancelled ends soon; to go away before it has would take the store from under it.
    while (machine_.in_flight() > 0) {
        co_await sleep_for(milliseconds(5));
        collect();
    }
    // A checkpoint that asks a silent target gives up.
    while (tasks_.size() > 0) {
        tasks_.cancel();
        co_await sleep_for(milliseconds(5));
    }
}

}  // namespace millrace::worker
