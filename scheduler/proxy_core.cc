#include "scheduler/proxy_core.h"

#include <algorithm>
#include <optional>
#include <set>
#include <type_traits>

#include "core/check.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/placement.h"
#include "spec/transform_spec.h"
#include "state/record.h"

namespace millrace::scheduler {
namespace {

constexpr auto kTick = milliseconds(100);
constexpr auto kBeat = milliseconds(500);
constexpr std::size_t kCatalogBytesMax = 64 << 20;  // half of a message
constexpr auto kCatalogPauseMax = std::chrono::seconds(30);
constexpr auto kAcceptPatience = std::chrono::seconds(3);

struct ProxyIdentity {
    std::string proxy_id;
    std::string cluster_id;
    MSGPACK_DEFINE_MAP(proxy_id, cluster_id)
};

struct MemberList {
    std::uint64_t version = 0;
    std::vector<std::string> targets;
    std::map<std::string, KnownMember> known;  // by target
    std::uint64_t uptime_ms = 0;               // of this proxy, summed over its starts
    MSGPACK_DEFINE_MAP(version, targets, known, uptime_ms)
};

struct Tombstones {
    std::map<std::string, std::uint64_t> versions;  // of the catalog that each destroyed uid came with
    MSGPACK_DEFINE_MAP(versions)
};

struct ObjectList {
    std::vector<std::string> objects;
    MSGPACK_DEFINE_MAP(objects)
};

std::string list_key(const std::string& job) { return "job-objects/" + job; }

// The record, or what it is before anything was written down.
template <class Record>
Result<Record> load(const state::MetadataStore& metadata, const std::string& key, Record fallback) {
    MILLRACE_TRY_ASSIGN(const auto bytes, metadata.get(key));
    if (!bytes) return fallback;
    return state::decode_record<Record>("the proxy's record '" + key + "'", *bytes);
}

}  // namespace

struct ProxyCore::Restored {
    ProxyIdentity identity;
    wire::Catalog catalog;
    Tombstones tombstones;
    MemberList members;
    wire::OwnLineage own;
};

Result<std::unique_ptr<ProxyCore>> ProxyCore::open(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata,
                                                   std::size_t list_part_bytes_max) {
    const ProxyIdentity fresh{random_id("p-"), random_id("c-")};
    Restored restored;
    MILLRACE_TRY_ASSIGN(restored.identity, load(metadata, "identity", fresh));
    if (restored.identity.proxy_id == fresh.proxy_id) MILLRACE_TRY(metadata.commit({{"identity", state::encode_record(fresh)}}));
    MILLRACE_TRY_ASSIGN(restored.catalog, load(metadata, "catalog", wire::Catalog{}));
    MILLRACE_TRY_ASSIGN(restored.tombstones, load(metadata, "tombstones", Tombstones{}));
    MILLRACE_TRY_ASSIGN(restored.members, load(metadata, "members", MemberList{}));
    MILLRACE_TRY_ASSIGN(const wire::OwnLineage last, load(metadata, "lineage", wire::OwnLineage{}));
    restored.own = wire::next_start(last, metadata.age_at_opening());
    std::unique_ptr<ProxyCore> core(new ProxyCore(control, aside, config, metadata, list_part_bytes_max, std::move(restored)));
    MILLRACE_TRY(core->commit_lineage(core->leadership_.own()));
    MILLRACE_TRY(core->restore_jobs());
    MILLRACE_TRY(core->commit_members());  // with the raised version, so that the next start raises it further
    return core;
}

ProxyCore::ProxyCore(Loop& control, BlockingPool& aside, const ProxyConfig& config, state::MetadataStore& metadata, std::size_t list_part_bytes_max,
                     Restored restored)
    : control_(control), aside_(aside), config_(config), metadata_(metadata), list_part_bytes_max_(list_part_bytes_max),
      catalog_(std::move(restored.catalog), std::move(restored.tombstones.versions)),
      proxy_id_(restored.identity.proxy_id), cluster_id_(restored.identity.cluster_id), boot_id_(random_id("b-")),
      // The version that was written down may be older than the last one told to targets.
      membership_(cluster_id_, restored.members.targets, restored.members.version + 1'000'000, config.target_timeout_ms, restored.members.known),
      scheduler_([this](const std::string& target) { return membership_.is_online(target); }), client_(control.executor()),
      leadership_(proxy_id_, cluster_id_, boot_id_, std::move(restored.own)), tasks_(control.executor()),
      changed_(control.executor()), stop_(control.executor()) {
    scheduler_.set_uptime(milliseconds(restored.members.uptime_ms), steady_now());
}

ProxyCore::~ProxyCore() { MILLRACE_CHECK(tasks_.size() == 0); }

Result<void> ProxyCore::restore_jobs() {
    MILLRACE_TRY_ASSIGN(const auto records, metadata_.list("job/"));
    std::set<std::string> listed;
    for (const auto& [id, bytes] : records) {
        MILLRACE_TRY_ASSIGN(Job job, state::decode_record<Job>("job " + id, bytes));
        std::vector<std::string> targets;
        for (const auto& [target, slice] : job.slices) targets.push_back(target);
        ObjectList list;
        if (job.spec.has_list) {
            MILLRACE_TRY_ASSIGN(list, load(metadata_, list_key(id), ObjectList{}));
            listed.insert(id);
        }
        scheduler_.restore(std::move(job), ListedObjects(std::move(list.objects), targets, list_part_bytes_max_));
    }
    // Lists of jobs that were not accepted in the end.
    MILLRACE_TRY_ASSIGN(const auto lists, metadata_.keys(list_key("")));
    state::MetadataChanges useless;
    for (const std::string& id : lists) {
        if (!listed.contains(id)) useless[list_key(id)] = std::nullopt;
    }
    if (!useless.empty()) MILLRACE_TRY(metadata_.commit(useless));
    if (!records.empty()) log::info("jobs restored", {{"jobs", records.size()}});
    check_jobs();
    return {};
}

Result<void> ProxyCore::start(std::uint16_t http_port, const OpenLink& open_link) {
    http_port_ = http_port;
    MILLRACE_TRY_ASSIGN(link_, open_link([this](const std::string& route, wire::Message message) { receive(route, std::move(message)); }));
    tasks_.spawn(run());
    return {};
}

Task<void> ProxyCore::stop() {
    stopping_ = true;
    stop_.set();
    co_await tasks_.join();
    if (link_) link_->stop();
    auto nothing = [] { return 0; };
    (void)co_await call_on(control_.executor(), nothing);  // what the link had posted before has run now
}

// ---- messages

void ProxyCore::receive(const std::string& route, wire::Message message) {
    if (stopping_) return;
    const Instant now = steady_now();
    const std::int64_t unix_now = unix_now_ns();
    const std::string target = wire::target_of(route);
    Member* member = membership_.find(target);
    const bool joined = member != nullptr && !member->boot_id.empty() && member->route == route;
    std::visit(
        [&](auto& body) {
            using Body = std::remove_cvref_t<decltype(body)>;
            if constexpr (std::is_same_v<Body, wire::Hello>) {
                receive_hello(route, body);
            } else if constexpr (std::is_same_v<Body, wire::Heartbeat>) {
                receive_heartbeat(route, body);
            } else if constexpr (std::is_same_v<Body, wire::Catalog>) {
                if (!outdated().empty() && body.version > newest_catalog_.version) newest_catalog_ = std::move(body);
            } else if (!joined) {
                return;  // not a member, or not the process that is: it must say hello first
            } else if constexpr (std::is_same_v<Body, wire::Goodbye>) {
                membership_.goodbye(target, body);
            } else if constexpr (std::is_same_v<Body, wire::SliceStatus>) {
                membership_.grew_older(target, body.age);
                scheduler_.receive(target, body, now, unix_now);
            } else if constexpr (std::is_same_v<Body, wire::DirectiveAck>) {
                scheduler_.receive(target, body, now, unix_now);
            } else if constexpr (std::is_same_v<Body, wire::TransformStatus>) {
                receive_transforms(target, std::move(body));
            }
        },
        message);
    (void)flush();
    pulse();
}

void ProxyCore::receive_hello(const std::string& route, const wire::Hello& hello) {
    const Instant now = steady_now();
    const std::string target = wire::target_of(route);
    wire::Welcome refusal{.proxy_id = proxy_id_, .boot_id = boot_id_, .cluster_id = cluster_id_};
    if (!leadership_.hear(hello)) {
        if (accepts_loss_ && accept_self()) return;  // it says hello again
        membership_.part();
        refusal.refused = outdated();
        refusal.wants_catalog = hello.catalog_version > std::max(catalog_.wire().version, newest_catalog_.version);
        send_to(route, refusal);
        return;
    }
    const bool known = membership_.find(target) != nullptr;
    // One that comes to know that it was accepted holds its orders back, those that it has just got, too: it is told again.
    const bool is_new_branch = known && !membership_.find(target)->known.new_branch.empty();
    const bool is_new_process = !membership_.is_online(target) || membership_.find(target)->boot_id != hello.boot_id || is_new_branch;
    const Result<void> joined = hello.target_id == target ? membership_.hello(hello, sealed(), now)
                                                          : Result<void>(fail(Code::conflict, "it announces two different ids"));
    if (!joined) {
        if (joined.error().code == Code::unavailable) return;  // it says hello again
        const bool is_loss = known && wire::compare(membership_.find(target)->known.lineage, hello.lineage) == wire::Kinship::older_copy;
        if (hello.accepts_loss && is_loss && accept(target)) return;
        refusal.refused = joined.error().context;
        send_to(route, refusal);
        return;
    }
    if (!known) {
        if (auto committed = commit_members(); !committed) {
            log::error("a new member could not be written down; it is not welcomed until it can", {{"target", target}, {"error", committed.error()}});
            membership_.forget(target);
            return;
        }
    }
    membership_.find(target)->route = route;
    welcome(route, hello, is_new_process);
}

void ProxyCore::welcome(const std::string& route, const wire::Hello& hello, bool is_new_process) {
    const Instant now = steady_now();
    // Targets remember who welcomed them: from here on this start counts.
    if (!leadership_.own().met) {
        leadership_.set_met(true);
        if (auto committed = commit_lineage(leadership_.own()); !committed) {
            leadership_.set_met(false);
            log::error("this start could not be written down; nobody is welcomed until it can", {{"error", committed.error()}});
            return;
        }
    }
    wire::Welcome welcome{.proxy_id = proxy_id_, .boot_id = boot_id_, .cluster_id = cluster_id_, .map = membership_.map(), .http_port = http_port_};
    welcome.lineage = leadership_.lineage();
    welcome.lineage.age = metadata_.durable_age();
    welcome.new_branch = membership_.find(hello.target_id)->known.new_branch;
    send_to(route, welcome);
    if (is_new_process) catalog_sent_.erase(hello.target_id);
    if (hello.catalog_version != catalog_.wire().version) send_catalog(hello.target_id, now);
    if (is_new_process) scheduler_.target_joined(hello.target_id, now, unix_now_ns());
}

void ProxyCore::receive_heartbeat(const std::string& route, const wire::Heartbeat& heartbeat) {
    const Instant now = steady_now();
    const std::string target = wire::target_of(route);
    const bool was_online = membership_.is_online(target);
    if (!membership_.heartbeat(target, heartbeat, now)) {
        send_to(route, wire::Heartbeat{.boot_id = random_id("b-")});  // unknown here: this makes it say hello
        return;
    }
    if (!was_online) scheduler_.target_joined(target, now, unix_now_ns());
    if (heartbeat.catalog_version < catalog_.wire().version) send_catalog(target, now);
    if (heartbeat.map_version < membership_.version()) send(target, membership_.map());
}

// One that does not get it applied is told again, but more and more rarely.
void ProxyCore::send_catalog(const std::string& target, Instant now) {
    CatalogSent& sent = catalog_sent_[target];
    const bool is_news = sent.version != catalog_.wire().version;
    if (!is_news && now - sent.at < sent.pause) return;
    sent.pause = is_news ? Duration(kBeat) : std::min<Duration>(2 * sent.pause, kCatalogPauseMax);
    sent.version = catalog_.wire().version;
    sent.at = now;
    send(target, catalog_.wire());
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
        broadcast(wire::Heartbeat{.boot_id = boot_id_, .catalog_version = catalog_.wire().version, .map_version = membership_.version(),
                                  .age = metadata_.durable_age()});
    }
    if (membership_.take_known_changed() || now >= next_housekeeping_) housekeep(now);
    (void)flush();
}

