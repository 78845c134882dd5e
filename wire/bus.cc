#include "wire/bus.h"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>
#include <zmq.hpp>

#include "core/check.h"
#include "core/descriptor.h"
#include "core/log.h"
#include "core/metrics.h"
#include "core/secrets.h"
#include "wire/handshake_watch.h"
#include "wire/key_check.h"

namespace millrace::wire {
namespace {

constexpr int kPingMs = 1000;
constexpr int kSilentMs = 5000;
constexpr auto kReportPause = std::chrono::seconds(10);
constexpr std::size_t kRoutesMax = 10'000;   // whose keys are remembered; beyond, all are learnt anew
constexpr std::size_t kRouteSecretBytes = 16;
constexpr char kUser[] = "User-Id";  // the property under which KeyCheck hands on the key of a message (RFC 27)

struct Outgoing {
    std::string peer;  // empty on a DEALER
    std::string bytes;
};

// What was received and the owner's loop has not taken yet, and how the socket's thread is woken. Shared with what waits in that loop.
class Backlog {
public:
    Backlog() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { MILLRACE_CHECK(wake_.is_open()); }
    Backlog(const Backlog&) = delete;
    Backlog& operator=(const Backlog&) = delete;

    int descriptor() const { return wake_.get(); }
    void wake() {
        const std::uint64_t one = 1;
        (void)!::write(wake_.get(), &one, sizeof one);
    }
    bool is_full() const { return messages_ >= kUntakenMessagesMax || bytes_ >= kUntakenBytesMax; }
    void add(std::size_t bytes) {
        ++messages_;
        bytes_ += bytes;
    }
    void take(std::size_t bytes) {
        const bool was_full = is_full();
        --messages_;
        bytes_ -= bytes;
        if (was_full && !is_full()) wake();
    }

private:
    const Descriptor wake_;
    std::atomic<std::size_t> messages_ = 0;
    std::atomic<std::size_t> bytes_ = 0;
};

// The thread that owns one socket: sends what is queued, hands on what arrives.
class SocketThread {
public:
    using Deliver = std::function<void(std::string peer, Message message)>;

    SocketThread(zmq::socket_type type, Executor executor, Deliver deliver)
        : type_(type), socket_(context_, type), executor_(std::move(executor)), deliver_(std::make_shared<Deliver>(std::move(deliver))) {
        socket_.set(zmq::sockopt::linger, 200);
        socket_.set(zmq::sockopt::sndhwm, static_cast<int>(kQueuedMessagesMax));
        socket_.set(zmq::sockopt::rcvhwm, static_cast<int>(kQueuedMessagesMax));
        const std::size_t bytes_max = type == zmq::socket_type::router ? kTargetMessageBytesMax : kMessageBytesMax;
        socket_.set(zmq::sockopt::maxmsgsize, static_cast<std::int64_t>(bytes_max));
        socket_.set(zmq::sockopt::reconnect_ivl, 50);
        socket_.set(zmq::sockopt::reconnect_ivl_max, 1000);
        // A connection that goes silent without closing is given up, and made anew; so is one that never came to a handshake.
        socket_.set(zmq::sockopt::heartbeat_ivl, kPingMs);
        socket_.set(zmq::sockopt::heartbeat_timeout, kSilentMs);
        socket_.set(zmq::sockopt::heartbeat_ttl, kSilentMs);
        socket_.set(zmq::sockopt::handshake_ivl, kSilentMs);
        socket_.set(zmq::sockopt::connect_timeout, kSilentMs);
        socket_.set(zmq::sockopt::tcp_keepalive, 1);
        socket_.set(zmq::sockopt::tcp_keepalive_idle, 10);
        socket_.set(zmq::sockopt::tcp_keepalive_intvl, 5);
        socket_.set(zmq::sockopt::tcp_keepalive_cnt, 3);
    }

    ~SocketThread() { stop(); }

