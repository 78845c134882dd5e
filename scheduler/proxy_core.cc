#include "scheduler/proxy_core.h"

#include <algorithm>
#include <cstdlib>
#include <type_traits>

#include "core/check.h"
#include "core/file.h"
#include "core/kept_port.h"
#include "core/log.h"
#include "core/placement.h"
#include "state/record.h"

namespace millrace::scheduler {
namespace {

constexpr auto kTick = milliseconds(100);
constexpr auto kBeat = milliseconds(500);
constexpr auto kApplyPatience = std::chrono::seconds(10);
constexpr auto kStopPatience = std::chrono::seconds(30);
constexpr auto kStartPatience = std::chrono::minutes(5);

// Of "tcp://HOST:PORT".
std::uint16_t port_of(const std::string& endpoint) {
    return static_cast<std::uint16_t>(std::strtoul(endpoint.c_str() + endpoint.rfind(':') + 1, nullptr, 10));
}

struct ProxyIdentity {
    std::string proxy_id;
    std::string cluster_id;
    MSGPACK_DEFINE_MAP(proxy_id, cluster_id)
};

struct MemberList {
    std::uint64_t version = 0;
    std::vector<std::string> targets;
    MSGPACK_DEFINE_MAP(version, targets)
};

struct ObjectList {
    std::vector<std::string> objects;
    MSGPACK_DEFINE_MAP(objects)
};

// The record, or what it is before anything was written down.
template <class Record>
Result<Record> load(const state::MetadataStore& metadata, const std::string& key, Record fallback) {
    MILLRACE_TRY_ASSIGN(const auto bytes, metadata.get(key));
    if (!bytes) return fallback;
    return state::decode_record<Record>("the proxy's record '" + key + "'", *bytes);
}

}  // namespace

Result<std::unique_ptr<ProxyCore>> ProxyCore::open(Loop& control, const ProxyConfig& config, state::MetadataStore& metadata) {
    const ProxyIdentity fresh{random_id("p-"), random_id("c-")};
    MILLRACE_TRY_ASSIGN(const ProxyIdentity identity, load(metadata, "identity", fresh));
    if (identity.proxy_id == fresh.proxy_id) MILLRACE_TRY(metadata.commit({{"identity", state::encode_record(identity)}}));
    MILLRACE_TRY_ASSIGN(wire::Catalog catalog, load(metadata, "catalog", wire::Catalog{}));
    MILLRACE_TRY_ASSIGN(MemberList members, load(metadata, "members", MemberList{}));
    std::unique_ptr<ProxyCore> core(new ProxyCore(control, config, metadata, std::move(catalog), identity.proxy_id, identity.cluster_id,
                                                  std::move(members.targets), members.version));
    MILLRACE_TRY(core->restore_jobs());
    MILLRACE_TRY(core->commit_members());  // with the raised version, so that the next start raises it further
    return core;
}

ProxyCore::ProxyCore(Loop& control, const ProxyConfig& config, state::MetadataStore& metadata, wire::Catalog catalog, std::string proxy_id,
                     std::string cluster_id, std::vector<std::string> targets, std::uint64_t map_version)
    : control_(control), config_(config), metadata_(metadata), catalog_(std::move(catalog)), proxy_id_(std::move(proxy_id)),
      cluster_id_(cluster_id), boot_id_(random_id("b-")),
      // The version that was written down may be older than the last one told to targets.
      membership_(cluster_id, std::move(targets), map_version + 1'000'000, config.target_timeout_ms),
      scheduler_([this](const std::string& target) { return membership_.is_online(target); }), client_(control.executor()),
      tasks_(control.executor()), changed_(control.executor()), stop_(control.executor()) {}

ProxyCore::~ProxyCore() { MILLRACE_CHECK(tasks_.size() == 0); }

Result<void> ProxyCore::restore_jobs() {
    MILLRACE_TRY_ASSIGN(const auto records, metadata_.list("job/"));
    for (const auto& [id, bytes] : records) {
        MILLRACE_TRY_ASSIGN(Job job, state::decode_record<Job>("job " + id, bytes));
        MILLRACE_TRY_ASSIGN(ObjectList list, load(metadata_, "job-objects/" + id, ObjectList{}));
        scheduler_.restore(std::move(job), std::move(list.objects));
    }
    if (!records.empty()) log::info("jobs restored", {{"jobs", records.size()}});
    return {};
}

Result<void> ProxyCore::start(std::uint16_t http_port) {
    http_port_ = http_port;
    bus_ = std::make_unique<wire::RouterBus>(control_.executor(), [this](const std::string& peer, wire::Message message) {
        receive(peer, std::move(message));
    });
    const auto bind = [this](std::uint16_t port) { return bus_->bind("tcp://" + config_.host + ":" + std::to_string(port)); };
    const std::string port_file = config_.dir + "/control_port";
    MILLRACE_TRY_ASSIGN(const std::string bound, listen_on_kept_port(port_file, config_.control_port, bind));
    MILLRACE_TRY(keep_port(port_file, port_of(bound)));
    MILLRACE_TRY(write_file(config_.dir + "/control_endpoint", bound + "\n"));
    log::info("control endpoint", {{"endpoint", bound}, {"cluster", cluster_id_}});
    tasks_.spawn(run());
    return {};
}

Task<void> ProxyCore::stop() {
    stopping_ = true;
    stop_.set();
    co_await tasks_.join();
    if (bus_) bus_->stop();
    auto nothing = [] { return 0; };
    (void)co_await call_on(control_.executor(), nothing);  // what the bus had posted before has run now
}

// ---- messages

void ProxyCore::receive(const std::string& target, wire::Message message) {
    if (stopping_) return;
    const Instant now = steady_now();
    const std::int64_t unix_now = unix_now_ns();
    std::visit(
        [&](const auto& body) {
            using Body = std::remove_cvref_t<decltype(body)>;
            if constexpr (std::is_same_v<Body, wire::Hello>) {
                receive_hello(target, body);
            } else if constexpr (std::is_same_v<Body, wire::Heartbeat>) {
                receive_heartbeat(target, body);
            } else if constexpr (std::is_same_v<Body, wire::Goodbye>) {
                membership_.goodbye(target, body);
            } else if (membership_.find(target) == nullptr) {
                return;  // not a member: it must say hello first
            } else if constexpr (std::is_same_v<Body, wire::SliceStatus>) {
                scheduler_.receive(target, body, now, unix_now);
            } else if constexpr (std::is_same_v<Body, wire::DirectiveAck>) {
                scheduler_.receive(target, body, now);
            } else if constexpr (std::is_same_v<Body, wire::TransformStatus>) {
                Member* member = membership_.find(target);
                member->transforms = body.transforms;
                member->transforms_of_catalog = body.catalog_version;
            }
        },
        message);
    (void)flush();
    pulse();
}

void ProxyCore::receive_hello(const std::string& target, const wire::Hello& hello) {
    const Instant now = steady_now();
    wire::Welcome welcome{.proxy_id = proxy_id_, .boot_id = boot_id_, .cluster_id = cluster_id_, .http_port = http_port_};
    const bool known = membership_.find(target) != nullptr;
    const bool was_online = membership_.is_online(target);
    const std::string old_boot = known ? membership_.find(target)->boot_id : "";
    const Result<void> joined = hello.target_id == target ? membership_.hello(hello, sealed(), now)
                                                          : Result<void>(fail(Code::conflict, "it announces two different ids"));
    if (!joined) {
        welcome.refused = joined.error().context;
        send(target, welcome);
        log::warn("target refused", {{"target", target}, {"reason", joined.error().context}});
        return;
    }
    if (joined && !known) {
        if (auto committed = commit_members(); !committed) {
            log::error("a new member could not be written down; it is not welcomed until it can", {{"target", target}, {"error", committed.error()}});
            membership_.forget(target);
            return;
        }
    }
    welcome.map = membership_.map();
    send(target, welcome);
    if (hello.catalog_version != catalog_.wire().version) send(target, catalog_.wire());
    if (!was_online || old_boot != hello.boot_id) scheduler_.target_joined(target, now, unix_now_ns());
}

void ProxyCore::receive_heartbeat(const std::string& target, const wire::Heartbeat& heartbeat) {
    const bool was_online = membership_.is_online(target);
    if (!membership_.heartbeat(target, heartbeat, steady_now())) {
        send(target, wire::Heartbeat{.boot_id = random_id("b-")});  // unknown here: this makes it say hello
        return;
    }
    if (!was_online) scheduler_.target_joined(target, steady_now(), unix_now_ns());
    if (heartbeat.catalog_version < catalog_.wire().version) send(target, catalog_.wire());
    if (heartbeat.map_version < membership_.version()) send(target, membership_.map());
}

Task<void> ProxyCore::run() {
    while (!stopping_) {
        tick();
        (void)co_await stop_.wait_until(steady_now() + kTick);
    }
}

void ProxyCore::tick() {
    const Instant now = steady_now();
    membership_.tick(now);
    if (membership_.take_changed()) {
        broadcast(membership_.map());
        pulse();
    }
    scheduler_.tick(now, unix_now_ns());
    if (now >= next_beat_) {
        next_beat_ = now + kBeat;
        broadcast(wire::Heartbeat{.boot_id = boot_id_, .catalog_version = catalog_.wire().version, .map_version = membership_.version()});
    }
    (void)flush();
}

// ---- effects

Result<void> ProxyCore::flush() {
    for (Effect& effect : scheduler_.take_effects()) pending_.push_back(std::move(effect));
    if (pending_.empty()) return {};
    state::MetadataChanges changes;
    for (const Effect& effect : pending_) {
        if (const auto* persist = std::get_if<PersistJob>(&effect)) {
            const LiveJob* live = scheduler_.find(persist->job);
            if (live == nullptr) continue;
            changes["job/" + persist->job] = state::encode_record(live->job);
            // The list never changes: written with the first record of the job.
            if (live->job.spec.has_list && live->job.revision == 1) {
                changes["job-objects/" + persist->job] = state::encode_record(ObjectList{live->objects});
            }
        } else if (const auto* erase = std::get_if<EraseJob>(&effect)) {
            changes["job/" + erase->job] = std::nullopt;
            changes["job-objects/" + erase->job] = std::nullopt;
        }
    }
    if (!changes.empty()) {
        if (auto committed = metadata_.commit(changes); !committed) {
            log::error("jobs could not be written down; targets are told nothing until they can", {{"error", committed.error()}});
            return committed;
        }
    }
    for (const Effect& effect : std::exchange(pending_, {})) {
        if (const auto* message = std::get_if<SendMessage>(&effect)) send(message->target, message->message);
    }
    if (!changes.empty()) pulse();
    return {};
}

Result<void> ProxyCore::commit_catalog(const DesiredCatalog& changed) {
    MILLRACE_TRY(metadata_.commit({{"catalog", state::encode_record(changed.wire())}}));
    catalog_ = changed;
    broadcast(catalog_.wire());
    return {};
}

Result<void> ProxyCore::commit_members() {
    MemberList list{membership_.version(), {}};
    for (const auto& [target, member] : membership_.members()) list.targets.push_back(target);
    return metadata_.commit({{"members", state::encode_record(list)}});
}

void ProxyCore::broadcast(const wire::Message& message) {
    for (const auto& [target, member] : membership_.members()) {
        if (member.online) send(target, message);
    }
}

void ProxyCore::send(const std::string& target, const wire::Message& message) {
    if (!bus_) return;
    if (auto sent = bus_->send(target, message); !sent) log::warn("control message not sent", {{"target", target}, {"error", sent.error()}});
}

// Wakes everyone who waits for a change; they look for themselves whether it was theirs.
void ProxyCore::pulse() {
    changed_.set();
    changed_.clear();
}

Task<void> ProxyCore::wait_for_change(Instant deadline) { (void)co_await changed_.wait_until(deadline); }

// ---- buckets and transforms

Task<void> ProxyCore::wait_until_applied(Duration patience) {
    const std::uint64_t version = catalog_.wire().version;
    const Instant deadline = steady_now() + patience;
    const auto behind = [version](const auto& item) { return item.second.online && item.second.catalog_version < version; };
    while (std::ranges::any_of(membership_.members(), behind) && steady_now() < deadline) co_await wait_for_change(deadline);
}

Task<Result<void>> ProxyCore::create_bucket(std::string name, std::uint64_t small_object_bytes_max) {
    if (membership_.members().empty()) co_return fail(Code::unavailable, "no target has joined yet; start one with: millrace target --config FILE");
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.create_bucket(name, small_object_bytes_max, unix_now_ns()));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_await wait_until_applied(kApplyPatience);
    co_return Result<void>{};
}

