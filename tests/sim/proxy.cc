#include "tests/sim/proxy.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "state/families.h"
#include "state/local_metadata_store.h"
#include "state/record.h"
#include "tests/sim/cluster.h"

namespace millrace::sim {
namespace {

const std::string kProxy = "proxy";
constexpr std::size_t kPartBytesMax = 40;  // so that lists come in parts
constexpr auto kInitTime = std::chrono::seconds(20);

std::string program(std::uint64_t number) { return R"({"name": "transform", "cmd": "cat )" + std::to_string(number) + "\"}"; }

}  // namespace

struct Proxy::Process {
    Process(Proxy& proxy, Cluster& cluster)
        : kv(proxy.folder_, proxy.faults, cluster.world.random(), [&proxy](const state::Batch& batch, bool) { proxy.saw_write(batch); }),
          disk([&cluster] { return cluster.blocking_time(); }), metadata(kv, disk), control(cluster.world.executor()),
          aside([&cluster] { return cluster.blocking_time(); }), calls(cluster.world.executor()) {}

    FolderKv kv;
    BlockingPool disk;
    state::LocalMetadataStore metadata;
    ProxyConfig config;
    Loop control;
    BlockingPool aside;
    std::unique_ptr<scheduler::ProxyCore> core;
    TaskGroup calls;  // of users
    std::optional<Instant> ended;  // after its death
};

Proxy::Proxy(Cluster& cluster) : cluster_(cluster) {}
Proxy::~Proxy() = default;

// ---- life and death

void Proxy::start() {
    if (is_up() || cluster_.is_closing) return;
    cluster_.world.trace("proxy starts, boot " + std::to_string(++boot_));
    fuse_.put_out();
    seen_.clear();
    process_ = std::make_unique<Process>(*this, cluster_);
    process_->calls.spawn(begin(*process_));
}

Task<void> Proxy::begin(Process& process) {
    const bool begun = co_await open(process);
    if (begun || process_.get() != &process) co_return;
    cluster_.world.trace("proxy cannot start");
    kill();
    cluster_.world.after(milliseconds(500), [this] { start(); });
}

// Its death may come at any await.
Task<bool> Proxy::open(Process& process) {
    auto core = co_await scheduler::ProxyCore::open(process.control, process.aside, process.config, process.metadata, kPartBytesMax);
    if (!core || process_.get() != &process) co_return false;
    process.core = std::move(*core);
    const auto listen = [this, &process](wire::LinkToTargets::Receive receive) {
        const auto sends = [this, &process](const wire::Message& message) {
            if (process_.get() != &process) return;
            if (const auto* ack = std::get_if<wire::StatusAck>(&message)) check_progress(ack->job);
            effect();
        };
        return Result<std::unique_ptr<wire::LinkToTargets>>(cluster_.network.listen(std::move(receive), sends));
    };
    co_return process.core->control().start(1, listen).has_value() && process_.get() == &process;
}

void Proxy::kill(bool power_cut) {
    if (!is_up()) return;
    cluster_.world.trace(power_cut ? "proxy loses power" : "proxy is killed");
    Process& process = *dying_.emplace_back(std::move(process_));
    process.kv.die();
    cluster_.network.cut_proxy();
    if (power_cut) folder_.lose_power(cluster_.world.random());
    const auto end = [](Process& dying) -> Task<void> {
        if (dying.core) co_await dying.core->control().stop();
        dying.calls.cancel();
        co_await dying.calls.join();
        dying.ended = steady_now();
    };
    // It may have died of something that it is just doing.
    boost::asio::post(cluster_.world.executor(), [this, &process, end] {
        boost::asio::co_spawn(cluster_.world.executor(), end(process), boost::asio::detached);
    });
}

bool Proxy::must_restart() const { return is_up() && process_->kv.is_broken(); }

bool Proxy::bury_the_dead() {
    std::erase_if(dying_, [](const auto& process) { return process->ended && steady_now() > *process->ended; });
    return dying_.empty();
}

void Proxy::effect() {
    if (fuse_.burns_down()) kill(fuse_.with_power_cut());
}

void Proxy::restore() {
    if (is_up() || !snapshot_) return;
    cluster_.world.trace("proxy gets an older copy of its folder");
    folder_ = *snapshot_;
    cluster_.network.lose_what_is_under_way(kProxy);
    cluster_.truth.proxy_forgot();
}

scheduler::ProxyCore* Proxy::core() const { return is_up() ? process_->core.get() : nullptr; }

bool Proxy::has_problems() const {
    if (core() == nullptr) return true;
    return !core()->state().problems().empty() || members_online() < cluster_.targets().size();
}

std::size_t Proxy::members_online() const {
    if (core() == nullptr) return 0;
    const auto& members = core()->state().members.members();
    return static_cast<std::size_t>(std::ranges::count_if(members, [](const auto& item) { return item.second.online; }));
}

void Proxy::accept_what_is_refused() {
    if (core() == nullptr) return;
    const scheduler::ClusterState& state = core()->state();
    if (!state.leadership.outdated().empty()) return accept(state.proxy_id);
    for (const TargetId& id : cluster_.target_ids()) {
        const auto member = state.members.members().find(id.str());
        if (member == state.members.members().end() || member->second.problem.empty()) continue;
        return accept(id.str());
    }
}

