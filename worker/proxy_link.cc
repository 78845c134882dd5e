#include "worker/proxy_link.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "core/check.h"
#include "core/file.h"
#include "core/log.h"

namespace millrace::worker {
namespace {
constexpr auto kBeat = milliseconds(500);
// The first hello of a new connection may be lost while it is made; many targets that wait long for a proxy shall not drown it.
constexpr auto kFirstHelloPause = milliseconds(10);
constexpr auto kHelloPause = milliseconds(100);
constexpr auto kRefusedPause = milliseconds(2000);
constexpr auto kProxySilence = std::chrono::seconds(3);
constexpr auto kAgeFlushPause = std::chrono::seconds(10);
constexpr auto kConnectionSilence = std::chrono::seconds(10);
constexpr std::uint64_t kTransformReportBeats = 8;
}  // namespace

ProxyLink::ProxyLink(Loop& control, const TargetConfig& config, TargetState& state, std::string boot_id, std::string endpoint,
                     wire::ConnectToProxy connect_to_proxy, Handlers handlers)
    : control_(control), config_(config), state_(state), boot_id_(std::move(boot_id)), endpoint_(std::move(endpoint)),
      connect_to_proxy_(std::move(connect_to_proxy)), handlers_(std::move(handlers)), tasks_(control.executor()), beat_now_(control.executor()),
      hello_pause_(kFirstHelloPause) {}

ProxyLink::~ProxyLink() { MILLRACE_CHECK(tasks_.size() == 0); }

Result<std::string> ProxyLink::resolve() const {
    if (!config_.proxy.starts_with("file:")) return config_.proxy;
    MILLRACE_TRY_ASSIGN(std::string text, read_file(config_.proxy.substr(5), 4096));
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

// Of "tcp://HOST:PORT"; another transport stays on this machine.
std::string ProxyLink::host_of(const std::string& address) {
    constexpr std::string_view kTcp = "tcp://";
    if (!address.starts_with(kTcp)) return "127.0.0.1";
    return address.substr(kTcp.size(), address.rfind(':') - kTcp.size());
}

Result<void> ProxyLink::start() {
    last_heard_ = steady_now();
    follow_address();
    tasks_.spawn(run());
    return {};
}

// Connects; anew when the proxy's address file says another place, and where nothing has come for so long that the connection may be
// one that swallows everything.
void ProxyLink::follow_address() {
    const Result<std::string> address = resolve();
    if (!address && !std::exchange(waits_for_address_, true)) log::warn("no address of a proxy yet", {{"error", address.error()}});
    if (!address) return;
    waits_for_address_ = false;
    const Instant now = steady_now();
    const bool may_be_dead = now - std::max(last_heard_, connected_at_) > kConnectionSilence;
    if (*address != address_ || may_be_dead) connect(*address);
}

void ProxyLink::connect(const std::string& address) {
    const auto take = [this](wire::Message message) { receive(std::move(message)); };
    auto connected = connect_to_proxy_(address, wire::route_of(state_.id().str(), boot_id_), take);
    if (!connected) {
        log::error("cannot reach the proxy", {{"error", connected.error()}});
        return;
    }
    if (address != address_) log::info("proxy address", {{"proxy", address}});
    link_ = std::move(*connected);
    address_ = address;
    connected_at_ = steady_now();
    welcomed_ = false;
    hello_pause_ = kFirstHelloPause;
}

Task<void> ProxyLink::run() {
    while (!stopping_) {
        beat_now_.clear();
        beat();
        (void)co_await beat_now_.wait_until(steady_now() + next_pause());
    }
}

Duration ProxyLink::next_pause() {
    if (!refused_.empty()) return kRefusedPause;
    if (welcomed_) return kBeat;
    return std::exchange(hello_pause_, std::min<Duration>(hello_pause_ * 2, kHelloPause));
}

void ProxyLink::beat() {
    if (steady_now() - last_heard_ > kProxySilence || !link_) {
        if (welcomed_) {
            log::warn("proxy is silent", {{"proxy", address_}});
            handlers_.lost();
        }
        welcomed_ = false;
        follow_address();
    }
    if (!link_) return;
    if (!welcomed_) {
        say(wire::Hello{.target_id = state_.id().str(), .boot_id = boot_id_, .endpoint = endpoint_, .cluster_id = state_.cluster_id(),
                         .catalog_version = state_.catalog().version, .lineage = state_.lineage(boot_id_), .proxy = state_.proxy(),
                         .accepts_loss = state_.accepts_loss(), .asks = !config_.auth_key.empty()});
        return;
    }
    send(wire::Heartbeat{.boot_id = boot_id_, .catalog_version = state_.catalog().version, .map_version = map_version_,
                         .running_slices = handlers_.running_slices(), .age = state_.age(), .unix_ms = unix_now_ns() / 1'000'000});
    if (const Instant now = steady_now(); now >= next_age_flush_) {
        next_age_flush_ = now + kAgeFlushPause;
        if (auto written = state_.flush_proxy_age(); !written) log::warn("the proxy's age could not be written down", {{"error", written.error()}});
    }
    if (++heartbeats_ % kTransformReportBeats == 0) report_transforms();
}

// A process that was not welcomed has not written down that it was known: what it said would count against the next one, which begins
// at the same numbers.
void ProxyLink::send(const wire::Message& message) {
    if (welcomed_) say(message);
}

void ProxyLink::say(const wire::Message& message) {
    if (!link_) return;
    if (auto sent = link_->send(message); !sent) log::warn("control message not sent", {{"error", sent.error()}});
}

void ProxyLink::report_transforms() {
    send(wire::TransformStatus{state_.catalog().version, handlers_.transforms(), handlers_.problems()});
}

void ProxyLink::report_catalog() {
    report_transforms();
    beat_now_.set();
}

void ProxyLink::receive(wire::Message message) {
    if (stopping_) return;
    last_heard_ = steady_now();
    std::visit(
        [this](auto& body) {
            using Body = std::remove_cvref_t<decltype(body)>;
            if constexpr (std::is_same_v<Body, wire::Welcome>) {
                receive_welcome(body);
            } else if constexpr (std::is_same_v<Body, wire::Heartbeat>) {
                if (is_of_our_proxy(body.boot_id)) state_.proxy_grew_older(body.age);
            } else if (!welcomed_) {
                return;  // it is repeated
            } else if constexpr (std::is_same_v<Body, wire::Catalog>) {
                receive_catalog(body);
            } else if constexpr (std::is_same_v<Body, wire::ClusterMap>) {
                if (body.version < map_version_ || !wire::keep_keys(body, state_.map())) return;  // a whole one is asked for with the next heartbeat
                map_version_ = body.version;
                handlers_.map(body);
            } else if constexpr (std::is_same_v<Body, wire::Directive>) {
                receive_directive(std::move(body));
            } else if constexpr (std::is_same_v<Body, wire::StatusAck>) {
                handlers_.status_ack(body);
            }
        },
        message);
}

bool ProxyLink::is_of_our_proxy(const std::string& boot_id) {
    if (boot_id == proxy_boot_id_) return true;
    welcomed_ = false;
    return false;
}

void ProxyLink::receive_directive(wire::Directive directive) {
    if (!directive.boot_id.empty() && !is_of_our_proxy(directive.boot_id)) return;  // it is repeated
    state_.proxy_grew_older(directive.age);
    tasks_.spawn(handlers_.directive(std::move(directive)));
}

void ProxyLink::receive_welcome(const wire::Welcome& welcome) {
    if (!welcome.refused.empty()) return refused(welcome);
    refused_.clear();
    if (state_.cluster_id().empty()) {
        if (auto written = state_.set_cluster_id(welcome.cluster_id); !written) {
            log::error("identity could not be written down", {{"error", written.error()}});
            return;
        }
    }
    if (state_.cluster_id() != welcome.cluster_id) {
        log::error("this target belongs to another cluster", {{"cluster", state_.cluster_id()}, {"proxy_cluster", welcome.cluster_id}});
        return;
    }
    // Said by a process of it that is over, and late: one that had heard what this target knows would have refused it.
    if (wire::compare(state_.proxy(), welcome.lineage) == wire::Kinship::older_copy) return;
    if (state_.is_new_branch(welcome.new_branch)) {
        if (auto held = handlers_.accepted(); !held) {
            log::error("orders of this copy could not be held back; it does not join until they can", {{"error", held.error()}});
            return;
        }
    }
    const Result<bool> met = state_.met(welcome.new_branch);
    const Result<void> remembered = met ? state_.remember_proxy(welcome.lineage) : Result<void>(met.error());
    if (!remembered) {
        log::error("the proxy could not be written down", {{"error", remembered.error()}});
        return;
    }
    if (*met) return;  // the proxy hears of the branch with the next hello
    map_version_ = welcome.map.version;
    handlers_.map(welcome.map);
    if (welcomed_ && proxy_boot_id_ == welcome.boot_id) return;
    welcomed_ = true;
    proxy_boot_id_ = welcome.boot_id;
    const http::Scheme scheme = config_.tls_certificate.empty() ? http::Scheme::http : http::Scheme::https;
    if (welcome.http_port != 0) handlers_.proxy({host_of(address_), welcome.http_port, "", scheme});
    log::info("joined", {{"cluster", welcome.cluster_id}, {"map_version", map_version_}});
    handlers_.joined();
    report_transforms();
    beat_now_.set();
}

void ProxyLink::refused(const wire::Welcome& welcome) {
    if (refused_ != welcome.refused) {
        log::error("the proxy refuses this target", {{"reason", welcome.refused}});
        handlers_.refused(welcome.refused);
    }
    refused_ = welcome.refused;
    welcomed_ = false;
    if (welcome.wants_catalog) say(state_.catalog());
}

void ProxyLink::receive_catalog(const wire::Catalog& catalog) {
    if (catalog.version > state_.catalog().version) return handlers_.catalog(catalog);
    report_catalog();
}

Task<void> ProxyLink::stop() {
    stopping_ = true;
    beat_now_.set();
    say(wire::Goodbye{boot_id_});
    co_await tasks_.join();
    if (link_) link_->stop();
    auto nothing = [] { return 0; };
    (void)co_await call_on(control_.executor(), nothing);  // what the link had posted before has run now
}

}  // namespace millrace::worker
