#include "http/websocket.h"

#include <netinet/in.h>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/bind_handler.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <limits>

#include "http/connection.h"

namespace millrace::http {
namespace asio = boost::asio;
namespace websocket = boost::beast::websocket;
using http_error = boost::beast::http::error;
using boost::system::error_code;

namespace {
const auto& kWebSocketErrors = error_code(websocket::error::closed).category();
const auto& kHttpErrors = error_code(http_error::end_of_stream).category();
constexpr std::size_t kWriteBufferBytes = 64 * 1024;  // what is masked and written at once

class Socket : public asio::generic::stream_protocol::socket {
public:
    using asio::generic::stream_protocol::socket::socket;
};

std::string_view close_code_name(std::uint16_t code) {
    switch (code) {
        case 1000: return "normal";
        case 1001: return "going away";
        case 1002: return "protocol error";
        case 1003: return "unsupported data";
        case 1007: return "invalid data";
        case 1008: return "policy violation";
        case 1009: return "message too big";
        case 1011: return "internal error";
        case 1012: return "service restart";
        case 1013: return "try again later";
        default: return "";
    }
}

// How Beast ends a connection, found by its name: at once, where its own way for a client waits, without a limit, until the peer
// has ended it too.
template <class Handler>
void async_teardown(boost::beast::role_type, Socket& socket, Handler&& handler) {
    error_code ignored;
    socket.close(ignored);
    asio::post(socket.get_executor(), boost::beast::bind_front_handler(std::forward<Handler>(handler), error_code{}));
}
}  // namespace

struct WebSocket::Impl : std::enable_shared_from_this<Impl> {
    Impl(const Executor& executor, int family, Descriptor socket) : stream(executor), timer(executor) {
        error_code failure;
        const asio::generic::stream_protocol protocol(family, family == AF_UNIX ? 0 : IPPROTO_TCP);
        stream.next_layer().assign(protocol, socket.get(), failure);
        // On failure the socket stays closed, and so every operation on it fails.
        if (!failure) (void)socket.release();
        stream.set_option(websocket::permessage_deflate{});
        stream.read_message_max(std::numeric_limits<std::uint64_t>::max());
        stream.auto_fragment(false);
        stream.write_buffer_bytes(kWriteBufferBytes);
        stream.binary(true);
    }

    void cut() {
        error_code ignored;
        stream.next_layer().close(ignored);
        timer.cancel();
    }

    void set_deadline(Instant when) {
        deadline = when;
        arm();
    }

    // The timer may go off before the deadline that counts by then; it looks again. So a later deadline costs a store.
    void arm() {
        if (deadline >= armed_for || !stream.next_layer().is_open()) return;
        armed_for = deadline;
        timer.expires_at(deadline);
        timer.async_wait([weak = weak_from_this()](const error_code& failure) {
            if (failure) return;
            if (const auto self = weak.lock()) self->look();
        });
    }

    void look() {
        armed_for = Instant::max();
        if (steady_now() < deadline) return arm();
        expired = true;
        cut();
    }

    Error error(const error_code& code) {
        if (expired) return fail(Code::timed_out, "the deadline passed");
        if (code == asio::error::operation_aborted && stream.next_layer().is_open()) return fail(Code::cancelled, "cancelled");
        const bool has_ended = code == websocket::error::closed || code == http_error::end_of_stream;
        const bool is_malformed = &code.category() == &kWebSocketErrors || &code.category() == &kHttpErrors;
        if (has_ended || !is_malformed) return fail(Code::unavailable, "the connection was closed");
        return fail(Code::transient, "it broke the WebSocket protocol: " + code.message());
    }

    websocket::stream<Socket> stream;
    asio::steady_timer timer;
    Instant deadline = Instant::max();
    Instant armed_for = Instant::max();
    bool expired = false;
};

WebSocket::WebSocket(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
WebSocket::~WebSocket() { impl_->cut(); }

Task<Result<std::unique_ptr<WebSocket>>> WebSocket::connect(Endpoint endpoint, std::string path, Instant deadline, OpenSocket open_socket) {
    const Executor executor = co_await asio::this_coro::executor;
    const Duration allowed = deadline - steady_now();
    MILLRACE_CO_TRY_ASSIGN(const auto connection, co_await connect_to(endpoint, allowed, deadline, std::move(open_socket)));
    const int family = endpoint.unix_path.empty() ? AF_INET : AF_UNIX;
    const auto impl = std::make_shared<Impl>(executor, family, connection->release());
    std::unique_ptr<WebSocket> web_socket(new WebSocket(impl));
    impl->set_deadline(deadline);
    const std::string host = endpoint.authority();
    websocket::response_type reply;
    const auto [failure] = co_await impl->stream.async_handshake(reply, host, path, use_tuple);
    if (failure == websocket::error::upgrade_declined) {
        const int status = static_cast<int>(reply.result_int());
        co_return fail(status >= 400 && status < 500 ? Code::rejected : Code::transient,
                       "answered " + std::to_string(status) + " where a WebSocket was asked for, at " + path);
    }
    if (failure) co_return impl->error(failure).during("asking for a WebSocket at " + path);
    impl->set_deadline(Instant::max());
    co_return web_socket;
}

Task<Result<void>> WebSocket::write(std::span<const std::byte> piece, bool is_last) {
    const asio::const_buffer buffer(piece.data(), piece.size());
    const auto [failure, count] = co_await impl_->stream.async_write_some(is_last, buffer, use_tuple);
    if (failure) co_return impl_->error(failure);
    co_return Result<void>{};
}

Task<Result<WebSocket::Piece>> WebSocket::read(std::span<std::byte> buffer) {
    const asio::mutable_buffer room(buffer.data(), buffer.size());
    const auto [failure, count] = co_await impl_->stream.async_read_some(room, use_tuple);
    if (failure) co_return impl_->error(failure);
    co_return Piece{count, impl_->stream.got_text(), impl_->stream.is_message_done()};
}

std::optional<WebSocket::Farewell> WebSocket::farewell() const {
    const websocket::close_reason& reason = impl_->stream.reason();
    if (reason.code == websocket::close_code::none) return std::nullopt;
    const std::string_view words(reason.reason.data(), reason.reason.size());
    std::string text = "closed with code " + std::to_string(reason.code);
    if (const std::string_view name = close_code_name(reason.code); !name.empty()) text += " (" + std::string(name) + ")";
    if (!words.empty()) text += ": " + std::string(words);
    return Farewell{reason.code, std::move(text)};
}

void WebSocket::set_deadline(Instant deadline) { impl_->set_deadline(deadline); }
void WebSocket::cut() { impl_->cut(); }

Task<void> WebSocket::close(Instant deadline) {
    set_deadline(deadline);
    const websocket::close_reason reason(websocket::close_code::normal);
    (void)co_await impl_->stream.async_close(reason, use_tuple);
    cut();
}

}  // namespace millrace::http