    // ---- before run() only
    zmq::socket_t& socket() { return socket_; }
    void check_keys(std::shared_ptr<const AllowedKeys> allowed) {
        allowed_ = std::move(allowed);
        key_check_.emplace(context_, allowed_, [this](const std::string& key, const std::string& address) { report_stranger(key, address); });
    }
    void watch_handshakes(DealerBus::Refused refused, bool is_private) {
        handshakes_.emplace(context_, socket_, is_private);
        refused_ = std::make_shared<DealerBus::Refused>(std::move(refused));
    }

    void run(const char* name) {
        thread_ = std::thread([this] { loop(); });
        pthread_setname_np(thread_.native_handle(), name);
    }

    Result<void> send(const std::string& peer, const Message& message) {
        std::string bytes = encode(message);
        {
            const std::lock_guard lock(mutex_);
            if (queue_.size() >= kQueuedMessagesMax) return fail(Code::overloaded, "too many control messages wait to be sent");
            queue_.push_back({peer, std::move(bytes)});
        }
        wake();
        return {};
    }

    void stop() {
        if (!thread_.joinable()) return;
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake();
        thread_.join();
        handshakes_.reset();
        socket_.close();
        key_check_.reset();
    }

private:
    void wake() { backlog_->wake(); }

    void loop() {
        for (;;) {
            // While the owner takes nothing, nothing is received: it waits in ZeroMQ, and then with the peers.
            const short receives = backlog_->is_full() ? 0 : ZMQ_POLLIN;
            zmq::pollitem_t items[3] = {{socket_.handle(), 0, receives, 0}, {nullptr, backlog_->descriptor(), ZMQ_POLLIN, 0}};
            std::size_t count_of_items = 2;
            if (key_check_) items[count_of_items++] = {key_check_->socket().handle(), 0, ZMQ_POLLIN, 0};
            if (handshakes_) items[count_of_items++] = {handshakes_->socket().handle(), 0, ZMQ_POLLIN, 0};
            try {
                zmq::poll(items, count_of_items, std::chrono::milliseconds(1000));
                std::uint64_t count = 0;
                (void)!::read(backlog_->descriptor(), &count, sizeof count);
                if (!send_queued()) return;
                if (key_check_) key_check_->answer();
                if (handshakes_) look_at_handshakes();
                receive_all();
            } catch (const zmq::error_t& failure) {
                if (failure.num() == EINTR) continue;
                log::error("control socket failed", {{"what", failure.what()}});
                return;
            }
        }
    }

    // False when it is time to stop.
    bool send_queued() {
        std::deque<Outgoing> batch;
        bool stopping = false;
        {
            const std::lock_guard lock(mutex_);
            batch.swap(queue_);
            stopping = stopping_;
        }
        for (Outgoing& message : batch) {
            try {
                if (type_ == zmq::socket_type::router) {
                    if (!may_send_to(message.peer)) continue;
                    if (!socket_.send(zmq::buffer(message.peer), zmq::send_flags::sndmore | zmq::send_flags::dontwait)) continue;
                }
                (void)socket_.send(zmq::buffer(message.bytes), zmq::send_flags::dontwait);
            } catch (const zmq::error_t& failure) {
                if (failure.num() != EHOSTUNREACH) throw;  // a ROUTER says so for a peer that is gone
            }
        }
        return !stopping;
    }

    void receive_all() {
        for (int count = 0; count < 1000; ++count) {
            if (backlog_->is_full()) return;  // take() wakes
            std::string peer;
            zmq::message_t frame;
            if (!socket_.recv(frame, zmq::recv_flags::dontwait)) return;
            if (type_ == zmq::socket_type::router) {
                peer = frame.to_string();
                if (!frame.more()) continue;
                if (!socket_.recv(frame, zmq::recv_flags::dontwait)) return;
            }
            const bool single = !frame.more();
            while (frame.more() && socket_.recv(rest_, zmq::recv_flags::dontwait) && rest_.more()) {
            }
            if (allowed_ && !is_of_its_key(peer, frame)) continue;
            auto message = single ? decode(frame.to_string_view()) : Result<Message>(fail(Code::invalid_argument, "message of several frames"));
            if (!message) {
                report_garbage(message.error());
                continue;
            }
            const std::size_t bytes = frame.size();
            backlog_->add(bytes);
            boost::asio::post(executor_, [deliver = deliver_, backlog = backlog_, bytes, peer = std::move(peer), body = std::move(*message)]() mutable {
                backlog->take(bytes);
                (*deliver)(std::move(peer), std::move(body));
            });
        }
        wake();  // more may wait
    }