Result<void> ProxyCore::refuse_if_used(const std::string& bucket) const {
    const auto user = scheduler_.user_of_bucket(bucket);
    if (!user) return {};
    return fail(Code::conflict, "job " + *user + " uses bucket \"ais://" + bucket + "\"; cancel the job or let it finish first");
}

Task<Result<void>> ProxyCore::rename_bucket(std::string from, std::string to) {
    MILLRACE_CO_TRY(refuse_if_used(from));
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.rename_bucket(from, to));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_await wait_until_applied(kApplyPatience);
    co_return Result<void>{};
}

Task<Result<void>> ProxyCore::destroy_bucket(std::string name) {
    MILLRACE_CO_TRY(refuse_if_used(name));
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.destroy_bucket(name));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_await wait_until_applied(kApplyPatience);
    co_return Result<void>{};
}

// Every online target speaks of this catalog and runs the transform; the reason of the first that says why it cannot.
Task<Result<void>> ProxyCore::wait_until_running(const std::string& transform, Duration patience) {
    const std::uint64_t version = catalog_.wire().version;
    const Instant deadline = steady_now() + patience;
    for (;;) {
        std::string waiting_for;
        for (const auto& [target, member] : membership_.members()) {
            if (!member.online) continue;
            const auto report = std::ranges::find(member.transforms, transform, &wire::TransformReport::name);
            const bool current = member.transforms_of_catalog >= version && report != member.transforms.end();
            if (current && report->state == "running") continue;
            if (current && !report->reason.empty()) co_return fail(Code::rejected, "target " + target + ": " + report->reason);
            waiting_for = target;
        }
        if (waiting_for.empty()) co_return Result<void>{};
        if (steady_now() >= deadline) co_return fail(Code::rejected, "target " + waiting_for + " did not get it running in time");
        co_await wait_for_change(deadline);
    }
}

