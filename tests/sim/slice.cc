#include "tests/sim/slice.h"

#include <algorithm>

#include "core/placement.h"
#include "core/rename.h"
#include "tests/sim/cluster.h"

namespace millrace::sim {
namespace {

using worker::Blame;
using worker::Progress;
using worker::Settled;

worker::Desired to_worker(wire::Desired desired) {
    switch (desired) {
        case wire::Desired::prepare: return worker::Desired::prepare;
        case wire::Desired::run: return worker::Desired::run;
        case wire::Desired::pause: return worker::Desired::pause;
        default: return worker::Desired::stop;
    }
}

wire::SliceState to_wire(worker::SliceState state) { return static_cast<wire::SliceState>(static_cast<int>(state) + 1); }

wire::Counters to_wire(const worker::SliceCounters& from) {
    return {from.done, from.skipped, from.failed, from.quarantined, from.attempts, from.bytes_in, from.bytes_out, from.bytes_moved};
}

worker::SliceOptions options_for(const Settings& settings, const wire::JobSpec& spec) {
    worker::SliceOptions options = settings.slice;
    options.attempts_max = spec.attempts;
    options.listed = spec.has_list;
    options.survey_before_run = RenameRule{spec.ext, spec.prepend}.can_collide();
    options.survey_durable_before_run = spec.operation == wire::Operation::remove;
    options.plan_only = spec.dry_run == wire::DryRun::plan;
    if (spec.on_error == wire::OnError::abort_after_count) options.failures_max = spec.on_error_limit;
    return options;
}

}  // namespace

Slice::Slice(Target& target, std::string job, SliceDisk& disk, std::uint64_t id)
    : target_(target), job_(std::move(job)), disk_(disk), id_(id),
      machine_(options_for(target.cluster().settings, disk.spec), disk.checkpoint.value_or(Progress{})), reporter_(job_, disk.incarnation) {}

// ---- what others tell it

void Slice::order(bool fresh) {
    const bool goes_on = disk_.epoch == epoch_ && disk_.desired == wire::Desired::run;
    epoch_ = disk_.epoch;
    if (!goes_on) end_attempts();
    machine_.order(to_worker(disk_.desired), disk_.pass, fresh);
    transform_changed();
}

void Slice::transform_changed() {
    const bool ready = target_.has_joined() && pins_hold() && (disk_.spec.transforms().empty() || target_.transform_takes_objects());
    machine_.transform_ready(ready, ready ? "" : "the transform does not run");
    pump();
}

void Slice::instance_gone(std::uint64_t ticket, const Error& error) {
    failed(ticket, Blame::transform, error);
    pump();
}

void Slice::acknowledged(const wire::StatusAck& ack) {
    reporter_.acknowledged(ack);
    pump();
}

void Slice::start_over() {
    reporter_.start_over();
    pump();
}

bool Slice::is_on(std::uint64_t ticket, std::uint64_t number) const {
    const auto found = attempts_.find(ticket);
    return found != attempts_.end() && found->second.number == number;
}

void Slice::later(Duration delay, std::uint64_t ticket, void (Slice::*step)(std::uint64_t ticket)) {
    target_.later(delay, job_, [ticket, step, number = attempts_.at(ticket).number](Slice& self) {
        if (self.is_on(ticket, number)) (self.*step)(ticket);
        self.pump();
    });
}

void Slice::end_attempts() {
    for (const auto& [ticket, attempt] : attempts_) later(target_.cluster().world.random().between_ms(0, 100), ticket, &Slice::interrupt);
}

void Slice::interrupt(std::uint64_t ticket) {
    target_.leave_instance(job_, ticket);
    attempts_.erase(ticket);
    machine_.not_started(ticket);
}

void Slice::later(Duration delay, std::function<void()> action) {
    target_.later(delay, job_, [action = std::move(action)](Slice& self) {
        action();
        self.pump();
    });
}

// ---- what it does

void Slice::pump() {
    const Instant now = target_.cluster().world.now();
    if (rewind_ && machine_.in_flight() == 0 && !machine_.checkpointing()) {
        target_.cluster().world.trace(target_.id() + " rewinds " + job_);
        machine_.rewind(disk_.checkpoint.value_or(Progress{}));
        done_.clear();
        touched_.clear();
        rewind_ = false;
    }
    if (!rewind_) {
        if (machine_.wants_survey() && !surveying_) {
            surveying_ = true;
            later(target_.cluster().world.random().between_ms(0, 20), [this] { survey_page(); });
        }
        feed();
        for (const worker::Dispatch& dispatch : machine_.dispatch(now)) start(dispatch);
        if (machine_.checkpoint_due(now)) begin_checkpoint();
    }
    report();
    check();
    wake();
}

bool Slice::pins_hold() const {
    const Disk& disk = target_.disk;
    const wire::Pins& pins = disk_.pins;
    if (disk.uid_of(disk_.spec.source) != pins.source_uid) return false;
    if (!pins.destination_uid.empty() && disk.uid_of(disk_.spec.destination) != pins.destination_uid) return false;
    return std::ranges::all_of(pins.transforms, [&](const auto& pinned) { return disk.digest_of(pinned.name) == pinned.digest; });
}

bool Slice::selects(const std::string& name) const {
    const auto source = target_.disk.sources.find(name);
    return source != target_.disk.sources.end() && source->second.created_seq < disk_.created_seq_end && name.starts_with(disk_.spec.prefix);
}

Slice::Page Slice::scan(const std::string& after, const std::string& up_to, std::size_t entries_max) const {
    Page page{.names = {}, .last = after};
    const auto beyond = [&](const std::string& name) { return !up_to.empty() && name > up_to; };
    std::size_t entries = 0;
    if (disk_.spec.has_list) {
        auto name = std::ranges::upper_bound(disk_.spec.objects, after);
        for (; name != disk_.spec.objects.end() && !beyond(*name) && entries < entries_max; ++name, ++entries) {
            page.names.push_back(*name);
            page.last = *name;
        }
        page.at_end = name == disk_.spec.objects.end() || beyond(*name);
        return page;
    }
    const auto& sources = target_.disk.sources;
    auto source = sources.upper_bound(after);
    for (; source != sources.end() && !beyond(source->first) && entries < entries_max; ++source, ++entries) {
        if (selects(source->first)) page.names.push_back(source->first);
        page.last = source->first;
    }
    page.at_end = source == sources.end() || beyond(source->first);
    return page;
}

void Slice::survey_page() {
    surveying_ = false;
    if (!machine_.wants_survey()) return;
    const Page page = scan(machine_.survey().after, "", target_.cluster().world.random().between(1, 60));
    const RenameRule rename{disk_.spec.ext, disk_.spec.prepend};
    std::uint64_t bytes = 0;
    for (const std::string& name : page.names) {
        const auto source = target_.disk.sources.find(name);
        if (source != target_.disk.sources.end()) bytes += source->second.bytes;
        for (const std::string& rival : rename.rivals(name)) {
            const bool is_rival = disk_.spec.has_list ? std::ranges::binary_search(disk_.spec.objects, rival) : selects(rival);
            if (is_rival) return machine_.give_up(name + " and " + rival + " would get the same name");
        }
    }
    machine_.surveyed(page.names.size(), bytes, page.last, page.at_end);
}

void Slice::feed() {
    Cluster& cluster = target_.cluster();
    while (const auto request = machine_.next_feed(cluster.world.now())) {
        if (cluster.world.random().chance(cluster.settings.feed_fails_permille)) {
            return machine_.feed_failed(fail(Code::io, "the index cannot be read"), cluster.world.now());
        }
        std::vector<worker::FedObject> objects;
        if (request->phase == worker::Phase::main) {
            const Page page = scan(request->after, request->up_to, request->names_max);
            for (const std::string& name : page.names) objects.push_back({name, false});
            machine_.fed(*request, std::move(objects), page.last, page.at_end);
            continue;
        }
        std::string last = request->after;
        auto row = disk_.ledger.upper_bound(request->after);
        for (; row != disk_.ledger.end() && objects.size() < request->names_max; ++row) {
            if (row->second.pass < request->pass_below) objects.push_back({row->first, row->second.quarantined, row->second.error.code == Code::no_space});
            last = row->first;
        }
        machine_.fed(*request, std::move(objects), last, row == disk_.ledger.end());
    }
}

// ---- one attempt: read, transform, put

void Slice::start(const worker::Dispatch& dispatch) {
    if (!Truth::may_run(disk_, dispatch.name)) throw Broken(job_ + " on " + target_.id() + ": runs " + dispatch.name + " again, which is settled");
    attempts_[dispatch.ticket] = {dispatch.name, dispatch.isolated, make_fence(disk_.epoch, disk_.incarnation), ++attempts_begun_,
                                  0, 0, disk_.pins, disk_.epoch};
    const bool removes = disk_.spec.operation == wire::Operation::remove;
    later(target_.cluster().world.random().between_ms(0, 3), dispatch.ticket, removes ? &Slice::remove : &Slice::read);
}

void Slice::remove(std::uint64_t ticket) {
    Cluster& cluster = target_.cluster();
    if (cluster.world.random().chance(cluster.settings.read_fails_permille)) {
        cluster.truth.behaviour(attempts_.at(ticket).name).nature = Nature::transient;  // it may fail for good now
        return failed(ticket, Blame::sink, fail(Code::io, "the disk has a bad day"));
    }
    const Attempt attempt = attempts_.at(ticket);
    if (!target_.disk.welcomes(job_, target_.id(), attempt.fence)) {
        return failed(ticket, Blame::sink, fail(Code::stale_epoch, "this removal is of a run that was stopped or started again"));
    }
    cluster.truth.made_visible(job_, target_.id(), target_.id(), attempt.fence, target_.current_fence(job_));
    attempts_.erase(ticket);
    const bool removed = cluster.remove_source(attempt.name, disk_.created_seq_end);
    if (removed) {
        touched(target_.id(), target_.boot());
        cluster.truth.removed_by(job_, target_.id(), attempt.name);
    }
    machine_.settle(ticket, removed ? Settled::done : Settled::skipped, 0, 0, 0, cluster.world.now());
}

void Slice::read(std::uint64_t ticket) {
    Cluster& cluster = target_.cluster();
    Attempt& attempt = attempts_.at(ticket);
    const auto source = target_.disk.sources.find(attempt.name);
    if (source == target_.disk.sources.end()) return failed(ticket, Blame::source, fail(Code::not_found, "the object is gone"));
    if (source->second.created_seq >= disk_.created_seq_end) {
        return failed(ticket, Blame::source, fail(Code::not_found, "the object is a new one"));
    }
    if (cluster.world.random().chance(cluster.settings.read_fails_permille)) {
        cluster.truth.behaviour(attempt.name).nature = Nature::transient;  // it may fail for good now
        return failed(ticket, Blame::source, fail(Code::io, "the disk has a bad day"));
    }
    attempt.version = source->second.version;
    attempt.bytes = source->second.bytes;
    disk_.spec.transforms().empty() ? put(ticket) : transform(ticket);
}

void Slice::transform(std::uint64_t ticket) {
    Attempt& attempt = attempts_.at(ticket);
    const wire::PinnedTransform& pinned = attempt.pins.transforms.front();
    attempt.digest = target_.disk.digest_of(pinned.name);
    if (attempt.digest != pinned.digest) return failed(ticket, Blame::transform, fail(Code::unavailable, "another transform has the name"));
    if (!target_.transform_takes_objects()) return failed(ticket, Blame::transform, fail(Code::unavailable, "the transform does not run"));
    if (!attempt.isolated) target_.enter_instance(job_, ticket);
    Cluster& cluster = target_.cluster();
    later(cluster.world.random().between_ms(1, cluster.settings.transform_ms_max), ticket, &Slice::transform_ended);
}

void Slice::transform_ended(std::uint64_t ticket) {
    const Attempt& attempt = attempts_.at(ticket);
    Behaviour& behaviour = target_.cluster().truth.behaviour(attempt.name);
    if (behaviour.nature == Nature::killer) {
        if (!attempt.isolated) return target_.crash_instance();
        return failed(ticket, Blame::transform, fail(Code::crashed, "the transform died"));
    }
    target_.leave_instance(job_, ticket);
    if (behaviour.nature == Nature::rejected) return failed(ticket, Blame::transform, fail(Code::rejected, "the transform does not want it"));
    if (behaviour.transient_failures_left > 0) {
        --behaviour.transient_failures_left;
        return failed(ticket, Blame::transform, fail(Code::transient, "the transform had a hiccup"));
    }
    put(ticket);
}

void Slice::put(std::uint64_t ticket) {
    const Attempt& attempt = attempts_.at(ticket);
    const std::string name = RenameRule{disk_.spec.ext, disk_.spec.prepend}.apply(attempt.name);
    const std::string to = owner_of(name, target_.cluster().target_ids()).str();
    const std::string sink = to == target_.id() ? "" : to;
    if (disk_.spec.operation == wire::Operation::transform && target_.cluster().truth.behaviour(attempt.name).nature == Nature::never_fits) {
        return fills_the_disk(ticket, sink);
    }
    Output output{transformed(attempt.name, attempt.version), attempt.version, job_, target_.id(), attempt.epoch, attempt.digest};
    Put put{disk_.spec.destination, attempt.pins.destination_uid, name, std::move(output), attempt.fence};
    target_.put(to, std::move(put), [ticket, to, sink, number = attempt.number](Slice& self, const Result<std::uint64_t>& boot) {
        if (!self.is_on(ticket, number)) return;  // it was interrupted: whether its output is there is not known
        if (!boot) {
            self.failed(ticket, Blame::sink, boot.error(), sink);
        } else if (self.attempts_.at(ticket).pins != self.disk_.pins) {
            self.failed(ticket, Blame::sink, fail(Code::unavailable, "it was made with what the job was about before"));
        } else {
            const Attempt attempt_done = self.attempts_.at(ticket);
            self.attempts_.erase(ticket);
            self.touched(to, *boot);
            self.done_[attempt_done.name] = {attempt_done.version, attempt_done.pins.destination_uid};
            self.machine_.settle(ticket, Settled::done, attempt_done.bytes, attempt_done.bytes, to == self.target_.id() ? 0 : attempt_done.bytes,
                                 self.target_.cluster().world.now(), sink, std::to_string(*boot));
        }
        self.pump();
    });
}

void Slice::touched(const std::string& target, std::uint64_t boot) {
    if (!touched_.took(target, std::to_string(boot))) rewind_ = true;
}

// A result beside others finds the disk full; one that had all of it to itself is told so, where there is nobody to compare it with.
void Slice::fills_the_disk(std::uint64_t ticket, const std::string& sink) {
    const bool had_all = target_.cluster().world.random().chance(100);
    const Code code = had_all ? Code::too_large : Code::no_space;
    failed(ticket, Blame::sink, fail(code, "the result does not fit"), sink);
}

void Slice::failed(std::uint64_t ticket, Blame blame, Error error, const std::string& sink) {
    attempts_.erase(ticket);
    machine_.attempt_failed(ticket, {blame, std::move(error), "", sink}, target_.cluster().world.now());
}

// ---- the checkpoint: sync everywhere, then write

void Slice::begin_checkpoint() {
    barrier_ = std::make_unique<Barrier>(Barrier{machine_.begin_checkpoint(), touched_.begin_barrier(), std::exchange(done_, {})});
    barrier_->waits_for = barrier_->touched.size() + 1;
    const worker::RemoteOutputs::ByTarget touched = barrier_->touched;
    for (const auto& [to, boot] : touched) {
        target_.sync(to, job_, [to](Slice& self, const Result<std::uint64_t>& answered) {
            self.synced(to, answered);
            self.pump();
        });
    }
    later(milliseconds(1), [this] {
        if (--barrier_->waits_for == 0) write_checkpoint();
    });
}

void Slice::synced(const std::string& to, const Result<std::uint64_t>& boot) {
    if (!boot) {
        barrier_->failed = true;
    } else if (std::to_string(*boot) != barrier_->touched.at(to)) {
        barrier_->lost = true;
    }
    if (--barrier_->waits_for == 0) write_checkpoint();
}

void Slice::write_checkpoint() {
    World& world = target_.cluster().world;
    if (barrier_->lost) return end_checkpoint(false, "a target lost outputs");
    if (barrier_->failed) return end_checkpoint(false, "a target cannot confirm its outputs");
    if (auto written = target_.disk.write_checkpoint(disk_, barrier_->work); !written) return end_checkpoint(false, written.error().context);
    world.detail([&] {
        const Progress& progress = *disk_.checkpoint;
        std::string ahead;
        for (const std::string& name : progress.settled_ahead) ahead += " " + name;
        return target_.id() + " checkpoint of " + job_ + ": phase " + std::to_string(static_cast<int>(progress.phase)) + ", done " +
               std::to_string(progress.counters.done) + ", settled " + std::to_string(progress.counters.settled()) + ", watermark '" +
               progress.watermark + "', ahead" + ahead;
    });
    for (const auto& [name, as] : barrier_->done) target_.cluster().truth.done(job_, name, as);
    target_.cluster().truth.check_slice(job_, target_.id(), target_.cluster().disks(), target_.cluster().settings.slice.window_objects_max);
    later(world.random().between_ms(0, 3), [this] { end_checkpoint(true, ""); });
}

void Slice::end_checkpoint(bool durable, const std::string& reason) {
    const std::unique_ptr<Barrier> barrier = std::move(barrier_);
    touched_.end_barrier(durable);
    if (!durable) {
        done_.insert(barrier->done.begin(), barrier->done.end());
        if (barrier->lost) rewind_ = true;
    }
    machine_.end_checkpoint(durable, reason, target_.cluster().world.now());
}

// ---- reports

void Slice::report() {
    wire::SliceStatus status{.job = job_, .revision = disk_.revision, .state = to_wire(machine_.state()), .reason = machine_.reason(),
                             .counters = to_wire(machine_.acknowledged()), .total_objects = machine_.survey().objects,
                             .total_bytes = machine_.survey().bytes, .total_known = machine_.survey().done,
                             .in_flight = static_cast<std::uint32_t>(machine_.in_flight()), .failures_forgiven = machine_.failures_forgiven()};
    auto due = reporter_.due(status, target_.cluster().world.now());
    if (!due) return;
    due->age = target_.disk.age;
    target_.send(std::move(*due));
}

void Slice::check() const {
    const worker::SliceOptions& options = target_.cluster().settings.slice;
    const std::string where = job_ + " on " + target_.id() + ": ";
    if (machine_.window_size() > options.window_objects_max) throw Broken(where + "the window is too large");
    if (machine_.in_flight() > options.workers_max + 1) throw Broken(where + "too many objects at once");
    if (machine_.in_flight() != attempts_.size()) throw Broken(where + "an attempt was lost");
    const worker::SliceCounters durable = disk_.checkpoint ? disk_.checkpoint->counters : worker::SliceCounters{};
    if (!barrier_ && to_wire(durable) != to_wire(machine_.acknowledged())) throw Broken(where + "acknowledged is not what is durable");
}

void Slice::wake() {
    World& world = target_.cluster().world;
    const Instant machine_next = rewind_ ? Instant::max() : machine_.next_wakeup();
    const Instant next = std::min(machine_next, reporter_.next_wakeup());
    if (next <= world.now()) throw Broken(job_ + " on " + target_.id() + ": wants to be woken in the past");
    if (next >= wake_at_ || next == Instant::max()) return;
    wake_at_ = next;
    target_.later(next - world.now(), job_, [next](Slice& self) {
        if (self.wake_at_ != next) return;  // an earlier one took its place
        self.wake_at_ = Instant::max();
        self.pump();
    });
}

}  // namespace millrace::sim