    // A node whose key is allowed speaks for itself alone.
    bool is_of_its_key(const std::string& route, zmq::message_t& frame) {
        const char* shown = ::zmq_msg_gets(frame.handle(), kUser);
        const std::string key = shown == nullptr ? "" : shown;
        const std::string target = target_of(route);
        if (!allowed_->is_of(key, target)) {
            refused_messages_.add();
            if (may_report()) {
                log::warn(allowed_->contains(key) ? "a node speaks in the name of another; its messages are dropped"
                                                  : "the key of a node was taken off the list; its messages are dropped",
                          {{"claims", target}, {"key", fingerprint(key)}});
            }
            return false;
        }
        if (keys_by_route_.size() >= kRoutesMax && !keys_by_route_.contains(route)) keys_by_route_.clear();
        keys_by_route_[route] = key;
        return true;
    }

    // It may have been taken off the list since it was heard.
    bool may_send_to(const std::string& route) const {
        if (!allowed_) return true;
        const auto known = keys_by_route_.find(route);
        return known != keys_by_route_.end() && allowed_->is_of(known->second, target_of(route));
    }

    void report_stranger(const std::string& key, const std::string& address) {
        if (!may_report()) return;
        const std::string shown = key.empty() ? "none" : fingerprint(key);
        log::warn("a connection to the control port shows no key that is allowed", {{"from", address}, {"key", shown}});
    }

    void look_at_handshakes() {
        std::optional<std::string> wrong = handshakes_->look();
        if (!wrong || !may_report()) return;
        boost::asio::post(executor_, [refused = refused_, reason = std::move(*wrong)]() mutable { (*refused)(std::move(reason)); });
    }

    bool may_report() {
        if (steady_now() < next_report_) return false;
        next_report_ = steady_now() + kReportPause;
        return true;
    }

    void report_garbage(const Error& error) {
        garbage_.add();
        if (may_report()) log::warn("control message dropped", {{"error", error}});
    }