Task<Result<void>> ProxyCore::add_transform(std::string name, std::string spec_json, Duration init_timeout) {
    if (membership_.members().empty()) co_return fail(Code::unavailable, "no target has joined yet; start one with: millrace target --config FILE");
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.add_transform(name, spec_json));
    MILLRACE_CO_TRY(commit_catalog(changed));
    const Result<void> running = co_await wait_until_running(name, init_timeout + kApplyPatience);
    if (running) co_return running;
    DesiredCatalog without = catalog_;
    const wire::TransformEntry* registered = catalog_.transform(name);
    const bool still_ours = registered != nullptr && registered->spec_json == spec_json;
    if (still_ours && without.remove_transform(name)) MILLRACE_CO_TRY(commit_catalog(without));
    co_return running.error().during("transform '" + name + "' cannot run");
}

Task<Result<void>> ProxyCore::remove_transform(std::string name) {
    if (const auto user = scheduler_.user_of_transform(name)) {
        co_return fail(Code::conflict, "job " + *user + " uses this transform; cancel the job or let it finish first");
    }
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.remove_transform(name));
    MILLRACE_CO_TRY(commit_catalog(changed));
    co_await wait_until_stopped(name, kStopPatience);
    co_return Result<void>{};
}

Task<Result<void>> ProxyCore::enable_transform(std::string name, bool enabled) {
    DesiredCatalog changed = catalog_;
    MILLRACE_CO_TRY(changed.enable_transform(name, enabled));
    if (changed.wire().version == catalog_.wire().version) co_return Result<void>{};
    MILLRACE_CO_TRY(commit_catalog(changed));
    if (!enabled) {
        co_await wait_until_stopped(name, kStopPatience);
        co_return Result<void>{};
    }
    co_await wait_until_applied(kApplyPatience);
    co_return co_await wait_until_running(name, kStartPatience);
}

