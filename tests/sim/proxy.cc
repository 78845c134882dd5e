#include "tests/sim/proxy.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "state/families.h"
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
          metadata(state::make_embedded_metadata_store(kv)), control(cluster.world.executor()),
          aside([&cluster] { return cluster.blocking_time(); }), calls(cluster.world.executor()) {}

    FolderKv kv;
    std::unique_ptr<state::MetadataStore> metadata;
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
    if (open_process()) return;
    cluster_.world.trace("proxy cannot start");
    kill();
    cluster_.world.after(milliseconds(500), [this] { start(); });
}

bool Proxy::open_process() {
    process_ = std::make_unique<Process>(*this, cluster_);
    Process& process = *process_;
    auto core = scheduler::ProxyCore::open(process.control, process.aside, process.config, *process.metadata, kPartBytesMax);
    if (!core || !is_up()) return false;
    process.core = std::move(*core);
    const auto listen = [this, &process](wire::LinkToTargets::Receive receive) {
        const auto sends = [this, &process](const wire::Message&) {
            if (process_.get() == &process) effect();
        };
        const auto look = [this, receive = std::move(receive)](const std::string& route, wire::Message message) {
            const auto* status = std::get_if<wire::SliceStatus>(&message);
            const std::string job = status == nullptr ? "" : status->job;
            receive(route, std::move(message));
            if (!job.empty()) check_progress(job, wire::target_of(route));
        };
        return Result<std::unique_ptr<wire::LinkToTargets>>(cluster_.network.listen(look, sends));
    };
    return process.core->start(1, listen).has_value() && is_up();
}

void Proxy::kill(bool power_cut) {
    if (!is_up()) return;
    cluster_.world.trace(power_cut ? "proxy loses power" : "proxy is killed");
    Process& process = *dying_.emplace_back(std::move(process_));
    process.kv.die();
    cluster_.network.cut_proxy();
    if (power_cut) folder_.lose_power(cluster_.world.random());
    const auto end = [](Process& dying) -> Task<void> {
        if (dying.core) co_await dying.core->stop();
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

bool Proxy::has_problems() const {
    if (!is_up()) return true;
    return !process_->core->problems().empty() || members_online() < cluster_.targets().size();
}

std::size_t Proxy::members_online() const {
    if (!is_up()) return 0;
    const auto& members = process_->core->members().members();
    return static_cast<std::size_t>(std::ranges::count_if(members, [](const auto& item) { return item.second.online; }));
}

void Proxy::accept_what_is_refused() {
    if (!is_up()) return;
    scheduler::ProxyCore& core = *process_->core;
    if (!core.outdated().empty()) {
        if (core.accept(core.proxy_id())) cluster_.world.trace("operator accepts the proxy");
        return;
    }
    for (const TargetId& id : cluster_.target_ids()) {
        const auto member = core.members().members().find(id.str());
        if (member == core.members().members().end() || member->second.problem.empty()) continue;
        const auto accepted = core.accept(id.str());
        cluster_.world.trace("operator accepts " + id.str() + (accepted ? "" : ": " + accepted.error().context));
        std::erase_if(seen_, [&](const auto& item) { return item.first.second == id.str(); });
        return;
    }
}

// ---- users

void Proxy::submit(scheduler::JobRequest request, const std::string& key, const Answer& answer) {
    if (!is_up()) return answer(fail(Code::unavailable, "the proxy is down"));
    const auto call = [](scheduler::ProxyCore& core, scheduler::JobRequest asked, std::string with_key, Answer then) -> Task<void> {
        then(co_await core.submit(std::move(asked), std::move(with_key)));
    };
    process_->calls.spawn(call(*process_->core, std::move(request), key, answer));
}

void Proxy::act(const std::string& what, const Change& change) {
    if (!is_up()) return;
    const auto call = [](World& world, scheduler::ProxyCore& core, std::string said, Change does) -> Task<void> {
        const Result<void> done = co_await does(core);
        world.trace("user: " + said + (done ? "" : ": " + done.error().context));
    };
    process_->calls.spawn(call(cluster_.world, *process_->core, what, change));
}

void Proxy::replace_transform(const std::string& transform) {
    act("another program for " + transform, [transform, text = program(programs_++)](scheduler::ProxyCore& core) -> Task<Result<void>> {
        const std::string name = transform;
        const std::string spec = text;
        if (core.catalog().transform(name) != nullptr) MILLRACE_CO_TRY(co_await core.remove_transform(name));
        co_return co_await core.add_transform(name, spec, kInitTime);
    });
}

Result<void> Proxy::command(const std::string& job, const scheduler::Scheduler::Command& change) {
    if (!is_up()) return fail(Code::unavailable, "the proxy is down");
    return process_->core->command(job, change);
}

Result<void> Proxy::start_again(const std::string& job, scheduler::Again how, bool with_current) {
    if (!is_up()) return fail(Code::unavailable, "the proxy is down");
    return process_->core->start_again(job, how, with_current);
}

bool Proxy::remove(const std::string& job) { return is_up() && process_->core->remove_job(job).has_value(); }

const scheduler::Job* Proxy::find(const std::string& job) const {
    const scheduler::LiveJob* live = is_up() ? process_->core->jobs().find(job) : nullptr;
    return live == nullptr ? nullptr : &live->job;
}

bool Proxy::is_changing() const { return is_up() && process_->calls.size() > 0; }

bool Proxy::has_bucket(const std::string& bucket) const { return is_up() && process_->core->catalog().bucket(bucket) != nullptr; }

bool Proxy::has_transform(const std::string& transform) const {
    return is_up() && process_->core->catalog().transform(transform) != nullptr;
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

void Proxy::check_progress(const std::string& id, const std::string& target) {
    const scheduler::Job* job = find(id);
    if (job == nullptr || cluster_.truth.may_lack(target)) return;
    const SliceCounters& now = job->slices.at(target).status.counters;
    SliceCounters& before = seen_[{id, target}];
    if (now.done < before.done || now.done + now.skipped < before.done + before.skipped || now.settled() < before.settled()) {
        throw Broken(id + " on " + target + ": acknowledged progress went back from " + std::to_string(before.done) + " done to " +
                     std::to_string(now.done));
    }
    before = now;
}

}  // namespace millrace::sim