void Proxy::accept(const std::string& node) {
    act("accept " + node, [node](scheduler::ProxyCore& core) -> Task<Result<void>> {
        const std::string id = node;
        MILLRACE_CO_TRY(co_await core.control().accept(id));
        co_return Result<void>{};
    });
}

// ---- users

void Proxy::submit(scheduler::JobRequest request, const std::string& key, const Answer& answer) {
    if (core() == nullptr) return answer(fail(Code::unavailable, "the proxy is down"));
    const auto call = [](scheduler::ProxyCore& core, scheduler::JobRequest asked, std::string with_key, Answer then) -> Task<void> {
        then(co_await core.jobs().submit(std::move(asked), std::move(with_key)));
    };
    process_->calls.spawn(call(*core(), std::move(request), key, answer));
}

void Proxy::act(const std::string& what, const Change& change) {
    if (core() == nullptr) return;
    const auto call = [](World& world, scheduler::ProxyCore& core, std::string said, Change does) -> Task<void> {
        const Result<void> done = co_await does(core);
        world.trace("user: " + said + (done ? "" : ": " + done.error().context));
    };
    process_->calls.spawn(call(cluster_.world, *core(), what, change));
}

void Proxy::replace_transform(const std::string& transform) {
    act("another program for " + transform, [transform, text = program(programs_++)](scheduler::ProxyCore& core) -> Task<Result<void>> {
        const std::string name = transform;
        const std::string spec = text;
        if (core.state().catalog.transform(name) != nullptr) MILLRACE_CO_TRY(co_await core.catalog().remove_transform(name));
        co_return co_await core.catalog().add_transform(name, spec, kInitTime);
    });
}

const scheduler::Job* Proxy::find(const std::string& job) const {
    const scheduler::LiveJob* live = core() != nullptr ? core()->state().jobs.find(job) : nullptr;
    return live == nullptr ? nullptr : &live->job;
}

bool Proxy::is_changing() const { return is_up() && process_->calls.size() > 0; }

std::string Proxy::catalog_versions() const {
    if (core() == nullptr) return "the proxy is down";
    std::string text = "catalog " + std::to_string(core()->state().catalog.wire().version);
    for (const auto& [target, member] : core()->state().members.members()) text += ", " + target + " has " + std::to_string(member.catalog_version);
    return text;
}

bool Proxy::has_bucket(const std::string& bucket) const { return core() != nullptr && core()->state().catalog.bucket(bucket) != nullptr; }

bool Proxy::has_transform(const std::string& transform) const {
    return core() != nullptr && core()->state().catalog.transform(transform) != nullptr;
}

// ---- what it writes down and knows

void Proxy::saw_write(const state::Batch& batch) {
    for (const state::Batch::Operation row : batch) {
        if (row.family != state::proxy_family::jobs || row.kind != state::Batch::Kind::put) continue;
        if (row.first.starts_with("job/")) saw_job(std::string(row.second));
        if (row.first != "catalog") continue;
        const auto catalog = state::decode_record<wire::Catalog>("the catalog", row.second);
        if (!catalog) return cluster_.world.broke(catalog.error().context);
        for (const std::string& uid : catalog->destroyed_uids) cluster_.truth.destroyed(uid);
    }
    effect();
}

void Proxy::saw_job(const std::string& record) {
    const auto job = state::decode_record<scheduler::Job>("a job", record);
    if (!job) return cluster_.world.broke(job.error().context);
    cluster_.truth.pinned(*job);
    cluster_.world.trace("proxy: " + job->id + " " + std::string(scheduler::job_state_name(job->state)) + " revision " +
                         std::to_string(job->revision) + (job->reason.empty() ? "" : ": " + job->reason));
    const bool may_check = !cluster_.settings.copies;  // a folder may have been exchanged that nobody has looked at yet
    const bool ended = job->state == scheduler::JobState::completed || job->state == scheduler::JobState::completed_with_errors;
    if (!may_check || !ended || job->spec.dry_run != wire::DryRun::no) return;
    cluster_.look([&] { cluster_.truth.check_completed(*job, cluster_.disks()); });
}

void Proxy::check_progress(const std::string& id) {
    const scheduler::Job* job = find(id);
    if (job == nullptr) return;
    for (const auto& [target, slice] : job->slices) {
        if (cluster_.truth.may_lack(target)) continue;
        const SliceCounters& now = slice.status.counters;
        auto& [before, loss] = seen_[{id, target}];
        if (std::exchange(loss, slice.loss) != slice.loss && !slice.loss.empty()) before = {};  // what it had said is forgotten
        if (now.done < before.done || now.done + now.skipped < before.done + before.skipped || now.settled() < before.settled()) {
            cluster_.world.broke(id + " on " + target + ": acknowledged progress went back from " + std::to_string(before.done) + " done to " +
                                 std::to_string(now.done));
        }
        before = now;
    }
}

}  // namespace millrace::sim