// ---- effects

Result<void> ProxyCore::flush() {
    std::vector<Effect> effects = scheduler_.take_effects();
    for (const Effect& effect : effects) {
        if (const auto* persist = std::get_if<PersistJob>(&effect)) {
            unwritten_.try_emplace(persist->job, false);  // its list was written before it
        } else if (const auto* erase = std::get_if<EraseJob>(&effect)) {
            unwritten_.erase(erase->job);
            unerased_.insert(erase->job);
        }
    }
    const Result<void> written = write_jobs();
    if (!written && !cannot_write_) {
        log::error("jobs could not be written down; targets are told nothing of them until they can", {{"error", written.error()}});
    }
    cannot_write_ = !written;
    for (Effect& effect : effects) {
        auto* const message = std::get_if<SendMessage>(&effect);
        if (message == nullptr || !may_tell(message->message)) continue;
        if (auto* directive = std::get_if<wire::Directive>(&message->message)) directive->age = metadata_.durable_age();
        send(message->target, message->message);
    }
    return written;
}

Result<void> ProxyCore::write_jobs() {
    if (unwritten_.empty() && unerased_.empty() && !is_catalog_unsure_) return {};
    state::MetadataChanges changes;
    if (is_catalog_unsure_) {
        changes["catalog"] = state::encode_record(catalog_.wire());
        changes["tombstones"] = state::encode_record(Tombstones{catalog_.destroyed_at()});
    }
    for (const std::string& id : unerased_) {
        changes["job/" + id] = std::nullopt;
        changes[list_key(id)] = std::nullopt;
    }
    for (const auto& [id, with_list] : unwritten_) {
        const LiveJob* live = scheduler_.find(id);
        if (live == nullptr) continue;
        changes["job/" + id] = state::encode_record(live->job);
        if (live->job.spec.has_list && with_list) changes[list_key(id)] = state::encode_record(ObjectList{live->objects.names()});
    }
    // With what is remembered of those that it says something of: a copy of a folder from before would not be noticed otherwise.
    changes["members"] = members_record();
    MILLRACE_TRY(metadata_.commit(changes));
    unwritten_.clear();
    unerased_.clear();
    is_catalog_unsure_ = false;
    pulse();
    return {};
}

