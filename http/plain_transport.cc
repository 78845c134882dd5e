#include "http/plain_transport.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/sendfile.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>

#include "core/check.h"
#include "http/file_sender.h"

namespace millrace::http {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {

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

class PlainTransport final : public Transport, public FileSender {
public:
    PlainTransport(const Executor& executor, Descriptor descriptor) : socket_(executor) {
        const int family = family_of(descriptor.get());
        if (family == AF_INET || family == AF_INET6) {
            const int on = 1;
            ::setsockopt(descriptor.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        }
        error_code failure;
        const asio::generic::stream_protocol protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP);
        socket_.assign(protocol, descriptor.get(), failure);
        // On failure the socket stays closed, and so every operation on it fails.
        if (!failure) (void)descriptor.release();
    }

    Task<error_code> connect(const sockaddr& address, socklen_t length) override {
        const int protocol = address.sa_family == AF_UNIX ? 0 : IPPROTO_TCP;
        const asio::generic::stream_protocol::endpoint endpoint(&address, length, protocol);
        const auto [failure] = co_await socket_.async_connect(endpoint, use_tuple);
        co_return failure;
    }

    Task<error_code> open(Role) override { co_return error_code{}; }

    Task<Io> read_some(std::span<std::byte> buffer) override {
        return socket_.async_read_some(asio::buffer(buffer.data(), buffer.size()), use_tuple);
    }

    Task<Io> write_some(Parts parts) override {
        MILLRACE_CHECK(parts.size() <= kPartsMax);
        std::array<asio::const_buffer, kPartsMax> buffers;
        for (std::size_t i = 0; i < parts.size(); ++i) buffers[i] = asio::const_buffer(parts[i].data(), parts[i].size());
        return socket_.async_write_some(buffers, use_tuple);
    }

    Io try_write(Parts parts) override {
        MILLRACE_CHECK(parts.size() <= kPartsMax);
        if (!socket_.is_open()) return {asio::error::bad_descriptor, 0};
        std::array<iovec, kPartsMax> pieces{};
        for (std::size_t i = 0; i < parts.size(); ++i) {
            pieces[i] = {.iov_base = const_cast<std::byte*>(parts[i].data()), .iov_len = parts[i].size()};
        }
        msghdr message{};
        message.msg_iov = pieces.data();
        message.msg_iovlen = parts.size();
        const ssize_t count = ::sendmsg(socket(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (count >= 0) return {error_code{}, static_cast<std::size_t>(count)};
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) return {error_code{}, 0};
        return {error_code(errno, boost::system::system_category()), 0};
    }

    Task<Io> send_some(std::span<const std::byte> before, FilePart part) override {
        error_code failure;
        if (!socket_.native_non_blocking()) socket_.native_non_blocking(true, failure);
        while (!failure) {
            const ssize_t count = before.empty() ? send_part(part) : ::send(socket(), before.data(), before.size(), MSG_MORE | MSG_NOSIGNAL);
            if (count > 0) co_return Io(error_code{}, static_cast<std::size_t>(count));
            if (count == 0) co_return Io(error_code(EIO, boost::system::system_category()), 0);  // the file is shorter than it was
            if (errno == EAGAIN || errno == EWOULDBLOCK) {
                std::tie(failure) = co_await socket_.async_wait(asio::socket_base::wait_write, use_tuple);
            } else if (errno != EINTR) {
                failure = error_code(errno, boost::system::system_category());
            }
        }
        co_return Io(failure, 0);
    }

    Task<void> end_sending() override {
        error_code ignored;
        socket_.shutdown(asio::socket_base::shutdown_send, ignored);
        co_return;
    }

    void cut() override {
        if (!socket_.is_open()) return;
        const linger reset{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(socket(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        close();
    }

    void close() override {
        error_code ignored;
        socket_.close(ignored);
    }

    Descriptor release() override {
        error_code failure;
        const int fd = socket_.release(failure);
        close();
        return Descriptor(failure ? -1 : fd);
    }

    bool is_open() const override { return socket_.is_open(); }

    bool has_hung_up() const override {
        if (!socket_.is_open()) return true;
        pollfd question{socket(), POLLRDHUP, 0};
        return ::poll(&question, 1, 0) > 0;
    }

    bool is_silent() override {
        if (!socket_.is_open()) return false;
        char byte = 0;
        const ssize_t count = ::recv(socket(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
    }

    std::string peer() const override {
        sockaddr_storage address{};
        socklen_t length = sizeof address;
        if (!socket_.is_open() || ::getpeername(socket(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return "unknown";
        return address_text(address);
    }

private:
    // SIGPIPE is ignored by whoever sends files: there is no MSG_NOSIGNAL for them.
    ssize_t send_part(FilePart part) {
        off_t offset = static_cast<off_t>(part.offset);
        return ::sendfile(socket(), part.fd, &offset, part.length);
    }

    int socket() const { return socket_.native_handle(); }

    mutable asio::generic::stream_protocol::socket socket_;  // Asio's handle is not const
};

}  // namespace

std::unique_ptr<Transport> make_plain_transport(const Executor& executor, Descriptor socket) {
    return std::make_unique<PlainTransport>(executor, std::move(socket));
}

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

}  // namespace millrace::http
