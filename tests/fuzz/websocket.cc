// Frames that a WebSocket server sends: whatever they are, the client reads messages or gets an error, and ends.
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <filesystem>
#include <unistd.h>
#include <vector>

#include "core/check.h"
#include "core/clock.h"
#include "http/websocket.h"
#include "tests/fuzz/fuzz.h"

using namespace millrace;
namespace asio = boost::asio;
using asio::local::stream_protocol;

namespace {

struct Server {
    asio::io_context context;
    std::string path = std::filesystem::temp_directory_path() / ("millrace-fuzz-websocket-" + std::to_string(::getpid()));
    stream_protocol::acceptor acceptor;
    Server() : acceptor(context, (::unlink(path.c_str()), stream_protocol::endpoint(path))) {}
    ~Server() { ::unlink(path.c_str()); }
};

Task<void> answer(stream_protocol::acceptor& acceptor, std::string_view frames) {
    auto [failure, socket] = co_await acceptor.async_accept(asio::as_tuple(asio::use_awaitable));
    if (failure) co_return;
    boost::beast::websocket::stream<stream_protocol::socket> stream(std::move(socket));
    const auto [refused] = co_await stream.async_accept(asio::as_tuple(asio::use_awaitable));
    if (refused) co_return;
    (void)co_await asio::async_write(stream.next_layer(), asio::buffer(frames.data(), frames.size()), asio::as_tuple(asio::use_awaitable));
    boost::system::error_code ignored;
    stream.next_layer().shutdown(stream_protocol::socket::shutdown_send, ignored);
}

Task<void> read_all(http::Endpoint endpoint, std::size_t room) {
    auto connected = co_await http::WebSocket::connect(endpoint, "/", steady_now() + std::chrono::seconds(10));
    MILLRACE_CHECK(connected);
    std::vector<std::byte> buffer(room);
    for (;;) {
        const auto piece = co_await (*connected)->read(buffer);
        if (!piece) break;
        MILLRACE_CHECK(piece->bytes <= buffer.size());
    }
    (*connected)->cut();
}

}  // namespace

void fuzz(std::string_view bytes) {
    static Server server;
    const std::size_t room = 1 + take_byte(bytes);
    asio::co_spawn(server.context, answer(server.acceptor, bytes), asio::detached);
    asio::co_spawn(server.context, read_all(http::Endpoint{.unix_path = server.path}, room), asio::detached);
    server.context.restart();
    server.context.run();
}
