#include "http/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "http/plain_transport.h"

namespace millrace::http {
namespace {

constexpr int kBacklog = 1024;

Error bind_error(const std::string& host, std::uint16_t port, int errno_value) {
    const std::string where = "port " + std::to_string(port) + " on " + host;
    switch (errno_value) {
        case EADDRINUSE:
            return fail(Code::unavailable,
                        where + " is in use by another process; choose another with --port or stop that process");
        case EACCES: return fail(Code::permission, where + " needs privileges; choose one above 1023 with --port");
        case EADDRNOTAVAIL:
            return fail(Code::invalid_argument, host + " is not an address of this machine; choose another with --host");
        default: return errno_error("cannot listen to " + where, errno_value);
    }
}

}  // namespace

Result<Listening> listen_tcp(const std::string& host, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(), &hints, &found);
    if (failed != 0) {
        return fail(Code::invalid_argument, "cannot listen on host '" + host + "': " + ::gai_strerror(failed));
    }
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    Descriptor socket(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return errno_error("cannot open a socket", errno);
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    keep_alive(socket.get());
    if (::bind(socket.get(), found->ai_addr, found->ai_addrlen) != 0 || ::listen(socket.get(), kBacklog) != 0) {
        return bind_error(host, port, errno);
    }
    sockaddr_storage bound{};
    socklen_t length = sizeof bound;
    if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&bound), &length) != 0) {
        return errno_error("cannot learn the port that was chosen", errno);
    }
    const auto chosen = bound.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(bound).sin6_port
                                                    : reinterpret_cast<const sockaddr_in&>(bound).sin_port;
    return Listening{std::move(socket), ntohs(chosen)};
}

Result<Listening> listen_unix_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return fail(Code::invalid_argument, "'" + path + "' cannot be a Unix socket: its path must have 1 to " +
                                                std::to_string(sizeof address.sun_path - 1) + " bytes");
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    struct stat existing{};
    if (::lstat(path.c_str(), &existing) == 0) {
        if (!S_ISSOCK(existing.st_mode)) {
            return fail(Code::already_exists, path + " exists and is not a socket; remove it or choose another path");
        }
        if (::unlink(path.c_str()) != 0) return errno_error("cannot replace the socket " + path, errno);
    }
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (socket.get() < 0) return errno_error("cannot open a socket", errno);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        ::listen(socket.get(), kBacklog) != 0) {
        return errno_error("cannot listen on " + path, errno);
    }
    return Listening{std::move(socket), 0};
}

}  // namespace millrace::http
