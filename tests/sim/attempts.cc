#include "tests/sim/attempts.h"

#include <boost/asio/this_coro.hpp>

#include "tests/sim/cluster.h"

namespace millrace::sim {
namespace {

std::unexpected<Failure> failed(Blame blame, Error error, std::string sink = "") {
    return std::unexpected(Failure{blame, std::move(error), "", std::move(sink)});
}

std::unexpected<Failure> interrupted() { return failed(Blame::sink, fail(Code::cancelled, "the attempt was given up")); }

struct Running {
    explicit Running(std::uint32_t& counter) : count(counter) { ++count; }
    ~Running() { --count; }
    Running(const Running&) = delete;
    std::uint32_t& count;
};

// What is on its way to whoever publishes it. Lands although its sender has given up, or died.
struct Flight {
    explicit Flight(const Executor& executor) : landed(executor) {}
    Event landed;
    std::optional<Result<std::string>> boot_id;
};

}  // namespace

bool Attempts::is_over(const worker::SliceContext& slice) const { return *slice.over || !target_.is_up(boot_); }

Task<Attempts::Outcome> Attempts::run(const worker::SliceContext& slice, worker::Lane& lane, std::string name, bool isolated) const {
    Cluster& cluster = target_.cluster();
    World& world = cluster.world;
    const Running running(running_[slice.job.str()]);
    if (running.count > slice.spec.num_workers + 1) world.broke(slice.job.str() + " on " + target_.id() + ": too many objects at once");
    if (target_.is_up(boot_) && !Truth::may_run(target_.disk.slices.at(slice.job.str()), name)) {
        world.broke(slice.job.str() + " on " + target_.id() + ": runs " + name + " again, which is settled");
    }
    co_await sleep_for(world.random().between_ms(0, 3));
    if (is_over(slice)) co_return interrupted();
    if (world.random().chance(cluster.settings.read_fails_permille)) {
        cluster.truth.behaviour(name).nature = Nature::transient;  // it may fail for good now
        co_return failed(Blame::source, fail(Code::io, "the disk has a bad day"));
    }
    if (slice.spec.operation == wire::Operation::remove) co_return co_await remove(slice, name);
    const Result<store::ObjectInfo> info = co_await slice.source->stat(name);
    if (!info) co_return failed(info.error().code == Code::unavailable ? Blame::sink : Blame::source, info.error());
    if (info->created_seq >= slice.created_seq_end) co_return failed(Blame::source, fail(Code::not_found, "the object is a new one"));
    const Executor& executor = lane.loop.executor();
    if (!slice.chain.empty()) {
        Outcome transformed = co_await transform(slice, name, isolated, executor);
        if (!transformed) co_return transformed;
    }
    co_return co_await put(slice, name, *info, executor);
}

Task<Attempts::Outcome> Attempts::remove(const worker::SliceContext& slice, const std::string& name) const {
    Cluster& cluster = target_.cluster();
    const auto removed = co_await slice.sink->erase(name, slice.created_seq_end, slice.guard.get());
    if (!removed && removed.error().code == Code::not_found) co_return worker::ExecutionResult{.skipped = true};
    if (!removed) co_return failed(Blame::sink, removed.error());
    const std::uint64_t current = target_.current_fence(slice.job.str());
    cluster.look([&] { cluster.truth.made_visible(slice.job.str(), target_.id(), target_.id(), slice.fence, current); });
    cluster.truth.removed(name);
    cluster.truth.removed_by(slice.job.str(), target_.id(), name);
    co_return worker::ExecutionResult{};
}

Task<Attempts::Outcome> Attempts::transform(const worker::SliceContext& slice, const std::string& name, bool isolated, const Executor& executor) const {
    Cluster& cluster = target_.cluster();
    const std::uint64_t digest = slice.pins.transforms.front().digest;
    if (const auto ready = target_.instance().ready(slice.chain.front(), digest); !ready) co_return failed(Blame::transform, ready.error());
    const std::shared_ptr<Instance::Place> place = target_.instance().enter(executor);
    const Instant ends = steady_now() + cluster.world.random().between_ms(1, cluster.settings.transform_ms_max);
    if (isolated) {
        co_await sleep_until(ends);
    } else {
        (void)co_await place->ended.wait_until(ends);
    }
    if (is_over(slice)) co_return interrupted();
    if (!isolated && place->why) co_return failed(Blame::transform, *place->why);
    Behaviour& behaviour = cluster.truth.behaviour(name);
    if (behaviour.nature == Nature::killer) {
        if (!isolated) target_.crash_instance();
        co_return failed(Blame::transform, fail(Code::crashed, "the transform died"));
    }
    if (behaviour.nature == Nature::rejected) co_return failed(Blame::transform, fail(Code::rejected, "the transform does not want it"));
    if (behaviour.transient_failures_left > 0) {
        --behaviour.transient_failures_left;
        co_return failed(Blame::transform, fail(Code::transient, "the transform had a hiccup"));
    }
    co_return worker::ExecutionResult{};
}

Task<Attempts::Outcome> Attempts::put(const worker::SliceContext& slice, const std::string& name, const store::ObjectInfo& info,
                                      const Executor& executor) const {
    Cluster& cluster = target_.cluster();
    Random& random = cluster.world.random();
    const std::string destination = slice.rename.apply(name);
    const Result<Placement> placement = slice.cluster.placement();
    if (!placement) co_return failed(Blame::sink, placement.error());
    const TargetId& owner = *placement->owner(destination);
    const bool is_here = owner.str() == target_.id();
    const std::string sink = is_here ? "" : owner.str();
    if (slice.spec.dry_run != wire::DryRun::no) co_return worker::ExecutionResult{.bytes_in = info.size, .bytes_out = info.size};
    if (!slice.chain.empty() && cluster.truth.behaviour(name).nature == Nature::never_fits) {
        // One that had all of it to itself is told so, where there is nobody to compare it with.
        const Code code = random.chance(100) ? Code::too_large : Code::no_space;
        co_return failed(Blame::sink, fail(code, "the result does not fit"), sink);
    }
    if (!is_here) {
        const Result<http::Endpoint> endpoint = slice.cluster.endpoint(owner);
        if (!endpoint) co_return failed(Blame::sink, endpoint.error(), sink);
    }

    PutRequest put{slice.job.str(), target_.id(), slice.fence, slice.spec.destination, slice.pins.destination_uid, destination, {}};
    const std::uint64_t digest = slice.chain.empty() ? 0 : target_.instance().digest();
    put.output = {transformed(name, info.version), info.version, put.job, put.slice, slice.epoch, digest};
    const milliseconds delay = random.chance(cluster.settings.put_late_permille) ? random.between_ms(0, 4000)
                                                                                 : random.between_ms(0, cluster.settings.put_ms_max);
    const auto flight = std::make_shared<Flight>(executor);
    cluster.world.after(delay, [&target = target_, &cluster, put, flight, boot = boot_, to = owner.str(), guard = slice.guard] {
        if (to == target.id()) {
            // What a process has in its hands ends with it.
            flight->boot_id = target.is_up(boot) ? target.publish(put, *guard) : fail(Code::io, "the process is dead");
        } else if (!cluster.network.reaches(target.id(), to)) {
            flight->boot_id = fail(Code::unavailable, "target " + to + " does not answer");
        } else {
            flight->boot_id = cluster.target(to).take_output(put);
        }
        flight->landed.set();
    });
    (void)co_await flight->landed.wait_until(steady_now() + std::chrono::seconds(30));
    if (is_over(slice) || !flight->boot_id) co_return interrupted();
    const Result<std::string>& boot_id = *flight->boot_id;
    if (!boot_id) co_return failed(Blame::sink, boot_id.error(), sink);
    target_.made(put.job, name, {info.version, put.bucket_uid});
    worker::ExecutionResult done{.bytes_in = info.size, .bytes_out = info.size};
    if (!is_here) {
        done.moved_to = owner;
        done.boot_id = *boot_id;
    }
    co_return done;
}

}  // namespace millrace::sim
