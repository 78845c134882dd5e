#include "http/server.h"

#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <cstring>
#include <future>
#include <list>

#include "core/check.h"
#include "core/log.h"
#include "http/listener.h"
#include "http/peer_counts.h"
#include "http/server_connection.h"

namespace millrace::http {
namespace asio = boost::asio;
namespace {

constexpr int kAcceptsPerWakeMax = 64;
constexpr int kTurnedAwayMax = 64;             // connections that are being told so; beyond, they are just closed
constexpr auto kEndAfterCut = milliseconds(1000);
constexpr auto kCancelAgain = milliseconds(100);
constexpr auto kAcceptPause = milliseconds(100);
constexpr auto kClientsWatched = milliseconds(1000);

// What all lanes share.
struct Shared {
    Handler handler;
    ServerOptions options;
    std::atomic<std::size_t> connections{0};
    std::atomic<int> turned_away{0};
    PeerCounts peers;

    bool has_room(std::size_t number, std::size_t of_peer) const {
        const std::size_t per_peer_max = options.connections_per_peer_max;
        return number <= options.connections_max && (per_peer_max == 0 || of_peer <= per_peer_max);
    }
};

// The part of the server that lives on one executor. Constructed and destroyed on any thread, used on its own.
class Lane : public std::enable_shared_from_this<Lane> {
public:
    Lane(Executor executor, std::shared_ptr<Shared> shared)
        : executor_(executor), shared_(std::move(shared)), tasks_(executor), empty_(executor) {}

    const Executor& executor() const { return executor_; }

    // Any thread: hands a connection over. One that comes after stop() is closed.
    void take(Descriptor socket, const MakeTransport& transport) {
        asio::post(executor_, [self = shared_from_this(), socket = std::move(socket), transport]() mutable {
            if (!self->stopping_) self->tasks_.spawn(self->run(transport(self->executor_, std::move(socket))));
        });
    }

    // Any thread: accepts from the socket and spreads the connections over `lanes`.
    void listen(Descriptor socket, MakeTransport transport, std::vector<std::shared_ptr<Lane>> lanes) {
        auto begin = [self = shared_from_this(), socket = std::move(socket), transport = std::move(transport), lanes = std::move(lanes)]() mutable {
            if (!self->stopping_) self->tasks_.spawn(self->accept(std::move(socket), std::move(transport), std::move(lanes)));
        };
        asio::post(executor_, std::move(begin));
    }

    // Ends everything; returns when nothing of the lane runs any more.
    Task<void> stop(Instant cut_at) {
        stopping_ = true;
        for (asio::posix::stream_descriptor* listener : listeners_) {
            boost::system::error_code ignored;
            listener->close(ignored);
        }
        for (Entry* entry : connections_) entry->connection.close_if_idle();
        while (!connections_.empty() && steady_now() < cut_at) (void)co_await empty_.wait_until(cut_at);
        if (!connections_.empty()) log::warn("requests cut by the stop of the server", {{"connections", connections_.size()}});
        for (Entry* entry : connections_) entry->connection.cut();
        const Instant cancel_at = steady_now() + kEndAfterCut;
        while (!connections_.empty() && steady_now() < cancel_at) (void)co_await empty_.wait_until(cancel_at);
        for (auto entry = connections_.begin(); entry != connections_.end();) (*entry++)->cancel.emit(asio::cancellation_type::terminal);
        while (tasks_.size() > 0) {  // a wait that begins after a cancellation is not ended by it
            tasks_.cancel();
            co_await tasks_.wait(steady_now() + kCancelAgain);
        }
    }

private:
    // The connection's place in the books, given back however its task ends.
    struct Entry {
        Entry(Lane& owner, ServerConnection& served) : lane(owner), connection(served) {
            place = lane.connections_.insert(lane.connections_.end(), this);
            lane.empty_.clear();
        }
        Entry(const Entry&) = delete;
        ~Entry() {
            lane.connections_.erase(place);
            if (lane.connections_.empty()) lane.empty_.set();
        }
        Lane& lane;
        ServerConnection& connection;
        asio::cancellation_signal cancel;
        std::list<Entry*>::iterator place;
    };

    template <class Count>
    struct Counted {
        explicit Counted(std::atomic<Count>& counter) : count(counter), number(++counter) {}
        Counted(const Counted&) = delete;
        ~Counted() { --count; }
        std::atomic<Count>& count;
        const Count number;
    };

    Task<void> run(std::unique_ptr<Transport> transport) {
        const Counted<std::size_t> counted(shared_->connections);
        const PeerCounts::Counted of_peer(shared_->peers, peer_of(transport->peer()));
        ServerConnection connection(executor_, std::move(transport), shared_->handler, shared_->options, stopping_);
        Entry entry(*this, connection);
        if (shared_->has_room(counted.number, of_peer.number())) {
            if (!std::exchange(is_watching_, true)) tasks_.spawn(watch_clients());
            co_await asio::co_spawn(executor_, connection.serve(), asio::bind_cancellation_slot(entry.cancel.slot(), asio::use_awaitable));
            co_return;
        }
        const Counted<int> turned_away(shared_->turned_away);
        if (turned_away.number <= kTurnedAwayMax) co_await connection.turn_away();
    }