Task<Result<void>> ProxyCore::restart_transform(std::string name) {
    MILLRACE_CO_TRY(co_await enable_transform(name, false));
    co_return co_await enable_transform(name, true);
}

// Every online target speaks of this catalog and has nothing of the transform running any more.
Task<void> ProxyCore::wait_until_stopped(const std::string& transform, Duration patience) {
    const std::uint64_t version = catalog_.wire().version;
    const Instant deadline = steady_now() + patience;
    const auto runs = [&](const auto& item) {
        const Member& member = item.second;
        if (!member.online) return false;
        if (member.transforms_of_catalog < version) return true;
        const auto report = std::ranges::find(member.transforms, transform, &wire::TransformReport::name);
        return report != member.transforms.end() && report->state != "stopped";
    };
    while (std::ranges::any_of(membership_.members(), runs) && steady_now() < deadline) co_await wait_for_change(deadline);
}

// ---- jobs

Task<Result<std::string>> ProxyCore::submit(JobRequest request, std::string idempotency_key) {
    if (!idempotency_key.empty()) {
        if (const auto earlier = scheduler_.job_of_key(idempotency_key)) {
            const LiveJob* live = scheduler_.find(*earlier);
            if (live != nullptr && live->job.request_json == request.json && live->objects == request.objects) co_return *earlier;
            co_return fail(Code::conflict, "idempotency key '" + idempotency_key + "' was used for another request, job " + *earlier);
        }
    }
    const std::vector<std::string> transforms = request.spec.transforms();
    for (const std::string& transform : transforms) {
        if (catalog_.transform(transform) == nullptr) co_return unknown_transform(transform);
    }
    if (catalog_.bucket(request.spec.source) == nullptr) co_return unknown_bucket(request.spec.source);
    if (membership_.members().empty()) co_return fail(Code::unavailable, "no target has joined yet");
    const bool writes = request.spec.operation != wire::Operation::remove && request.spec.dry_run == wire::DryRun::no;
    if (writes && catalog_.bucket(request.spec.destination) == nullptr) {
        const std::uint64_t small_max = catalog_.bucket(request.spec.source)->small_object_bytes_max;
        const Result<void> created = co_await create_bucket(request.spec.destination, small_max);
        if (!created && created.error().code != Code::already_exists) co_return created.error();
        // Others went on meanwhile: look at everything again, now that the bucket exists.
        co_return co_await submit(std::move(request), std::move(idempotency_key));
    }
    Job job{.id = random_id("job-"), .spec = std::move(request.spec), .request_json = std::move(request.json),
            .idempotency_key = std::move(idempotency_key), .created_unix_ns = unix_now_ns()};
    const std::string id = job.id;
    std::vector<std::string> targets;
    for (const auto& [target, member] : membership_.members()) targets.push_back(target);
    scheduler_.submit(std::move(job), std::move(request.objects), targets, steady_now());
    if (auto written = flush(); !written) {
        std::erase_if(pending_, [&](const Effect& effect) {
            const auto* persist = std::get_if<PersistJob>(&effect);
            const auto* message = std::get_if<SendMessage>(&effect);
            const auto* directive = message == nullptr ? nullptr : std::get_if<wire::Directive>(&message->message);
            return (persist != nullptr && persist->job == id) || (directive != nullptr && directive->job == id);
        });
        scheduler_.drop(id);
        co_return written.error().during("the job could not be written down and was not accepted");
    }
    co_return id;
}

