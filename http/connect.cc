#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <cstring>
#include <vector>

#include "http/client.h"
#include "http/connection.h"
#include "http/plain_transport.h"
#include "http/tls_transport.h"

namespace millrace::http {
namespace asio = boost::asio;
namespace {

constexpr std::size_t kAddressesMax = 8;
// A listener on this machine answers at once, unless its backlog is full: then the system drops the attempt without a word and repeats
// it after a whole second. Python's servers have a backlog of 5, so it is asked again sooner here.
constexpr Duration kLoopbackAttemptMin = milliseconds(10);
constexpr Duration kLoopbackAttemptMax = milliseconds(500);

struct Address {
    sockaddr_storage storage{};
    socklen_t length = 0;
    const sockaddr& get() const { return reinterpret_cast<const sockaddr&>(storage); }
    bool is_loopback() const {
        if (storage.ss_family == AF_INET6) return IN6_IS_ADDR_LOOPBACK(&reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr);
        return ntohl(reinterpret_cast<const sockaddr_in&>(storage).sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
};

Address address_of(const asio::ip::tcp::endpoint& endpoint) {
    Address address;
    std::memcpy(&address.storage, endpoint.data(), endpoint.size());
    address.length = static_cast<socklen_t>(endpoint.size());
    return address;
}

// A look-up cannot be interrupted, so it is left to end by itself when the deadline passes; it owns what it touches.
struct LookUp {
    explicit LookUp(const Executor& executor) : resolver(executor), done(executor) {}
    asio::ip::tcp::resolver resolver;
    Event done;
    boost::system::error_code failure;
    std::vector<Address> addresses;
};

Task<Result<std::vector<Address>>> look_up(Endpoint endpoint, Instant deadline) {
    const auto state = std::make_shared<LookUp>(co_await asio::this_coro::executor);
    using Found = asio::ip::tcp::resolver::results_type;
    const auto finished = [state](const boost::system::error_code& failure, const Found& found) {
        state->failure = failure;
        for (const auto& entry : found) {
            if (state->addresses.size() < kAddressesMax) state->addresses.push_back(address_of(entry.endpoint()));
        }
        state->done.set();
    };
    state->resolver.async_resolve(endpoint.host, std::to_string(endpoint.port), finished);
    if (!co_await state->done.wait_until(deadline)) {
        co_return fail(Code::unavailable, "cannot look up host '" + endpoint.host + "': no answer in time");
    }
    if (state->failure) {
        co_return fail(Code::unavailable, "cannot look up host '" + endpoint.host + "': " + state->failure.message());
    }
    co_return std::move(state->addresses);
}

Task<Result<std::vector<Address>>> tcp_addresses(Endpoint endpoint, Instant deadline) {
    std::vector<Address> addresses;
    const auto add = [&](std::string_view ip) {
        boost::system::error_code failure;
        const auto address = asio::ip::make_address(ip, failure);
        if (!failure) addresses.push_back(address_of({address, endpoint.port}));
    };
    if (endpoint.host == "localhost") {
        add("127.0.0.1");
        add("::1");
    } else {
        add(endpoint.host);
    }
    if (!addresses.empty()) co_return addresses;
    co_return co_await look_up(std::move(endpoint), deadline);
}

// What carries bytes to a server on TCP.
Result<MakeTransport> transport_to(const Endpoint& endpoint) {
    switch (endpoint.scheme) {
        case Scheme::http: return MakeTransport(make_plain_transport);
        case Scheme::https: break;
    }
    MILLRACE_TRY_ASSIGN(std::shared_ptr<TlsContext> context, client_tls());
    return tls_client_transport(std::move(context), endpoint.host);
}

Error refused(const Endpoint& endpoint, std::string_view why) {
    return fail(Code::unavailable, "cannot connect to " + endpoint.text() + ": " + std::string(why));
}

Result<Descriptor> make_socket(const OpenSocket& open_socket, int family) {
    const int fd = open_socket ? open_socket(family) : ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return errno_error("cannot open a socket", errno);
    if (family != AF_UNIX) keep_alive(fd);
    return Descriptor(fd);
}

// A full backlog of a Unix socket refuses with EAGAIN and announces nothing when there is room again.
Task<Result<std::unique_ptr<Connection>>> connect_unix(Endpoint endpoint, Instant deadline, OpenSocket open_socket) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (endpoint.unix_path.size() >= sizeof address.sun_path) {
        co_return fail(Code::invalid_argument, "the path of Unix socket " + endpoint.unix_path + " is longer than " +
                                                   std::to_string(sizeof address.sun_path - 1) + " bytes");
    }
    std::memcpy(address.sun_path, endpoint.unix_path.data(), endpoint.unix_path.size());
    MILLRACE_CO_TRY_ASSIGN(Descriptor socket, make_socket(open_socket, AF_UNIX));
    while (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN) co_return refused(endpoint, std::strerror(errno));
        if (steady_now() >= deadline) co_return refused(endpoint, "its backlog stays full");
        co_await sleep_for(milliseconds(2));
    }
    const Executor executor = co_await asio::this_coro::executor;
    co_return std::make_unique<Connection>(executor, make_plain_transport(executor, std::move(socket)));
}

// What came of a step towards a connection.
Result<void> outcome_of(const boost::system::error_code& failure, const Connection& connection, const Endpoint& endpoint) {
    if (connection.expired()) return refused(endpoint, "no answer in time");
    if (failure == asio::error::operation_aborted) return fail(Code::cancelled, "connecting to " + endpoint.text() + ": cancelled");
    if (failure) return refused(endpoint, failure.message());
    return {};
}

// One attempt at one address. Null: it was not over in time.
Task<Result<std::unique_ptr<Connection>>> try_address(const Endpoint& endpoint, const Address& address, Instant until,
                                                      const MakeTransport& make_transport, const OpenSocket& open_socket) {
    MILLRACE_CO_TRY_ASSIGN(Descriptor socket, make_socket(open_socket, address.storage.ss_family));
    const Executor executor = co_await asio::this_coro::executor;
    auto connection = std::make_unique<Connection>(executor, make_transport(executor, std::move(socket)));
    connection->set_deadline(Side::write, until);
    const boost::system::error_code failure = co_await connection->connect(address.get(), address.length);
    if (connection->expired()) co_return nullptr;
    MILLRACE_CO_TRY(outcome_of(failure, *connection, endpoint));
    co_return connection;
}

// The rest of a connect, when the socket is connected.
Task<Result<std::unique_ptr<Connection>>> opened(std::unique_ptr<Connection> connection, const Endpoint& endpoint, Instant deadline) {
    connection->set_deadline(Side::write, deadline);
    const boost::system::error_code failure = co_await connection->open(Transport::Role::client);
    MILLRACE_CO_TRY(outcome_of(failure, *connection, endpoint));
    connection->set_deadline(Side::write, Instant::max());
    co_return connection;
}

Task<Result<std::unique_ptr<Connection>>> connect_tcp(Endpoint endpoint, Instant deadline, OpenSocket open_socket) {
    MILLRACE_CO_TRY_ASSIGN(const MakeTransport make_transport, transport_to(endpoint));
    MILLRACE_CO_TRY_ASSIGN(const std::vector<Address> addresses, co_await tcp_addresses(endpoint, deadline));
    Result<std::unique_ptr<Connection>> outcome = refused(endpoint, "the host has no address");
    for (const Address& address : addresses) {
        Duration patience = address.is_loopback() ? kLoopbackAttemptMin : Duration::max();
        for (;;) {
            const Instant now = steady_now();
            const bool is_last = patience >= deadline - now;
            outcome = co_await try_address(endpoint, address, is_last ? deadline : now + patience, make_transport, open_socket);
            if (!outcome || *outcome != nullptr || is_last) break;
            patience = std::min(2 * patience, kLoopbackAttemptMax);
        }
        if (outcome && *outcome == nullptr) co_return refused(endpoint, "no answer in time");
        if (outcome) co_return co_await opened(*std::move(outcome), endpoint, deadline);
        if (outcome.error().code == Code::cancelled) co_return outcome;
    }
    co_return outcome;
}

}  // namespace

Task<Result<std::unique_ptr<Connection>>> connect_to(Endpoint endpoint, Duration connect_timeout, Instant deadline, OpenSocket open_socket) {
    const Instant until = std::min(deadline, steady_now() + connect_timeout);
    const bool is_unix = !endpoint.unix_path.empty();
    auto connected = co_await (is_unix ? connect_unix(endpoint, until, open_socket) : connect_tcp(endpoint, until, open_socket));
    if (!connected && connected.error().code == Code::unavailable && steady_now() >= deadline) {
        co_return fail(Code::timed_out, connected.error().context);
    }
    co_return connected;
}

}  // namespace millrace::http