bool ProxyCore::may_tell(const wire::Message& message) const {
    const auto is_behind = [this](const std::string& job) { return unwritten_.contains(job) || unerased_.contains(job); };
    if (const auto* directive = std::get_if<wire::Directive>(&message)) return !is_behind(directive->job);
    if (const auto* ack = std::get_if<wire::StatusAck>(&message)) return !is_behind(ack->job);
    return true;
}

Error ProxyCore::not_done(const Error& error, const std::string& what) const {
    return error.during(what + "; should the proxy end before its disk takes writes again, look then: the disk may have it all the same");
}

Result<void> ProxyCore::commit_catalog(const DesiredCatalog& changed) {
    if (state::encode_record(changed.wire()).size() > kCatalogBytesMax) {
        return fail(Code::overloaded, "the catalog of buckets and transforms would be larger than " + std::to_string(kCatalogBytesMax) +
            " bytes, which targets do not take; remove buckets or transforms first");
    }
    MILLRACE_TRY(write_catalog(changed));
    const Instant now = steady_now();
    for (const auto& [target, member] : membership_.members()) {
        if (member.online) send_catalog(target, now);
    }
    check_jobs();
    (void)flush();
    return {};
}

Result<void> ProxyCore::write_catalog(const DesiredCatalog& changed) {
    const auto written = metadata_.commit({{"catalog", state::encode_record(changed.wire())},
                                           {"tombstones", state::encode_record(Tombstones{changed.destroyed_at()})}});
    is_catalog_unsure_ = !written;
    if (!written) return not_done(written.error(), "the change could not be written down, and everything stays as it was");
    catalog_ = changed;
    return {};
}

