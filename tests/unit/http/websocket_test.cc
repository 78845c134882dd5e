#include "http/websocket.h"

#include <gmock/gmock.h>

#include <array>
#include <boost/asio/this_coro.hpp>
#include <boost/uuid/detail/sha1.hpp>

#include "fixture.h"

namespace millrace::http {
namespace {

using ::testing::StartsWith;

std::string base64(const std::string& bytes) {
    static constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t at = 0; at < bytes.size(); at += 3) {
        std::uint32_t bits = 0;
        for (std::size_t i = 0; i < 3; ++i) bits = bits << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0);
        for (std::size_t i = 0; i < 4; ++i) text += at + i <= bytes.size() ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
    }
    return text;
}

std::string accept_key(const std::string& key) {
    const std::string text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    boost::uuids::detail::sha1 sha1;
    sha1.process_bytes(text.data(), text.size());
    unsigned int words[5];
    sha1.get_digest(words);
    std::string digest;
    for (const unsigned int word : words) {
        for (int shift = 24; shift >= 0; shift -= 8) digest += static_cast<char>(word >> shift & 255);
    }
    return base64(digest);
}

// Shakes hands as a server; the request.
std::string accept(RawSocket& socket) {
    const std::string head = socket.read_until("\r\n\r\n");
    const std::string name = "Sec-WebSocket-Key: ";
    const std::size_t key = head.find(name) + name.size();
    socket.send("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
                accept_key(head.substr(key, head.find("\r\n", key) - key)) + "\r\n\r\n");
    return head;
}

// A frame of a server, which does not mask; at most 125 bytes.
std::string frame(int first_byte, const std::string& content) {
    return std::string{static_cast<char>(first_byte), static_cast<char>(content.size())} + content;
}
constexpr int kLast = 0x80, kText = 1, kBinary = 2, kClose = 8, kPing = 9;

// "2:hello" for every frame in what a client sent: its opcode with 128 if it is the last of its message, and its content.
std::vector<std::string> frames_in(const std::string& bytes) {
    std::vector<std::string> frames;
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(bytes.at(at)); };
    for (std::size_t at = 0; at < bytes.size();) {
        std::string text = std::to_string(byte(at)) + ':';
        const std::size_t size = byte(at + 1) & 127;  // short ones only
        for (std::size_t i = 0; i < size; ++i) text += static_cast<char>(byte(at + 6 + i) ^ byte(at + 2 + i % 4));
        at += 6 + size;
        frames.push_back(text);
    }
    return frames;
}

class WebSocketTest : public testing::Test {
protected:
    Result<std::unique_ptr<WebSocket>> connect(const Endpoint& endpoint, Duration time = std::chrono::seconds(10)) {
        return run_blocking(loop_, WebSocket::connect(endpoint, "/ws", steady_now() + time));
    }
    Error refusal(const std::string& reply) {
        const ScriptedServer server([&](RawSocket& socket, int) {
            socket.read_until("\r\n\r\n");
            socket.send(reply);
        });
        const auto connected = connect(server.endpoint());
        return connected ? Error{} : connected.error();
    }
    // The message: "text:…" or "binary:…".
    Task<Result<std::string>> read_message(WebSocket& web_socket) {
        std::array<std::byte, 7> buffer;  // smaller than frames
        std::string message;
        for (;;) {
            MILLRACE_CO_TRY_ASSIGN(const WebSocket::Piece piece, co_await web_socket.read(buffer));
            message.append(reinterpret_cast<const char*>(buffer.data()), piece.bytes);
            if (piece.is_last) co_return (piece.is_text ? "text:" : "binary:") + message;
        }
    }
    Result<std::string> read(WebSocket& web_socket) { return run_blocking(loop_, read_message(web_socket)); }
    Result<void> write(WebSocket& web_socket, std::string_view text, bool is_last = true) {
        return run_blocking(loop_, web_socket.write(as_bytes(text), is_last));
    }
    void drop(std::unique_ptr<WebSocket> web_socket) {
        loop_.post([shared = std::shared_ptr<WebSocket>(std::move(web_socket))]() mutable { shared.reset(); });
    }

    Loop loop_{"web-socket"};
};