    zmq::context_t context_{1};
    const zmq::socket_type type_;
    zmq::socket_t socket_;
    zmq::message_t rest_;
    std::shared_ptr<const AllowedKeys> allowed_;  // nullptr: anybody
    std::optional<KeyCheck> key_check_;
    std::optional<HandshakeWatch> handshakes_;
    std::shared_ptr<DealerBus::Refused> refused_;
    std::unordered_map<std::string, std::string> keys_by_route_;
    Executor executor_;
    std::shared_ptr<Deliver> deliver_;
    const std::shared_ptr<Backlog> backlog_ = std::make_shared<Backlog>();
    metrics::Counter garbage_ = metrics::counter("millrace_control_messages_dropped_total", "Control messages that could not be decoded");
    metrics::Counter refused_messages_ = 
        metrics::counter("millrace_control_messages_refused_total", "Control messages whose key is not of the node they claim");
    Instant next_report_{};
    std::thread thread_;
    std::mutex mutex_;
    std::deque<Outgoing> queue_;  // guarded by mutex_
    bool stopping_ = false;       // guarded by mutex_
};

Error socket_error(const std::string& action, const zmq::error_t& failure) {
    const Code code = failure.num() == EADDRINUSE ? Code::unavailable : Code::invalid_argument;
    return fail(code, action + ": " + failure.what() +
        (failure.num() == EADDRINUSE ? "; another process uses this port: stop it or choose another port" : ""));
}

}  // namespace

struct RouterBus::Impl {
    SocketThread thread;
    bool is_private = false;
};

RouterBus::RouterBus(Executor executor, Receive receive)
    : impl_(new Impl{SocketThread(zmq::socket_type::router, std::move(executor),
                                  [receive = std::move(receive)](std::string peer, Message message) { receive(peer, std::move(message)); })}) {}
RouterBus::~RouterBus() = default;

Result<void> RouterBus::protect(const NodeKey& own, std::shared_ptr<const AllowedKeys> allowed) {
    try {
        impl_->thread.check_keys(std::move(allowed));
        zmq::socket_t& socket = impl_->thread.socket();
        socket.set(zmq::sockopt::curve_server, true);
        socket.set(zmq::sockopt::curve_secretkey, own.secret_key);
        socket.set(zmq::sockopt::zap_domain, "millrace");
        impl_->is_private = true;
        return {};
    } catch (const zmq::error_t& failure) {
        return socket_error("cannot protect the control port", failure);
    }
}

bool RouterBus::is_private() const { return impl_->is_private; }

Result<std::string> RouterBus::bind(const std::string& endpoint) {
    try {
        std::string address = endpoint;
        if (address.ends_with(":0")) address.replace(address.size() - 1, 1, "*");
        zmq::socket_t& socket = impl_->thread.socket();
        socket.set(zmq::sockopt::router_mandatory, true);
        socket.set(zmq::sockopt::router_handover, true);  // a target that came back takes its id over from its dead connection
        socket.bind(address);
        std::string bound = socket.get(zmq::sockopt::last_endpoint);
        impl_->thread.run("router-bus");
        return bound;
    } catch (const zmq::error_t& failure) {
        return socket_error("cannot bind " + endpoint, failure);
    }
}

Result<void> RouterBus::send(const std::string& peer, const Message& message) { return impl_->thread.send(peer, message); }
void RouterBus::stop() { impl_->thread.stop(); }

struct DealerBus::Impl {
    SocketThread thread;
    Refused refused = nullptr;
    bool is_private = false;
};

DealerBus::DealerBus(Executor executor, Receive receive)
    : impl_(new Impl{SocketThread(zmq::socket_type::dealer, std::move(executor),
                                  [receive = std::move(receive)](const std::string&, Message message) { receive(std::move(message)); })}) {}
DealerBus::~DealerBus() = default;

Result<void> DealerBus::protect(const NodeKey& own, const std::string& proxy_key) {
    if (!is_node_key(proxy_key)) return fail(Code::invalid_argument, "'proxy_key' is not a key: 40 characters, as <dir>/node_key.pub of the proxy says");
    try {
        zmq::socket_t& socket = impl_->thread.socket();
        socket.set(zmq::sockopt::curve_serverkey, proxy_key);
        socket.set(zmq::sockopt::curve_publickey, own.public_key);
        socket.set(zmq::sockopt::curve_secretkey, own.secret_key);
        impl_->is_private = true;
        return {};
    } catch (const zmq::error_t& failure) {
        return socket_error("cannot protect the connection to the proxy", failure);
    }
}

void DealerBus::on_refused(Refused refused) { impl_->refused = std::move(refused); }
bool DealerBus::is_private() const { return impl_->is_private; }

Result<void> DealerBus::connect(const std::string& endpoint, const std::string& route) {
    try {
        zmq::socket_t& socket = impl_->thread.socket();
        // A routing id is claimed, not proven, and the newest claim gets what is sent to it: no other node can guess this one.
        socket.set(zmq::sockopt::routing_id, impl_->is_private ? route + '\0' + random_bytes(kRouteSecretBytes) : route);
        if (impl_->refused) impl_->thread.watch_handshakes(impl_->refused, impl_->is_private);
        socket.set(zmq::sockopt::immediate, true);  // while the proxy is away messages are dropped, not piled up
        socket.connect(endpoint);
        impl_->thread.run("dealer-bus");
        return {};
    } catch (const zmq::error_t& failure) {
        return socket_error("cannot connect to " + endpoint, failure);
    }
}

Result<void> DealerBus::send(const Message& message) { return impl_->thread.send("", message); }
void DealerBus::stop() { impl_->thread.stop(); }

}  // namespace millrace::wire