void ProxyCore::check_jobs() {
    const auto check = [this](const Job& job) { return check_pins(job, catalog_, "resume"); };
    scheduler_.check_unfinished(check, steady_now(), unix_now_ns());
}

std::string ProxyCore::members_record() const {
    MemberList list{membership_.version(), {}, membership_.known(), static_cast<std::uint64_t>(scheduler_.uptime(steady_now()).count())};
    for (const auto& [target, member] : membership_.members()) list.targets.push_back(target);
    return state::encode_record(list);
}

Result<void> ProxyCore::commit_members() { return metadata_.commit({{"members", members_record()}}); }

Result<void> ProxyCore::commit_lineage(const wire::OwnLineage& own) { return metadata_.commit({{"lineage", state::encode_record(own)}}); }

void ProxyCore::broadcast(const wire::Message& message) {
    for (const auto& [target, member] : membership_.members()) {
        if (member.online) send(target, message);
    }
}

void ProxyCore::send(const std::string& target, const wire::Message& message) {
    const Member* member = membership_.find(target);
    if (member != nullptr && !member->route.empty()) send_to(member->route, message);
}

void ProxyCore::send_to(const std::string& route, const wire::Message& message) {
    if (!link_) return;
    if (auto sent = link_->send(route, message); !sent) log::warn("control message not sent", {{"target", wire::target_of(route)}, {"error", sent.error()}});
}

