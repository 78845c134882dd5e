#include "http/connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "core/check.h"

namespace millrace::http {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr auto kCloseTimeMax = std::chrono::seconds(2);

int family_of(int fd) {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    return ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0 ? address.ss_family : AF_UNSPEC;
}

std::string address_text(const sockaddr_storage& address) {
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (address.ss_family == AF_INET) {
        const auto& ip = reinterpret_cast<const sockaddr_in&>(address);
        ::inet_ntop(AF_INET, &ip.sin_addr, text.data(), text.size());
        return std::string(text.data()) + ":" + std::to_string(ntohs(ip.sin_port));
    }
    if (address.ss_family == AF_INET6) {
        const auto& ip = reinterpret_cast<const sockaddr_in6&>(address);
        ::inet_ntop(AF_INET6, &ip.sin6_addr, text.data(), text.size());
        return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(ip.sin6_port));
    }
    return "unix";
}
}  // namespace

void keep_alive(int socket) {
    constexpr int kOn = 1;
    constexpr int kIdleSeconds = 60;
    constexpr int kProbes = 4;
    constexpr int kProbeSeconds = 15;
    ::setsockopt(socket, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof kOn);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof kIdleSeconds);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
    ::setsockopt(socket, IPPROTO_TCP, TCP_KEEPINTVL, &kProbeSeconds, sizeof kProbeSeconds);
}

struct Connection::Impl : std::enable_shared_from_this<Impl> {
    explicit Impl(const Executor& executor) : socket(executor), timer(executor) {}

    Instant next_deadline() const { return std::min(deadlines[0], deadlines[1]); }

    // The timer may go off earlier than the deadline that counts by then; it looks again. So a deadline that only moves
    // later, as with every request on a kept-alive connection, costs a store.
    void arm() {
        const Instant deadline = next_deadline();
        if (deadline >= armed_for || !socket.is_open()) return;
        armed_for = deadline;
        timer.expires_at(deadline);
        timer.async_wait([weak = weak_from_this()](const error_code& failure) {
            if (failure) return;
            if (const auto self = weak.lock()) self->look();
        });
    }

    void look() {
        armed_for = Instant::max();
        Instant now = steady_now();
        if (socket.is_open() && due && deadlines[0] <= now) {
            deadlines[0] = due();
            now = steady_now();  // what is due at once is not due a little later
        }
        if (!socket.is_open() || now < next_deadline()) return arm();
        expired = true;
        cut();
    }

