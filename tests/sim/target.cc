#include "tests/sim/target.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <set>

#include "state/families.h"
#include "tests/sim/cluster.h"
#include "tests/sim/slow_buckets.h"

namespace millrace::sim {
namespace {

constexpr auto kLastWords = std::chrono::seconds(1);  // what a dead process may still have waiting when everything of it has ended
constexpr std::size_t kLanes = 2;

}  // namespace

struct Target::Process {
    Process(Target& target, std::uint64_t boot)
        : kv(target.disk.folder, target.disk.faults, target.cluster_.world.random(),
             [&target](const state::Batch& batch, bool sync) { target.saw_write(batch, sync); }),
          slice_store(kv), objects(target.disk, kv, target.cluster_.world.random(), target.cluster_.settings.feed_fails_permille),
          buckets(objects, target.cluster_.world.random(), target.cluster_.settings.list_late_permille),
          control(target.cluster_.world.executor()), blocking([&target] { return target.cluster_.blocking_time(); }),
          lanes(target.cluster_.world.executor(), kLanes), instance(target.cluster_.world, [this] {
              control.post([this] {
                  if (core) core->transforms_changed();
              });
          }),
          attempts(target, boot) {}

    FolderKv kv;
    state::SliceStore slice_store;
    std::unique_ptr<worker::TargetState> state;
    Objects objects;
    SlowBuckets buckets;
    TargetConfig config;
    Loop control;
    BlockingPool blocking;
    worker::Lanes lanes;
    Instance instance;
    Attempts attempts;
    std::string route;
    std::unique_ptr<worker::TargetCore> core;
    bool is_stopping = false;      // in order
    std::optional<Instant> ended;  // after its death
};

Target::Target(Cluster& cluster, std::string id) : cluster_(cluster), id_(std::move(id)) {}
Target::~Target() = default;

// ---- life and death

void Target::start() {
    if (is_up() || cluster_.is_closing) return;
    ++boot_;
    cluster_.world.trace(id_ + " starts, boot " + std::to_string(boot_));
    fuse_.put_out();
    if (open_process()) return;
    cluster_.world.trace(id_ + " cannot start");
    kill(false);
    cluster_.world.after(milliseconds(500), [this] { start(); });
}

bool Target::open_process() {
    process_ = std::make_unique<Process>(*this, boot_);
    Process& process = *process_;
    process.route = wire::route_of(id_, boot_id());
    process.config = cluster_.settings.target;
    process.config.proxy = "tcp://proxy:1";
    auto state = worker::TargetState::open(process.kv, id_);
    if (!state || !is_up()) return false;
    process.state = std::make_unique<worker::TargetState>(std::move(*state));
    const auto connect = [this, &process](const std::string&, const std::string& route, wire::LinkToProxy::Receive receive) {
        const auto sends = [this, &process](const wire::Message& message) {
            if (process_.get() != &process) return;
            if (const auto* status = std::get_if<wire::SliceStatus>(&message)) saw_status(*status);
            effect();
        };
        return Result<std::unique_ptr<wire::LinkToProxy>>(cluster_.network.connect(route, std::move(receive), sends));
    };
    const bool keeps_port = cluster_.world.random().chance(700);
    const std::string endpoint = "http://" + id_ + (keeps_port ? "" : ":" + std::to_string(boot_));
    const auto sync = [this](TargetId to) { return ask_to_sync(to.str()); };
    process.core = std::make_unique<worker::TargetCore>(worker::TargetEnvironment{
        process.control, process.lanes, process.blocking, process.objects, process.buckets, process.slice_store, *process.state,
        process.attempts, process.instance, process.config, boot_id(), endpoint, sync, connect, [](const std::string&) {}});
    if (!enabled_) process.instance.enable(false);
    return process.core->start().has_value() && is_up();
}

void Target::kill(bool power_cut) {
    if (!is_up()) return;
    cluster_.world.trace(id_ + (power_cut ? " loses power" : " is killed"));
    Process& process = *dying_.emplace_back(std::move(process_));
    process.kv.die();
    process.objects.die();
    cluster_.network.cut(process.route);
    made_.clear();
    if (power_cut) lose_power();
    const auto end = [](Process& dying) -> Task<void> {
        if (dying.core) co_await dying.core->stop();
        dying.ended = steady_now();
    };
    if (process.is_stopping) return;
    // It may have died of something that it is just doing.
    boost::asio::post(cluster_.world.executor(), [this, &process, end] {
        boost::asio::co_spawn(cluster_.world.executor(), end(process), boost::asio::detached);
    });
}

void Target::lose_power() {
    const std::map<std::string, SliceDisk> before = disk.slices;
    disk.lose_power(cluster_.world.random());
    for (const auto& [job, slice] : before) {
        if (!disk.slices.contains(job)) cluster_.truth.forgotten(job, id_);  // its order had not been durable
    }
}

bool Target::must_restart() const { return is_up() && process_->kv.is_broken(); }

bool Target::bury_the_dead() {
    std::erase_if(dying_, [](const auto& process) { return process->ended && steady_now() - *process->ended > kLastWords; });
    return dying_.empty();
}

void Target::effect() {
    if (fuse_.burns_down()) kill(fuse_.with_power_cut());
}

void Target::take_snapshot() {
    cluster_.world.trace("the folder of " + id_ + " is copied with " + std::to_string(disk.folder.changes) + " changes");
    snapshot_ = disk;
}

void Target::restore(bool empty) {
    if (is_up() || (!empty && !snapshot_)) return;
    cluster_.world.trace(id_ + (empty ? " gets an empty folder" : " gets an older copy of its folder"));
    if (!empty) {
        disk = *snapshot_;
    } else {
        disk = {};
        disk.name_store("store-" + std::to_string(++stores_));
    }
    cluster_.network.lose_what_is_under_way(id_);
    cluster_.truth.kept(id_, disk);
}

void Target::shut_down() {
    if (!is_up()) return;
    cluster_.world.trace(id_ + " is shut down");
    Process& process = *process_;
    if (std::exchange(process.is_stopping, true)) return;
    process.core->begin_stop();
    auto stop = [](Target& self, Process& stopping) -> Task<void> {
        co_await stopping.core->stop();
        stopping.ended = steady_now();
        if (self.process_.get() == &stopping) self.kill(false);
    };
    boost::asio::co_spawn(cluster_.world.executor(), stop(*this, process), boost::asio::detached);
}

// ---- the transform

void Target::enable_transform(bool enabled) {
    if (enabled == enabled_) return;
    enabled_ = enabled;
    cluster_.world.trace(id_ + (enabled ? " enables" : " disables") + " its transform");
    if (is_up()) process_->instance.enable(enabled);
}

void Target::crash_instance() {
    if (is_up()) process_->instance.crash();
}

Instance& Target::instance() { return process_->instance; }

// ---- the data plane

Result<std::string> Target::take_output(const PutRequest& put) {
    if (!is_up() || !process_->core) return fail(Code::unavailable, "target " + id_ + " does not answer");
    MILLRACE_TRY(process_->core->cluster().may_take_outputs());
    MILLRACE_TRY_ASSIGN(const worker::Fences::Pass pass, process_->core->fences().admit(JobId(put.job), TargetId(put.slice), put.fence));
    return publish(put, pass);
}

Result<std::string> Target::publish(const PutRequest& put, const store::ChangeGuard& guard) {
    MILLRACE_TRY(process_->objects.publish({put.bucket, put.bucket_uid}, put.name, put.output, guard));
    cluster_.look([&] {
        cluster_.truth.made_visible(put.job, put.slice, id_, put.fence, put.slice == id_ ? current_fence(put.job) : 0);
        cluster_.truth.check_put(put);
    });
    return boot_id();
}

Result<std::string> Target::sync() {
    if (!is_up()) return fail(Code::unavailable, "target " + id_ + " does not answer");
    MILLRACE_TRY(process_->objects.sync());
    return boot_id();
}

Task<Result<std::string>> Target::ask_to_sync(std::string to) {
    co_await sleep_for(cluster_.world.random().between_ms(0, 30));
    Result<std::string> answer = fail(Code::unavailable, "target " + to + " does not answer");
    if (cluster_.network.reaches(id_, to)) answer = cluster_.target(to).sync();
    co_await sleep_for(cluster_.world.random().between_ms(0, 5));
    co_return answer;
}

std::uint64_t Target::current_fence(const std::string& job) const {
    const auto slice = disk.slices.find(job);
    return slice == disk.slices.end() ? UINT64_MAX : worker::make_fence(slice->second.epoch, slice->second.incarnation);
}

void Target::made(const std::string& job, const std::string& name, const DoneAs& as) {
    const auto [known, is_new] = made_[job].try_emplace(name, as);
    if (!is_new && known->second.bucket_uid != as.bucket_uid) known->second = as;
}

// ---- what it writes down and says

void Target::saw_write(const state::Batch& batch, bool sync) {
    std::map<std::string, bool> orders;  // by job: whether it was not known before
    std::set<std::string> checkpoints;
    for (const state::Batch::Operation row : batch) {
        const bool is_new = disk.saw(row);
        if (row.family != state::target_family::slices) continue;
        if (row.first.starts_with("order/")) orders.emplace(row.first.substr(6), is_new);
        if (row.first.starts_with("checkpoint/") && row.kind == state::Batch::Kind::put) checkpoints.emplace(row.first.substr(11));
    }
    for (const std::string& job : checkpoints) saw_checkpoint(job);
    effect();  // it may die of it, and what it wrote may be lost
    if (sync && is_up()) disk.sync_removals();
    for (const auto& [job, is_new] : orders) saw_order(job, is_new);
    for (const std::string& job : checkpoints) {
        if (disk.slices.contains(job)) cluster_.check_slice(id_, job);
    }
}

void Target::saw_order(const std::string& job, bool is_new) {
    const auto slice = disk.slices.find(job);
    if (slice == disk.slices.end() && is_new) return;
    if (slice == disk.slices.end()) {
        cluster_.world.trace(id_ + " forgets " + job);
        cluster_.truth.stopped(job, id_, UINT64_MAX);
        cluster_.truth.forgotten(job, id_);
        made_.erase(job);
        return;
    }
    SliceDisk& order = slice->second;
    cluster_.world.trace(id_ + " adopts " + job + " revision " + std::to_string(order.revision) + " desired " +
                         std::to_string(static_cast<int>(order.desired)) + " pass " + std::to_string(order.pass) + " incarnation " +
                         std::to_string(order.incarnation));
    if (order.desired == wire::Desired::stop) cluster_.truth.stopped(job, id_, worker::make_fence(order.epoch + 1, 0));
    if (is_new) cluster_.selected(id_, job);
}

void Target::saw_checkpoint(const std::string& job) {
    const SliceDisk& slice = disk.slices.at(job);
    std::erase_if(made_[job], [&](const auto& item) {
        const auto& [name, as] = item;
        if (!is_settled(*slice.checkpoint, name) || slice.ledger.contains(name)) return false;
        cluster_.truth.done(job, name, as);
        return true;
    });
}

// Progress is told after it is durable.
void Target::saw_status(const wire::SliceStatus& status) const {
    const auto slice = disk.slices.find(status.job);
    if (slice == disk.slices.end()) return;
    const SliceCounters durable = slice->second.checkpoint ? slice->second.checkpoint->counters : SliceCounters{};
    if (status.counters.done > durable.done || status.counters.settled() > durable.settled()) {
        cluster_.world.broke(status.job + " on " + id_ + ": tells of progress that is not durable");
    }
}

}  // namespace millrace::sim