// Wakes everyone who waits for a change; they look for themselves whether it was theirs.
void ProxyCore::pulse() {
    changed_.set();
    changed_.clear();
}

Task<void> ProxyCore::wait_for_change(Instant deadline) { (void)co_await changed_.wait_until(deadline); }

// ---- jobs

Task<Result<std::string>> ProxyCore::submit(JobRequest request, std::string idempotency_key) {
    MILLRACE_CO_TRY(check_leads());
    const std::string id = random_id("job-");
    if (!request.spec.has_list) {
        ListedObjects none;
        co_return co_await accept(std::move(request), std::move(idempotency_key), id, std::move(none));
    }
    // Before the job, which is not there until its own record is: a list that nobody needs goes below, or at the next start.
    std::vector<std::string> targets;
    for (const auto& [target, member] : membership_.members()) targets.push_back(target);
    if (targets.empty()) co_return fail(Code::unavailable, "no target has joined yet");
    auto write = [this, key = list_key(id), names = std::exchange(request.objects, {}), targets]() mutable -> Result<ListedObjects> {
        ObjectList list{std::move(names)};
        MILLRACE_TRY(metadata_.commit({{key, state::encode_record(list)}}));
        return ListedObjects(std::move(list.objects), targets, list_part_bytes_max_);
    };
    MILLRACE_CO_TRY_ASSIGN(ListedObjects objects, co_await aside_.run(std::move(write)));
    Result<std::string> accepted = co_await accept(std::move(request), std::move(idempotency_key), id, std::move(objects));
    if (!accepted || *accepted != id) (void)metadata_.commit({{list_key(id), std::nullopt}});
    co_return accepted;
}