Result<void> ProxyCore::command(const std::string& id, const Scheduler::Command& change) {
    MILLRACE_TRY(scheduler_.command(id, change, steady_now(), unix_now_ns()));
    return flush();
}

Result<void> ProxyCore::remove_job(const std::string& id) {
    MILLRACE_TRY(scheduler_.remove(id));
    return flush();
}

// ---- who and where

IsOnline ProxyCore::is_online() const {
    return [this](const std::string& target) { return membership_.is_online(target); };
}

std::vector<TargetId> ProxyCore::target_ids() const {
    std::vector<TargetId> ids;
    for (const auto& [target, member] : membership_.members()) ids.emplace_back(target);
    return ids;
}

Result<http::Endpoint> ProxyCore::endpoint_of(const std::string& target) const {
    const auto found = membership_.members().find(target);
    if (found == membership_.members().end() || !found->second.online) {
        return fail(Code::unavailable, "target " + target + " is offline; start it with: millrace target --config FILE");
    }
    return http::Endpoint::parse(found->second.endpoint);
}

Result<http::Endpoint> ProxyCore::owner_endpoint(std::string_view object_name) const {
    const std::vector<TargetId> targets = target_ids();
    if (targets.empty()) return fail(Code::unavailable, "no target has joined yet");
    return endpoint_of(owner_of(object_name, targets).str());
}

}  // namespace millrace::scheduler
