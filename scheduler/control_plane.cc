#include "scheduler/control_plane.h"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "core/check.h"
#include "core/log.h"

namespace millrace::scheduler {
namespace {

constexpr auto kTick = milliseconds(100);
constexpr auto kBeat = milliseconds(500);
constexpr auto kCatalogPauseMax = std::chrono::seconds(30);
constexpr auto kHousekeepingPause = std::chrono::seconds(10);
constexpr auto kTurnPatience = std::chrono::seconds(30);
constexpr std::size_t kMailMax = 100'000;  // beyond, it is lost, as on a network: all that matters is said again

}  // namespace

ControlPlane::ControlPlane(Loop& control, const ProxyConfig& config, ClusterState& state, RecordWriter& records)
    : control_(control), config_(config), state_(state), records_(records), turns_(control.executor()), mail_came_(control.executor()),
      changed_(control.executor()), tasks_(control.executor()) {
    state_.members.set_asks(!config.auth_key.empty());
}

ControlPlane::~ControlPlane() { MILLRACE_CHECK(tasks_.size() == 0); }

Result<void> ControlPlane::start(std::uint16_t http_port, const OpenLink& open_link) {
    http_port_ = http_port;
    MILLRACE_TRY_ASSIGN(link_, open_link([this](const std::string& route, wire::Message message) { take_in(route, std::move(message)); }));
    tasks_.spawn(run());
    return {};
}

Task<void> ControlPlane::stop() {
    stopping_ = true;
    mail_came_.set();
    co_await tasks_.join();
    if (link_) link_->stop();
    auto nothing = [] { return 0; };
    (void)co_await call_on(control_.executor(), nothing);  // what the link had posted before has run now
}

// ---- turns

Task<bool> ControlPlane::run_turn(Turn turn) {
    auto take = [this, &turn] { return take_turn(turn); };
    co_return co_await run_on(control_.executor(), std::move(take));
}

Task<bool> ControlPlane::take_turn(const Turn& turn) {
    if (!co_await begin_turn()) co_return false;
    co_await turn();
    end_turn();
    co_return true;
}

Task<bool> ControlPlane::begin_turn() {
    auto is_free = [this] { return !is_turn_taken_; };
    const bool begun = co_await turns_.wait(is_free, steady_now() + kTurnPatience);
    if (begun) is_turn_taken_ = true;
    co_return begun;
}

void ControlPlane::end_turn() {
    MILLRACE_CHECK(is_turn_taken_);
    is_turn_taken_ = false;
    turns_.look_again();
}

// Of what is large and says all there is to say, the newest is enough: so what waits is bounded in bytes, too.
// It keeps its place behind what came before it, such as a hello.
void ControlPlane::drop_older(const std::string& route, const wire::Message& newest) {
    if (!std::holds_alternative<wire::Catalog>(newest) && !std::holds_alternative<wire::TransformStatus>(newest)) return;
    std::erase_if(mail_, [&](const Letter& letter) { return letter.route == route && letter.message.index() == newest.index(); });
}

void ControlPlane::take_in(const std::string& route, wire::Message message) {
    if (stopping_) return;
    drop_older(route, message);
    if (mail_.size() >= kMailMax) {
        if (!std::exchange(is_mail_lost_, true)) log::warn("control messages are lost: more come than can be written down");
        return;
    }
    mail_.push_back({route, std::move(message)});
    mail_came_.set();
}

Task<void> ControlPlane::run() {
    while (!stopping_) {
        (void)co_await mail_came_.wait_until(next_tick_);
        if (stopping_) break;
        auto turn = [this] { return work_off(); };
        (void)co_await in_turn(std::move(turn));
    }
}

// What came meanwhile is looked at before the time is: who has spoken is not silent.
Task<Result<void>> ControlPlane::work_off() {
    mail_came_.clear();
    is_mail_lost_ = false;
    std::deque<Letter> mail = std::exchange(mail_, {});
    for (Letter& letter : mail) {
        if (stopping_) co_return Result<void>{};
        std::string route = std::move(letter.route);
        wire::Message message = std::move(letter.message);
        co_await receive(std::move(route), std::move(message));
    }
    if (steady_now() >= next_tick_) co_await tick();
    const Result<void> written = co_await flush();
    pulse();
    co_return written;
}

Task<void> ControlPlane::tick() {
    const Instant now = steady_now();
    next_tick_ = now + kTick;
    state_.members.tick(now);
    if (state_.members.take_changed()) broadcast(state_.members.map());
    state_.jobs.tick(now, unix_now_ns());
    if (now >= next_beat_) {
        next_beat_ = now + kBeat;
        broadcast(wire::Heartbeat{.boot_id = state_.boot_id, .catalog_version = state_.catalog.wire().version,
                                  .map_version = state_.members.version(), .age = records_.durable_age()});
    }
    if (state_.members.take_known_changed() || now >= next_housekeeping_) co_await housekeep(now);
}

// What is remembered of members and for how long things are kept. It is written down before long; until then less is remembered, and no harm done.
Task<void> ControlPlane::housekeep(Instant now) {
    next_housekeeping_ = now + kHousekeepingPause;
    const Result<void> members = co_await write_members();
    if (!members) log::error("members could not be written down", {{"error", members.error()}});
    DesiredCatalog without = state_.catalog;
    if (without.drop_destroyed(state_.applied_by_all())) {
        const Result<void> written = co_await records_.write_catalog(without);
        if (written) {
            state_.catalog = without;
        } else {
            log::error("the catalog could not be written down", {{"error", written.error()}});
        }
    }
    state_.jobs.expire(now, config_.job_retention_ms, config_.ended_jobs_max);
}

// ---- effects

Task<Result<void>> ControlPlane::flush() {
    MILLRACE_CHECK(is_turn_taken_);
    std::vector<Effect> effects = state_.jobs.take_effects();
    for (const Effect& effect : effects) {
        if (const auto* persist = std::get_if<PersistJob>(&effect)) records_.is_behind(persist->job);
        if (const auto* erase = std::get_if<EraseJob>(&effect)) records_.is_gone(erase->job);
    }
    const bool had_work = records_.has_work();
    const Result<void> written = co_await records_.write();
    if (!written && !cannot_write_) {
        log::error("jobs could not be written down; targets are told nothing of them until they can", {{"error", written.error()}});
    }
    cannot_write_ = !written;
    for (Effect& effect : effects) {
        auto* const message = std::get_if<SendMessage>(&effect);
        if (message == nullptr || !records_.may_tell(message->message)) continue;
        if (auto* directive = std::get_if<wire::Directive>(&message->message)) {
            directive->age = records_.durable_age();
            directive->boot_id = state_.boot_id;
        }
        send(message->target, message->message);
    }
    if (had_work) pulse();
    co_return written;
}

Task<Result<void>> ControlPlane::write_members() {
    MILLRACE_CO_TRY(co_await flush());
    co_return co_await records_.write_members();
}

Task<Result<void>> ControlPlane::change_catalog(DesiredCatalog changed) {
    MILLRACE_CO_TRY(co_await records_.write_catalog(changed));
    state_.catalog = std::move(changed);
    catalog_changed_();
    const Instant now = steady_now();
    for (const auto& [target, member] : state_.members.members()) {
        if (member.online) send_catalog(target, now);
    }
    state_.check_jobs(now, unix_now_ns());
    (void)co_await flush();
    co_return Result<void>{};
}

// One that does not get it applied is told again, but more and more rarely.
void ControlPlane::send_catalog(const std::string& target, Instant now) {
    CatalogSent& sent = catalog_sent_[target];
    const bool is_news = sent.version != state_.catalog.wire().version;
    if (!is_news && now - sent.at < sent.pause) return;
    sent.pause = is_news ? Duration(kBeat) : std::min<Duration>(2 * sent.pause, kCatalogPauseMax);
    sent.version = state_.catalog.wire().version;
    sent.at = now;
    send(target, state_.catalog.wire());
}

wire::ClusterMap ControlPlane::map_for(const std::string& target) const {
    wire::ClusterMap map = state_.members.map();
    for (wire::Node& node : map.targets) node.key = state_.node_keys->told_to(target, node.id);
    return map;
}

void ControlPlane::broadcast(const wire::Message& message) {
    for (const auto& [target, member] : state_.members.members()) {
        if (member.online) send(target, message);
    }
}

void ControlPlane::send(const std::string& target, const wire::Message& message) {
    const Member* member = state_.members.find(target);
    if (member != nullptr && !member->route.empty()) send_to(member->route, message);
}

void ControlPlane::send_to(const std::string& route, const wire::Message& message) {
    if (!link_) return;
    if (auto sent = link_->send(route, message); !sent) log::warn("control message not sent", {{"target", wire::target_of(route)}, {"error", sent.error()}});
}

// Wakes everyone who waits for a change; they look for themselves whether it was theirs.
void ControlPlane::pulse() {
    changed_.set();
    changed_.clear();
}

Task<void> ControlPlane::wait_for_change(Instant deadline) { (void)co_await changed_.wait_until(deadline); }

}  // namespace millrace::scheduler