Task<Result<std::string>> ProxyCore::accept(JobRequest request, std::string idempotency_key, std::string id, ListedObjects objects) {
    if (!idempotency_key.empty()) {
        if (const auto earlier = scheduler_.job_of_key(idempotency_key)) {
            const LiveJob* live = scheduler_.find(*earlier);
            if (live != nullptr && live->job.request_json == request.json && live->objects.names() == objects.names()) co_return *earlier;
            co_return fail(Code::conflict, "idempotency key '" + idempotency_key + "' was used for another request, job " + *earlier);
        }
    }
    const std::vector<std::string> transforms = request.spec.transforms();
    for (const std::string& transform : transforms) {
        if (catalog_.transform(transform) == nullptr) co_return unknown_transform(transform);
    }
    if (catalog_.bucket(request.spec.source) == nullptr) co_return unknown_bucket(request.spec.source);
    if (membership_.members().empty()) co_return fail(Code::unavailable, "no target has joined yet");
    if (request.spec.writes() && catalog_.bucket(request.spec.destination) == nullptr) {
        const std::uint64_t small_max = catalog_.bucket(request.spec.source)->small_object_bytes_max;
        const Result<void> created = co_await create_bucket(request.spec.destination, small_max);
        if (!created && created.error().code != Code::already_exists) co_return created.error();
        // Others went on meanwhile: look at everything again, now that the bucket exists.
        co_return co_await accept(std::move(request), std::move(idempotency_key), std::move(id), std::move(objects));
    }
    MILLRACE_CO_TRY_ASSIGN(wire::Pins pins, pins_of(request.spec, catalog_));
    Job job{.id = id, .spec = std::move(request.spec), .request_json = std::move(request.json),
            .idempotency_key = std::move(idempotency_key), .created_unix_ns = unix_now_ns()};
    job.pins.push_back({job.epoch, std::move(pins)});
    std::vector<std::string> targets;
    for (const auto& [target, member] : membership_.members()) targets.push_back(target);
    scheduler_.submit(std::move(job), std::move(objects), targets, steady_now());
    if (const auto written = flush(); !written) {
        scheduler_.drop(id);
        unwritten_.erase(id);
        unerased_.insert(id);
        co_return not_done(written.error(), "the job could not be written down and was not accepted");
    }
    co_await wait_until_accepted(id);
    co_return id;
}

// What its client stores from now on is not part of the job.
Task<void> ProxyCore::wait_until_accepted(const std::string& job) {
    const Instant deadline = steady_now() + kAcceptPatience;
    while (scheduler_.is_being_accepted(job) && steady_now() < deadline) co_await wait_for_change(deadline);
}

Result<void> ProxyCore::start_again(const std::string& id, Again how, bool with_current) {
    return command(id, [&](Job& job) { return scheduler::start_again(job, how, with_current, catalog_, unix_now_ns()); });
}

Result<void> ProxyCore::command(const std::string& id, const Scheduler::Command& change) {
    MILLRACE_TRY(check_leads());
    const LiveJob* live = scheduler_.find(id);
    const std::optional<Job> before = live == nullptr ? std::nullopt : std::optional(live->job);
    MILLRACE_TRY(scheduler_.command(id, change, steady_now(), unix_now_ns()));
    const auto written = flush();
    if (written) return {};
    scheduler_.take_back_command(*before);
    unwritten_.try_emplace(id, false);
    return not_done(written.error(), "the change could not be written down, and the job stays as it was");
}

Result<void> ProxyCore::remove_job(const std::string& id) {
    MILLRACE_TRY(check_leads());
    MILLRACE_TRY_ASSIGN(LiveJob removed, scheduler_.remove(id));
    const auto written = flush();
    if (written) return {};
    scheduler_.take_back_removal(std::move(removed));
    unerased_.erase(id);
    unwritten_[id] = true;
    return not_done(written.error(), "the removal could not be written down, and the job stays");
}

ProxyCore::LargeBody ProxyCore::large_body() {
    if (!large_body_.expired()) return nullptr;
    const LargeBody place = std::make_shared<int>();
    large_body_ = place;
    return place;
}

Result<std::size_t> ProxyCore::remove_jobs_older_than(milliseconds age) {
    MILLRACE_TRY(check_leads());
    const std::int64_t before = unix_now_ns() - std::chrono::nanoseconds(age).count();
    std::vector<std::string> old;
    for (const auto& [id, live] : scheduler_.jobs()) {
        if (is_terminal(live.job.state) && live.job.finished_unix_ns < before) old.push_back(id);
    }
    for (const std::string& id : old) MILLRACE_TRY(scheduler_.remove(id));
    MILLRACE_TRY(flush());
    return old.size();
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
    MILLRACE_TRY(check_leads());
    if (found != membership_.members().end() && !found->second.online && !found->second.problem.empty()) {
        return fail(Code::unavailable, found->second.problem);
    }
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