    // Ends what is done for clients that have hung up. Nothing tells of that while nothing is read or written.
    Task<void> watch_clients() {
        while (!connections_.empty() && !stopping_) {
            co_await sleep_for(kClientsWatched);
            for (auto place = connections_.begin(); place != connections_.end();) {
                Entry& entry = **place++;
                if (!entry.connection.is_abandoned()) continue;
                entry.connection.cut();
                entry.cancel.emit(asio::cancellation_type::terminal);
            }
        }
        is_watching_ = false;
    }

    Task<void> accept(Descriptor socket, MakeTransport transport, std::vector<std::shared_ptr<Lane>> lanes);
    bool accept_some(int listening, const MakeTransport& transport, const std::vector<std::shared_ptr<Lane>>& lanes, std::size_t& next);

    Executor executor_;
    std::shared_ptr<Shared> shared_;
    bool stopping_ = false;
    bool is_watching_ = false;
    std::list<Entry*> connections_;
    std::list<asio::posix::stream_descriptor*> listeners_;
    TaskGroup tasks_;
    Event empty_;
};

// False when the process or the system is short of something and accepting must pause.
bool Lane::accept_some(int listening, const MakeTransport& transport, const std::vector<std::shared_ptr<Lane>>& lanes, std::size_t& next) {
    for (int i = 0; i < kAcceptsPerWakeMax; ++i) {
        Descriptor socket(::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
        if (socket.get() >= 0) {
            lanes[next++ % lanes.size()]->take(std::move(socket), transport);
            continue;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK) return true;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            log::warn("cannot accept connections for now", {{"reason", std::strerror(errno)}});
            return false;
        }
    }
    return true;
}

Task<void> Lane::accept(Descriptor socket, MakeTransport transport, std::vector<std::shared_ptr<Lane>> lanes) {
    asio::posix::stream_descriptor listener(executor_);
    boost::system::error_code failure;
    listener.assign(socket.get(), failure);
    if (failure) {
        log::error("cannot listen", {{"reason", failure.message()}});
        co_return;
    }
    (void)socket.release();
    const auto place = listeners_.insert(listeners_.end(), &listener);
    std::size_t next = 0;
    while (!stopping_) {
        const auto [waited] = co_await listener.async_wait(asio::posix::stream_descriptor::wait_read, use_tuple);
        if (stopping_) break;
        if (waited || !accept_some(listener.native_handle(), transport, lanes, next)) co_await sleep_for(kAcceptPause);
    }
    listeners_.erase(place);
}

}  // namespace

struct Server::Impl {
    std::vector<std::shared_ptr<Lane>> lanes;
    std::vector<std::string> unix_paths;
    std::size_t listeners = 0;
    bool stopped = false;

    void listen(Descriptor socket, MakeTransport transport) {
        lanes[listeners++ % lanes.size()]->listen(std::move(socket), std::move(transport), lanes);
    }
};

Server::Server(std::vector<Executor> lanes, Handler handler, ServerOptions options) : impl_(std::make_unique<Impl>()) {
    MILLRACE_CHECK(!lanes.empty());
    const auto shared = std::make_shared<Shared>();
    shared->handler = std::move(handler);
    shared->options = options;
    for (const Executor& executor : lanes) impl_->lanes.push_back(std::make_shared<Lane>(executor, shared));
}

Server::~Server() { MILLRACE_CHECK(impl_->stopped || impl_->listeners == 0); }

Result<std::uint16_t> Server::listen(const std::string& host, std::uint16_t port, MakeTransport transport) {
    MILLRACE_TRY_ASSIGN(Listening listening, listen_tcp(host, port));
    impl_->listen(std::move(listening.socket), std::move(transport));
    return listening.port;
}

void Server::listen_on(int socket, MakeTransport transport) { impl_->listen(Descriptor(socket), std::move(transport)); }

Result<void> Server::listen_unix(const std::string& path) {
    MILLRACE_TRY_ASSIGN(Listening listening, listen_unix_socket(path));
    impl_->unix_paths.push_back(path);
    impl_->listen(std::move(listening.socket), make_plain_transport);
    return {};
}

void Server::stop(Duration grace) {
    if (std::exchange(impl_->stopped, true) || impl_->listeners == 0) return;
    const Instant cut_at = steady_now() + grace;
    std::vector<std::future<void>> stopping;
    for (const auto& lane : impl_->lanes) {
        stopping.push_back(asio::co_spawn(lane->executor(), lane->stop(cut_at), asio::use_future));
    }
    for (std::future<void>& lane : stopping) lane.get();
    for (const std::string& path : impl_->unix_paths) ::unlink(path.c_str());
}

Task<void> Server::close(Duration grace) {
    if (std::exchange(impl_->stopped, true) || impl_->listeners == 0) co_return;
    const Instant cut_at = steady_now() + grace;
    for (const auto& lane : impl_->lanes) co_await asio::co_spawn(lane->executor(), lane->stop(cut_at), asio::use_awaitable);
    for (const std::string& path : impl_->unix_paths) ::unlink(path.c_str());
}

}  // namespace millrace::http
