// An HTTP server that does next to nothing: it gives back the body it is sent. One thread, Linux, no library; what a transform in a
// fast language costs at least. It trusts its client: for benchmarks only.
//
//     build/release/bench/echo_server 8000
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

struct Connection {
    int socket = -1;
    std::string in;            // from the start of a request
    std::string out;
    std::size_t out_done = 0;  // of out
};

// Bytes of the body that the head announces.
std::size_t content_length(std::string_view head) {
    for (std::size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at + 2)) {
        constexpr std::string_view kName = "content-length:";
        const std::string_view field = head.substr(at + 2, kName.size());
        if (field.size() == kName.size() && ::strncasecmp(field.data(), kName.data(), kName.size()) == 0) {
            return std::strtoull(head.data() + at + 2 + kName.size(), nullptr, 10);
        }
    }
    return 0;
}

// Moves each whole request from `in` to its answer in `out`.
void answer(Connection& connection) {
    for (;;) {
        const std::size_t head_bytes = connection.in.find("\r\n\r\n");
        if (head_bytes == std::string::npos) return;
        const std::size_t body_at = head_bytes + 4;
        const std::size_t body_bytes = content_length(std::string_view(connection.in).substr(0, head_bytes));
        if (connection.in.size() < body_at + body_bytes) {
            connection.in.reserve(body_at + body_bytes + kReadBytes);
            return;
        }
        connection.out += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body_bytes) + "\r\n\r\n";
        connection.out.append(connection.in, body_at, body_bytes);
        connection.in.erase(0, body_at + body_bytes);
    }
}

// False at the end of the connection. Once it is ready to take more, epoll says so.
bool flush(Connection& connection) {
    while (connection.out_done < connection.out.size()) {
        const ssize_t count = ::send(connection.socket, connection.out.data() + connection.out_done, connection.out.size() - connection.out_done, MSG_NOSIGNAL);
        if (count < 0) return errno == EAGAIN;
        connection.out_done += static_cast<std::size_t>(count);
    }
    connection.out.clear();
    connection.out_done = 0;
    return true;
}

bool serve(Connection& connection) {
    static char buffer[kReadBytes];
    for (;;) {
        const ssize_t count = ::recv(connection.socket, buffer, sizeof buffer, 0);
        if (count == 0 || (count < 0 && errno != EAGAIN)) return false;
        if (count > 0) connection.in.append(buffer, static_cast<std::size_t>(count));
        answer(connection);
        if (count < static_cast<ssize_t>(sizeof buffer)) return flush(connection);
    }
}

// As a transform's server it is told a Unix socket, as a container's it has a port.
int listen_on(const char* path, int port) {
    const int listening = ::socket(path != nullptr ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un local{.sun_family = AF_UNIX, .sun_path = {}};
    sockaddr_in remote{.sin_family = AF_INET, .sin_port = htons(static_cast<std::uint16_t>(port)), .sin_addr = {}, .sin_zero = {}};
    if (path != nullptr) std::snprintf(local.sun_path, sizeof local.sun_path, "%s", path);
    const int on = 1;
    ::setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const bool is_bound = path != nullptr ? ::bind(listening, reinterpret_cast<sockaddr*>(&local), sizeof local) == 0
                                          : ::bind(listening, reinterpret_cast<sockaddr*>(&remote), sizeof remote) == 0;
    return is_bound && ::listen(listening, 1024) == 0 ? listening : -1;
}

}  // namespace

int main(int argc, char** argv) {
    const int listening = listen_on(std::getenv("MILLRACE_SOCKET"), argc > 1 ? std::atoi(argv[1]) : 8000);
    if (listening < 0) return 1;

    const int poll = ::epoll_create1(0);
    epoll_event event{.events = EPOLLIN, .data = {.fd = listening}};
    ::epoll_ctl(poll, EPOLL_CTL_ADD, listening, &event);
    std::unordered_map<int, Connection> connections;
    for (;;) {
        epoll_event events[64];
        const int ready = ::epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; ++i) {
            const int socket = events[i].data.fd;
            if (socket == listening) {
                const int fresh = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK);
                if (fresh < 0) continue;
                const int on = 1;
                ::setsockopt(fresh, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                epoll_event edge{.events = EPOLLIN | EPOLLOUT | EPOLLET, .data = {.fd = fresh}};
                ::epoll_ctl(poll, EPOLL_CTL_ADD, fresh, &edge);
                connections.emplace(fresh, Connection{fresh, {}, {}});
            } else if (Connection& connection = connections.at(socket); !flush(connection) || !serve(connection)) {
                ::close(socket);
                connections.erase(socket);
            }
        }
    }
}