    void cut() {
        if (!socket.is_open()) return;
        const linger reset{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket.native_handle(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close();
    }

    void close() {
        error_code ignored;
        socket.close(ignored);
        timer.cancel();
        armed_for = Instant::max();
    }

    asio::generic::stream_protocol::socket socket;
    asio::steady_timer timer;
    std::array<Instant, 2> deadlines{Instant::max(), Instant::max()};
    std::function<Instant()> due;
    Instant armed_for = Instant::max();
    bool expired = false;
};

Connection::Connection(const Executor& executor, Descriptor descriptor) : impl_(std::make_shared<Impl>(executor)) {
    const int family = family_of(descriptor.get());
    if (family == AF_INET || family == AF_INET6) {
        const int on = 1;
        ::setsockopt(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    error_code failure;
    const asio::generic::stream_protocol protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP);
    impl_->socket.assign(protocol, descriptor.get(), failure);
    // On failure the socket stays closed, and so every operation on it fails.
    if (!failure) (void)descriptor.release();
}

Connection::~Connection() { impl_->close(); }

Task<error_code> Connection::connect(const sockaddr& address, socklen_t length) {
    const int protocol = address.sa_family == AF_UNIX ? 0 : IPPROTO_TCP;
    const asio::generic::stream_protocol::endpoint endpoint(&address, length, protocol);
    const auto [failure] = co_await impl_->socket.async_connect(endpoint, use_tuple);
    co_return failure;
}

Task<Connection::Io> Connection::read_some(std::span<std::byte> buffer) {
    return impl_->socket.async_read_some(asio::buffer(buffer.data(), buffer.size()), use_tuple);
}

Task<Connection::Io> Connection::write_some(Parts parts) {
    MILLRACE_CHECK(parts.size() <= kPartsMax);
    std::array<asio::const_buffer, kPartsMax> buffers;
    for (std::size_t i = 0; i < parts.size(); ++i) buffers[i] = asio::const_buffer(parts[i].data(), parts[i].size());
    return impl_->socket.async_write_some(buffers, use_tuple);
}

Connection::Io Connection::try_write(Parts parts) {
    MILLRACE_CHECK(parts.size() <= kPartsMax);
    if (!impl_->socket.is_open()) return {asio::error::bad_descriptor, 0};
    std::array<iovec, kPartsMax> pieces{};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        pieces[i] = {.iov_base = const_cast<std::byte*>(parts[i].data()), .iov_len = parts[i].size()};
    }
    msghdr message{};
    message.msg_iov = pieces.data();
    message.msg_iovlen = parts.size();
    const ssize_t count = ::sendmsg(impl_->socket.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count >= 0) return {error_code{}, static_cast<std::size_t>(count)};
    if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {error_code{}, 0};
    return {error_code(errno, boost::system::system_category()), 0};
}

void Connection::set_deadline(Side side, Instant deadline) {
    impl_->deadlines[static_cast<std::size_t>(side)] = deadline;
    impl_->arm();
}

void Connection::set_due(std::function<Instant()> due) { impl_->due = std::move(due); }

void Connection::expect_progress(Side side) {
    if (stall_limit_ > Duration::zero()) set_deadline(side, steady_now() + stall_limit_);
}

void Connection::rest(Side side) {
    if (stall_limit_ > Duration::zero()) set_deadline(side, Instant::max());
}

void Connection::cut() { impl_->cut(); }
void Connection::close() { impl_->close(); }

Descriptor Connection::release() {
    error_code failure;
    const int fd = impl_->socket.release(failure);
    impl_->close();
    return Descriptor(failure ? -1 : fd);
}

bool Connection::is_open() const { return impl_->socket.is_open(); }
bool Connection::expired() const { return impl_->expired; }

Task<void> Connection::close_gently() {
    error_code ignored;
    impl_->socket.shutdown(asio::socket_base::shutdown_send, ignored);
    set_deadline(Side::read, steady_now() + kCloseTimeMax);
    set_deadline(Side::write, Instant::max());
    std::array<std::byte, 4096> discarded;
    for (;;) {
        const auto [failure, count] = co_await read_some(discarded);
        if (failure) break;
    }
    close();
}

bool Connection::has_hung_up() const {
    if (!impl_->socket.is_open()) return true;
    pollfd question{impl_->socket.native_handle(), POLLRDHUP, 0};
    return ::poll(&question, 1, 0) > 0;
}

bool Connection::is_silent() const {
    if (!impl_->socket.is_open()) return false;
    char byte = 0;
    const ssize_t count = ::recv(impl_->socket.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::string Connection::peer() const {
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    if (!impl_->socket.is_open() ||
        ::getpeername(impl_->socket.native_handle(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
        return "unknown";
    }
    return address_text(address);
}

Error Connection::error(std::string_view action, const error_code& code) const {
    if (impl_->expired) return fail(Code::timed_out, std::string(action) + ": the deadline passed");
    if (code == asio::error::operation_aborted && impl_->socket.is_open()) {
        return fail(Code::cancelled, std::string(action) + ": cancelled");
    }
    const bool ended = code == asio::error::eof || code == asio::error::connection_reset || code == asio::error::broken_pipe;
    const std::string why = code == asio::error::eof || !impl_->socket.is_open() ? "the connection was closed" : code.message();
    return fail(ended ? Code::incomplete_body : Code::unavailable, std::string(action) + ": " + why);
}

}  // namespace millrace::http