TEST_F(WebSocketTest, RefusedHandshakesSayWhy) {
    const Error not_found = refusal("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(not_found.code, Code::rejected);
    EXPECT_EQ(not_found.context, "answered 404 where a WebSocket was asked for, at /ws");
    EXPECT_EQ(refusal("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").code, Code::transient);
    EXPECT_EQ(refusal("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").code, Code::transient);
    EXPECT_EQ(refusal("SSH-2.0-OpenSSH\r\n\r\n").code, Code::transient);
    EXPECT_EQ(refusal("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Accept: AAAA\r\n\r\n").code, Code::transient);
    EXPECT_EQ(refusal("").code, Code::unavailable);
    EXPECT_EQ(connect(Endpoint{.unix_path = "/nowhere"}).error().code, Code::unavailable);
}

TEST_F(WebSocketTest, SilentServerTimesOut) {
    const ScriptedServer server([](RawSocket& socket, int) { socket.read_rest(); });
    const auto connected = connect(server.endpoint(), milliseconds(50));
    ASSERT_FALSE(connected.has_value());
    EXPECT_EQ(connected.error().code, Code::timed_out);
}

TEST_F(WebSocketTest, FragmentsArriveAsOneMessageAndPingsAreAnswered) {
    std::string head;
    std::string sent;
    {
        const ScriptedServer server([&](RawSocket& socket, int) {
            head = accept(socket);
            socket.send(frame(kBinary, "a fragmented") + frame(kLast | kPing, "there?") + frame(0, "") + frame(kLast, " message"));
            socket.send(frame(kLast | kText, "a text") + frame(kLast | kBinary, ""));
            sent = socket.read_rest();
        });
        auto connected = connect(server.endpoint());
        ASSERT_TRUE(connected.has_value()) << connected.error().context;
        EXPECT_EQ(read(**connected).value(), "binary:a fragmented message");
        EXPECT_EQ(read(**connected).value(), "text:a text");
        EXPECT_EQ(read(**connected).value(), "binary:");
        drop(std::move(*connected));
    }
    EXPECT_THAT(head, StartsWith("GET /ws HTTP/1.1\r\n"));
    EXPECT_THAT(frames_in(sent), testing::ElementsAre("138:there?"));
}

TEST_F(WebSocketTest, MessagesGoOutInPieces) {
    std::string sent;
    {
        const ScriptedServer server([&](RawSocket& socket, int) {
            accept(socket);
            sent = socket.read_rest();
        });
        auto connected = connect(server.endpoint());
        ASSERT_TRUE(connected.has_value()) << connected.error().context;
        EXPECT_TRUE(write(**connected, "whole").has_value());
        EXPECT_TRUE(write(**connected, "in ", false).has_value());
        EXPECT_TRUE(write(**connected, "pieces", false).has_value());
        EXPECT_TRUE(write(**connected, "").has_value());
        drop(std::move(*connected));
    }
    EXPECT_THAT(frames_in(sent), testing::ElementsAre("130:whole", "2:in ", "0:pieces", "128:"));
}

TEST_F(WebSocketTest, EndsAndGarbageAreToldApart) {
    const std::vector<std::pair<std::string, Code>> cases = {
        {frame(kLast | kClose, ""), Code::unavailable},
        {frame(kBinary, "half"), Code::unavailable},
        {frame(kLast | 0x70 | kBinary, "reserved bits"), Code::transient},
        {frame(kLast, "continues nothing"), Code::transient},
    };
    for (const auto& [bytes, code] : cases) {
        const ScriptedServer server([what = bytes](RawSocket& socket, int) {
            accept(socket);
            socket.send(what);
            if (what != frame(kBinary, "half")) socket.read_rest();  // it is for the client to end it
        });
        auto connected = connect(server.endpoint());
        ASSERT_TRUE(connected.has_value()) << connected.error().context;
        const auto message = read(**connected);
        ASSERT_FALSE(message.has_value());
        EXPECT_EQ(message.error().code, code) << message.error().context;
        drop(std::move(*connected));
    }
}

TEST_F(WebSocketTest, DeadlineCutsAndMayBeMoved) {
    const ScriptedServer server([](RawSocket& socket, int) {
        accept(socket);
        socket.read_rest();
    });
    auto connected = connect(server.endpoint());
    ASSERT_TRUE(connected.has_value()) << connected.error().context;
    WebSocket& web_socket = **connected;
    const auto wait = [&]() -> Task<Result<std::string>> {
        web_socket.set_deadline(steady_now() + std::chrono::hours(1));
        web_socket.set_deadline(steady_now() + milliseconds(20));
        return read_message(web_socket);
    };
    EXPECT_EQ(run_blocking(loop_, wait()).error().code, Code::timed_out);
    EXPECT_EQ(write(web_socket, "more").error().code, Code::timed_out);
    drop(std::move(*connected));
}

TEST_F(WebSocketTest, ReadEndsWithItsTask) {
    const ScriptedServer server([](RawSocket& socket, int) {
        accept(socket);
        socket.read_rest();
    });
    auto connected = connect(server.endpoint());
    ASSERT_TRUE(connected.has_value()) << connected.error().context;
    Result<std::string> message = "none yet";
    const auto read_it = [&]() -> Task<void> {
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        message = co_await read_message(**connected);
    };
    const auto cancel = [&]() -> Task<void> {
        TaskGroup tasks(loop_.executor());
        tasks.spawn(read_it());
        co_await sleep_for(milliseconds(1));
        tasks.cancel();
        co_await tasks.join();
    };
    run_blocking(loop_, cancel());
    ASSERT_FALSE(message.has_value());
    EXPECT_EQ(message.error().code, Code::cancelled);
    drop(std::move(*connected));
}

TEST_F(WebSocketTest, FarewellEndsTheReadThatIsUnderWay) {
    std::string sent;
    {
        const ScriptedServer server([&](RawSocket& socket, int) {
            accept(socket);
            sent = socket.read_rest();
        });
        auto connected = connect(server.endpoint());
        ASSERT_TRUE(connected.has_value()) << connected.error().context;
        WebSocket& web_socket = **connected;
        auto reading = boost::asio::co_spawn(loop_.executor(), read_message(web_socket), boost::asio::use_future);
        run_blocking(loop_, web_socket.close(steady_now() + milliseconds(100)));
        EXPECT_FALSE(reading.get().has_value());
        drop(std::move(*connected));
    }
    EXPECT_THAT(frames_in(sent), testing::ElementsAre(StartsWith("136:\x03\xe8")));
}

}  // namespace
}  // namespace millrace::http
