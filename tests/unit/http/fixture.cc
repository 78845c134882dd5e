#include "fixture.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace millrace::http {

RawSocket::RawSocket(Descriptor socket) : socket_(std::make_unique<Descriptor>(std::move(socket))) {
    const timeval limit{.tv_sec = 10, .tv_usec = 0};
    ::setsockopt(socket_->get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket_->get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

RawSocket RawSocket::connect(const Endpoint& endpoint) {
    Descriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(endpoint.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << std::strerror(errno);
    return RawSocket(std::move(socket));
}

void RawSocket::send(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::send(socket_->get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (count <= 0) return;  // the peer is gone; reading shows how
        text.remove_prefix(static_cast<std::size_t>(count));
    }
}

bool RawSocket::read_more() {
    std::array<char, 65536> buffer;
    const ssize_t count = ::recv(socket_->get(), buffer.data(), buffer.size(), 0);
    if (count < 0) {
        EXPECT_EQ(errno, ECONNRESET) << std::strerror(errno);
        reset_ = true;
    }
    if (count > 0) ahead_.append(buffer.data(), static_cast<std::size_t>(count));
    return count > 0;
}

std::string RawSocket::read_until(std::string_view marker) {
    std::size_t found = std::string::npos;
    while (marker.empty() || (found = ahead_.find(marker)) == std::string::npos) {
        if (!read_more()) return std::exchange(ahead_, {});
    }
    std::string text = ahead_.substr(0, found + marker.size());
    ahead_.erase(0, text.size());
    return text;
}

std::string RawSocket::read_message() {
    std::string message = read_until("\r\n\r\n");
    const std::size_t at = message.find("Content-Length: ");
    const std::size_t length = at == std::string::npos ? 0 : std::stoul(message.substr(at + 16));
    while (ahead_.size() < length && read_more()) {
    }
    message += ahead_.substr(0, length);
    ahead_.erase(0, length);
    return message;
}

void RawSocket::shut_down_sending() { ::shutdown(socket_->get(), SHUT_WR); }

ScriptedServer::ScriptedServer(std::function<void(RawSocket&, int)> script) {
    auto listening = listen_tcp("127.0.0.1", 0);
    EXPECT_TRUE(listening);
    endpoint_ = {"127.0.0.1", listening->port, ""};
    listening_ = std::make_unique<Descriptor>(std::move(listening->socket));
    ::fcntl(listening_->get(), F_SETFL, 0);  // accept() shall block
    thread_ = std::thread([this, script = std::move(script)] {
        for (int number = 0;; ++number) {
            Descriptor accepted(::accept4(listening_->get(), nullptr, nullptr, SOCK_CLOEXEC));
            if (accepted.get() < 0) return;
            RawSocket socket(std::move(accepted));
            script(socket, number);
        }
    });
}

ScriptedServer::~ScriptedServer() {
    ::shutdown(listening_->get(), SHUT_RDWR);
    thread_.join();
}

Task<Result<std::size_t>> PatternSource::read(std::span<std::byte> buffer) {
    if (failure_ && offset_ >= failure_->first) co_return failure_->second;
    const std::uint64_t end = failure_ ? std::min(size_, failure_->first) : size_;
    const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), end - offset_));
    for (std::size_t i = 0; i < count; ++i) buffer[i] = at(offset_ + i);
    offset_ += count;
    co_return count;
}

Task<Result<std::uint64_t>> read_pattern(Source& source) {
    std::vector<std::byte> buffer(kBodyChunkBytes);
    std::uint64_t offset = 0;
    for (;;) {
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await source.read(buffer));
        if (count == 0) co_return offset;
        for (std::size_t i = 0; i < count; ++i) {
            if (buffer[i] != PatternSource::at(offset + i)) co_return fail(Code::corrupt, "differs at " + std::to_string(offset + i));
        }
        offset += count;
    }
}

Task<void> echo(Request& request, Response& response) {
    const std::optional<std::uint64_t> size = request.size();
    Result<void> started = co_await response.start(200, Headers{}, size);
    if (!started) co_return;
    const Result<std::uint64_t> moved = co_await pump(request, response);
    if (moved) (void)co_await response.finish();
}

HttpTest::HttpTest() : client_(std::make_unique<Client>(client_loop_.executor())) {}

HttpTest::~HttpTest() {
    run([this]() -> Task<void> {
        client_.reset();
        co_return;
    });
    if (server_) server_->stop(std::chrono::seconds(5));
}

void HttpTest::serve(Handler handler, ServerOptions options) {
    server_ = std::make_unique<Server>(std::vector<Executor>{lane_a_.executor(), lane_b_.executor()}, std::move(handler), options);
    const Result<std::uint16_t> port = server_->listen("127.0.0.1", 0);
    ASSERT_TRUE(port) << port.error().context;
    endpoint_ = {"127.0.0.1", *port, ""};
}

Result<Reply> HttpTest::fetch_from(const Endpoint& endpoint, const ClientRequest& request) {
    return run([&]() -> Task<Result<Reply>> { return http::fetch(*client_, endpoint, request); });
}

}  // namespace millrace::http
