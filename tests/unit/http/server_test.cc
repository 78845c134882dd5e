// The server as bare sockets see it.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <stdexcept>

#include "fixture.h"

namespace millrace::http {
namespace {

using std::chrono::seconds;
using testing::AssertionFailure;
using testing::AssertionSuccess;

testing::AssertionResult has(const std::string& text, std::string_view part) {
    if (text.find(part) != std::string::npos) return AssertionSuccess();
    return AssertionFailure() << "no '" << part << "' in: " << text.substr(0, 1000);
}

Task<void> say_hello(Request& request, Response& response) {
    (void)co_await response.send(200, Headers{{"X-Peer", request.peer}}, "hello " + request.path);
}

class ServerTest : public HttpTest {};

TEST_F(ServerTest, RequestsFollowEachOtherOnOneConnection) {
    serve(say_hello);
    RawSocket socket = connect();
    for (int i = 0; i < 3; ++i) {
        socket.send("GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n");
        const std::string reply = socket.read_message();
        EXPECT_TRUE(reply.starts_with("HTTP/1.1 200 OK\r\n")) << reply;
        EXPECT_TRUE(has(reply, "\r\nContent-Length: 8\r\n"));
        EXPECT_TRUE(has(reply, "\r\nDate: "));
        EXPECT_TRUE(has(reply, "X-Peer: 127.0.0.1:"));
        EXPECT_TRUE(reply.ends_with("\r\n\r\nhello /a")) << reply;
    }
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
    serve([](Request& request, Response& response) -> Task<void> {
        const auto body = co_await request.read_all(100);
        const std::string text = request.path + (body ? *body : "?");
        (void)co_await response.send(200, Headers{}, text);
    });
    RawSocket socket = connect();
    socket.send("PUT /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab"
                "\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nPUT /3 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n");
    EXPECT_TRUE(socket.read_message().ends_with("/1ab"));
    EXPECT_TRUE(socket.read_message().ends_with("/2"));
    EXPECT_TRUE(socket.read_message().ends_with("/3c"));
}

TEST_F(ServerTest, AnErrorOnHeadTravelsInAHeader) {
    serve([](Request& request, Response& response) -> Task<void> {
        const Error error = fail(Code::not_found, request.path == "/long" ? std::string(100'000, 'x') : "nothing 'hére'");
        if (request.path == "/other") (void)co_await response.send_error(error, 422);
        else (void)co_await response.send_error(error);
    });
    RawSocket socket = connect();
    socket.send("HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string reply = socket.read_until("\r\n\r\n");
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 404 "));
    EXPECT_TRUE(has(reply, "Hdr-Error: {\"type\":\"about:blank\""));
    EXPECT_TRUE(has(reply, "\"message\":\"nothing 'hére'\"}\r\n"));
    socket.send("HEAD /long HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_FALSE(has(socket.read_until("\r\n\r\n"), "Hdr-Error"));
    socket.send("GET /a HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_FALSE(has(socket.read_message(), "Hdr-Error"));
    socket.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string other = socket.read_message();
    EXPECT_TRUE(other.starts_with("HTTP/1.1 422 "));
    EXPECT_TRUE(has(other, "\"status\":422,\"code\":\"not_found\""));
}

// What is idle for longer than this is cut; a body that keeps coming is not, however long it takes in all.
TEST_F(ServerTest, ABodyThatNobodyWantsIsTakenInAsLongAsItComes) {
    serve(say_hello, {.idle_time_max = std::chrono::milliseconds(800)});
    RawSocket socket = connect();
    constexpr int kPieces = 10;
    socket.send("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kPieces) + "\r\n\r\n");
    const std::string reply = socket.read_message();
    EXPECT_TRUE(reply.ends_with("hello /a"));
    const Instant begun = steady_now();
    for (int i = 0; i < kPieces; ++i) {
        std::this_thread::sleep_until(begun + i * std::chrono::milliseconds(100));  // the pace of a slow client
        socket.send("x");
    }
    socket.send("GET /b HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(socket.read_message().ends_with("hello /b"));
}

TEST_F(ServerTest, HeadGetsTheLengthWithoutTheBody) {
    serve([](Request& request, Response& response) -> Task<void> {
        if (request.path == "/whole") (void)co_await response.send(200, Headers{}, "12345");
        if (request.path == "/head") (void)co_await response.send_head(200, Headers{}, 1'000'000);
        if (request.path == "/stream") {
            const std::string_view text = "streamed";
            (void)co_await response.start(200, Headers{}, text.size());
            (void)co_await response.write(as_bytes(text));
            (void)co_await response.finish();
        }
    });
    RawSocket socket = connect();
    socket.send("HEAD /whole HTTP/1.1\r\nHost: x\r\n\r\nHEAD /head HTTP/1.1\r\nHost: x\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n"
                "HEAD /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(has(socket.read_until("\r\n\r\n"), "Content-Length: 5\r\n"));
    EXPECT_TRUE(has(socket.read_until("\r\n\r\n"), "Content-Length: 1000000\r\n"));
    EXPECT_TRUE(has(socket.read_until("\r\n\r\n"), "Content-Length: 8\r\n"));
    EXPECT_TRUE(has(socket.read_until("\r\n\r\n"), "HTTP/1.1 500 "));
    EXPECT_EQ(socket.read_rest(), "");
}

TEST_F(ServerTest, EveryWholeResponseHasALengthExceptWhereNoneIsAllowed) {
    serve([](Request& request, Response& response) -> Task<void> {
        const int status = std::stoi(request.path.substr(1));
        (void)co_await response.send(status, Headers{{"content-length", "77"}, {"Location", "/x"}}, "");
    });
    RawSocket socket = connect();
    for (const int status : {200, 301, 307, 500}) {
        socket.send("GET /" + std::to_string(status) + " HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_TRUE(has(socket.read_until("\r\n\r\n"), "\r\nContent-Length: 0\r\n"));
    }
    socket.send("GET /204 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string reply = socket.read_rest();
    EXPECT_FALSE(has(reply, "Content-Length"));
    EXPECT_TRUE(has(reply, "Location: /x"));
}

TEST_F(ServerTest, GarbageIsAnsweredWithAProblemAndTheConnectionEnds) {
    serve(say_hello);
    for (const std::string& garbage : {std::string("\x16\x03\x01\x02\x00\x01\x00\x01", 8), std::string(100, 'A'), std::string("GET / HTTP/9.9\r\n\r\n"),
                                      std::string("GET /\r\nbroken header\r\n\r\n"), std::string("GET nopath HTTP/1.1\r\nHost: x\r\n\r\n"),
                                      std::string("GET /?a=%zz HTTP/1.1\r\nHost: x\r\n\r\n"),
                                      std::string("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n"),
                                      std::string("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n")}) {
        RawSocket socket = connect();
        socket.send(garbage);
        const std::string reply = socket.read_rest();
        EXPECT_TRUE(reply.starts_with("HTTP/1.1 400 ")) << garbage << " -> " << reply;
        EXPECT_TRUE(has(reply, "application/problem+json"));
        EXPECT_TRUE(has(reply, "Connection: close"));
    }
}

// RFC 9112. Each line behind one that is as it should be, so that it is the line that decides.
TEST_F(ServerTest, HeadsThatTwoReadersCouldReadInTwoWaysAreRefused) {
    std::atomic<int> handled = 0;
    serve([&handled](Request&, Response& response) -> Task<void> {
        ++handled;
        (void)co_await response.send(200, Headers{}, "");
    });
    struct Case {
        const char* head;
        int status;
    };
    constexpr Case kCases[] = {
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 501},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", 501},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", 501},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n", 501},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\nContent-Length: 0\r\n\r\n", 400},
        {"PUT / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x, y\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: http://x/\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nX: a\r\n\tb\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nX:\r\n b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nX\t: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: +1\r\n\r\nx", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0x1\r\n\r\nx", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1 1\r\n\r\nx", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1, 2\r\n\r\nxx", 400},
        {"GET / HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\nRange: bytes=2-3\r\n\r\n", 400},
        {"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nIf-Unmodified-Since: a\r\nIf-Unmodified-Since: b\r\n\r\n", 400},
        {"PUT / HTTP/1.0\r\n\r\n", 411},
    };
    for (const auto& [head, status] : kCases) {
        RawSocket socket = connect();
        socket.send(head);
        const std::string reply = socket.read_rest();
        EXPECT_TRUE(reply.starts_with("HTTP/1.1 " + std::to_string(status) + " ")) << head << " -> " << reply;
        EXPECT_TRUE(has(reply, "\r\nConnection: close\r\n")) << head;
        EXPECT_TRUE(has(reply, "\r\nDate: ")) << head;
        EXPECT_TRUE(has(reply, "\"code\":\"invalid_argument\"")) << head;
    }
    EXPECT_EQ(handled, 0);
    for (const char* head : {"GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / HTTP/1.1\r\nHOST: [::1]:80\r\n\r\n",
                             "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n",
                             "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
                             "\r\nGET http://other/ HTTP/1.1\r\nHost: x\r\nX: \ta b \r\n\r\n"}) {
        RawSocket socket = connect();
        socket.send(head);
        EXPECT_TRUE(socket.read_message().starts_with("HTTP/1.1 200 ")) << head;
    }
}

TEST_F(ServerTest, HeadersThatAreTooLargeAreRefused) {
    serve(say_hello);
    std::string many;
    for (int i = 0; i < 10'000; ++i) many += "X: 12345678\r\n";
    for (const std::string& fields : {"X: " + std::string(70'000, 'x') + "\r\n", many}) {
        RawSocket socket = connect();
        socket.send("GET / HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
        const std::string reply = socket.read_rest();
        EXPECT_TRUE(reply.starts_with("HTTP/1.1 431 ")) << reply;
    }
    // Piece by piece, as from a slow client; and with nothing to say about an ordinary number of fields.
    RawSocket socket = connect();
    socket.send("GET / HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < 1000; ++i) socket.send("X: 12345678\r\n");
    socket.send("\r\n");
    EXPECT_TRUE(socket.read_message().starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, AnOldClientGetsItsReplyUntilTheEndOfTheConnection) {
    serve([](Request& request, Response& response) -> Task<void> {
        if (request.path == "/whole") co_return (void)co_await response.send(200, Headers{}, "whole");
        const std::string_view text = "streamed";
        (void)co_await response.start(200, Headers{}, std::nullopt);
        (void)co_await response.write(as_bytes(text));
        (void)co_await response.finish();
    });
    RawSocket kept = connect();
    kept.send("GET /whole HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_TRUE(has(kept.read_message(), "Connection: keep-alive"));
    kept.send("GET /whole HTTP/1.0\r\n\r\n");
    EXPECT_TRUE(kept.read_rest().ends_with("\r\n\r\nwhole"));
    RawSocket socket = connect();
    socket.send("GET /stream HTTP/1.0\r\n\r\n");
    const std::string reply = socket.read_rest();
    EXPECT_FALSE(has(reply, "Transfer-Encoding"));
    EXPECT_TRUE(reply.ends_with("\r\n\r\nstreamed"));
    EXPECT_FALSE(socket.ended_by_reset());
}

TEST_F(ServerTest, ContinueIsSaidAtTheFirstReadOnly) {
    serve([](Request& request, Response& response) -> Task<void> {
        if (request.path == "/refuse") co_return (void)co_await response.send(307, Headers{{"Location", "http://other/"}}, "");
        const auto body = co_await request.read_all(100);
        (void)co_await response.send(200, Headers{}, *body);
    });
    RawSocket socket = connect();
    socket.send("PUT /take HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    EXPECT_EQ(socket.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    socket.send("body");
    EXPECT_TRUE(socket.read_message().ends_with("body"));
    // A client that does not wait is not answered twice.
    socket.send("PUT /take HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nmore");
    EXPECT_TRUE(socket.read_message().starts_with("HTTP/1.1 200 "));
    socket.send("PUT /refuse HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    const std::string refused = socket.read_rest();
    EXPECT_TRUE(refused.starts_with("HTTP/1.1 307 ")) << refused;
    EXPECT_TRUE(has(refused, "Connection: close"));
}

TEST_F(ServerTest, ABodyThatTheHandlerLeavesIsDiscarded) {
    serve([](Request&, Response& response) -> Task<void> { (void)co_await response.send(403, Headers{}, "no"); });
    RawSocket socket = connect();
    for (int i = 0; i < 2; ++i) {
        socket.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n" + std::string(5'000'000, 'x'));
        EXPECT_TRUE(socket.read_message().starts_with("HTTP/1.1 403 "));
    }
}

// The client has the answer while it still sends, and has it to the end, however the connection ends.
TEST_F(ServerTest, OfABodyThatNobodyWantsNoMoreIsTakenThanSoMuch) {
    const auto send_elsewhere = [](Request&, Response& response) -> Task<void> {
        (void)co_await response.send(307, Headers{{"Location", "http://other/"}}, "");
    };
    serve(send_elsewhere, {.discard_bytes_max = 100'000});
    const std::string piece(50'000, 'x');
    struct Case {
        const char* framing;
        bool is_announced;
    };
    for (const auto& [framing, is_announced] : {Case{"Content-Length: 1000000000000", true}, Case{"Transfer-Encoding: chunked", false}}) {
        RawSocket socket = connect();
        socket.send("PUT / HTTP/1.1\r\nHost: x\r\n" + std::string(framing) + "\r\n\r\n");
        const std::string reply = socket.read_until("\r\n\r\n");
        EXPECT_TRUE(reply.starts_with("HTTP/1.1 307 ")) << reply;
        EXPECT_EQ(reply.find("Connection: close") != std::string::npos, is_announced);
        for (int i = 0; i < 3; ++i) socket.send(is_announced ? piece : "c350\r\n" + piece + "\r\n");
        EXPECT_EQ(socket.read_rest(), "");
        EXPECT_FALSE(socket.ended_by_reset());
    }
    RawSocket socket = connect();  // as much as is taken costs nobody the connection
    for (int i = 0; i < 2; ++i) {
        socket.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + piece + piece);
        EXPECT_TRUE(socket.read_message().starts_with("HTTP/1.1 307 "));
    }
}

TEST_F(ServerTest, WhoIsToComeAgainIsToldWhen) {
    serve([](Request& request, Response& response) -> Task<void> {
        Headers headers;
        if (request.path == "/later") headers.set("Retry-After", "7");
        const int status = request.path == "/well" ? 200 : 503;
        (void)co_await response.send(status, std::move(headers), "");
    });
    RawSocket socket = connect();
    socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(has(socket.read_message(), "\r\nRetry-After: 1\r\n"));
    socket.send("GET /later HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(has(socket.read_message(), "\r\nRetry-After: 7\r\n"));
    socket.send("GET /well HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_FALSE(has(socket.read_message(), "Retry-After"));
}

TEST_F(ServerTest, AShortBodyIsSeenByTheHandler) {
    std::promise<Error> seen;
    serve([&](Request& request, Response& response) -> Task<void> {
        const auto body = co_await request.read_all(1000);
        seen.set_value(body ? Error{} : body.error());
        (void)co_await response.send_error(body.error());
    });
    RawSocket socket = connect();
    socket.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    socket.shut_down_sending();
    EXPECT_EQ(seen.get_future().get().code, Code::incomplete_body);
    EXPECT_TRUE(has(socket.read_rest(), "\"code\":\"incomplete_body\""));
}

TEST_F(ServerTest, AMalformedChunkedBodyIsSeenByTheHandler) {
    serve([](Request& request, Response& response) -> Task<void> {
        const auto body = co_await request.read_all(1000);
        (void)co_await response.send_error(body ? fail(Code::internal, "?") : body.error());
    });
    RawSocket socket = connect();
    socket.send("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    const std::string reply = socket.read_rest();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 400 ")) << reply;
    EXPECT_TRUE(has(reply, "chunk"));
}

TEST_F(ServerTest, AnUnfinishedResponseEndsInAReset) {
    serve([](Request& request, Response& response) -> Task<void> {
        const bool chunked = request.path == "/chunked";
        (void)co_await response.start(200, Headers{}, chunked ? std::nullopt : std::optional<std::uint64_t>(100));
        const std::string_view text = "part";
        if (request.path != "/nothing") (void)co_await response.write(as_bytes(text));
        if (request.path == "/throw") throw std::runtime_error("expected by the test");
        if (request.path == "/finish") {
            const Result<void> finished = co_await response.finish();
            EXPECT_EQ(finished.error().code, Code::incomplete_body);
        }
    });
    for (const char* path : {"/length", "/chunked", "/throw", "/finish", "/nothing"}) {
        RawSocket socket = connect();
        socket.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
        const std::string reply = socket.read_rest();
        EXPECT_TRUE(socket.ended_by_reset()) << path;
        EXPECT_FALSE(has(reply, "\r\n0\r\n\r\n")) << path;
    }
}

TEST_F(ServerTest, MoreThanAnnouncedIsNotSent) {
    serve([](Request&, Response& response) -> Task<void> {
        const std::string_view text = "12345";
        const std::string_view longer = "123456";
        (void)co_await response.start(200, Headers{}, text.size());
        const Result<void> refused = co_await response.write(as_bytes(longer));
        EXPECT_EQ(refused.error().code, Code::invalid_argument);
        const Result<void> written = co_await response.write(as_bytes(text));
        const Result<void> finished = co_await response.finish();
        EXPECT_TRUE(written && finished);
        const Result<void> again = co_await response.send(200, Headers{}, "x");
        EXPECT_EQ(again.error().code, Code::internal);
    });
    RawSocket socket = connect();
    socket.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(socket.read_rest().ends_with("\r\n\r\n12345"));
}

TEST_F(ServerTest, AHandlerThatFailsIsAnsweredWith500) {
    serve([](Request& request, Response& response) -> Task<void> {
        if (request.path == "/throw") throw std::runtime_error("expected by the test");
        if (request.path == "/header") {
            const Result<void> sent = co_await response.send(200, Headers{{"X", "a\r\nInjected: b"}}, "");
            EXPECT_EQ(sent.error().code, Code::invalid_argument);
        }
    });
    RawSocket socket = connect();
    for (const char* path : {"/throw", "/nothing", "/header"}) {
        socket.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
        const std::string reply = socket.read_message();
        EXPECT_TRUE(reply.starts_with("HTTP/1.1 500 ")) << path << reply;
        EXPECT_FALSE(has(reply, "Injected"));
    }
}

TEST_F(ServerTest, SilentPeersAreCutAtTheirDeadline) {
    std::promise<Error> seen;
    ServerOptions options;
    options.idle_time_max = milliseconds(100);
    options.stall_time_max = milliseconds(100);
    serve(
        [&](Request& request, Response& response) -> Task<void> {
            const auto body = co_await request.read_all(1000);
            seen.set_value(body ? Error{} : body.error());
            (void)co_await response.send_error(body.error());
        },
        options);
    RawSocket idle = connect();
    EXPECT_EQ(idle.read_rest(), "");
    RawSocket slow_header = connect();
    slow_header.send("GET / HT");
    EXPECT_EQ(slow_header.read_rest(), "");
    RawSocket stalled = connect();
    stalled.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345");
    EXPECT_EQ(seen.get_future().get().code, Code::timed_out);
    stalled.read_rest();
}

// Whether all of it came would be known to nobody.
TEST_F(ServerTest, ABodyThatWouldEndWithTheConnectionIsRefused) {
    serve([](Request& request, Response& response) -> Task<void> {
        const auto body = co_await request.read_all(100);
        (void)co_await response.send(200, Headers{}, *body);
    });
    for (const std::string head : {"PUT / HTTP/1.0\r\n", "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"}) {
        RawSocket socket = connect();
        socket.send(head + "\r\nhello");
        socket.shut_down_sending();
        EXPECT_TRUE(socket.read_message().starts_with("HTTP/1.1 411 ")) << head;
        RawSocket other = connect();
        other.send(head + "Content-Length: 5\r\n\r\nhello");
        EXPECT_TRUE(other.read_message().ends_with("hello")) << head;
    }
    RawSocket empty = connect();
    empty.send("PUT / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(empty.read_message().starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, WhatIsDoneForItsClientAloneEndsWithIt) {
    struct Told {
        std::promise<void>& ended;
        ~Told() { ended.set_value(); }
    };
    std::promise<void> began[2];
    std::promise<void> ended[2];
    const auto handler = [&](Request& request, Response&) -> Task<void> {
        const bool for_client_alone = request.path == "/alone";
        const Told told{ended[for_client_alone]};
        if (for_client_alone) request.end_with_client();
        began[for_client_alone].set_value();
        co_await sleep_for(std::chrono::hours(1));
    };
    serve(handler);
    RawSocket others = connect();
    others.send("GET /others HTTP/1.1\r\nHost: x\r\n\r\n");
    began[0].get_future().wait();
    others.close();
    RawSocket alone = connect();
    alone.send("GET /alone HTTP/1.1\r\nHost: x\r\n\r\n");
    began[1].get_future().wait();
    alone.close();
    EXPECT_EQ(ended[1].get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(ended[0].get_future().wait_for(std::chrono::seconds(0)), std::future_status::timeout) << "somebody else wants what it does";
    server_->stop(milliseconds(1));
}

TEST_F(ServerTest, WhatIsOverEndsThoughItsClientWaits) {
    std::atomic<bool> is_over = false;
    std::promise<void> began;
    const auto handler = [&](Request& request, Response&) -> Task<void> {
        request.end_with_client([&is_over] { return is_over.load(); });
        began.set_value();
        co_await sleep_for(std::chrono::hours(1));
    };
    serve(handler);
    RawSocket socket = connect();
    socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    began.get_future().wait();
    is_over = true;
    EXPECT_EQ(socket.read_rest(), "");
    server_->stop(milliseconds(1));
}

TEST_F(ServerTest, AHandlerMayTakeLongerThanAnyDeadlineOfTheConnection) {
    ServerOptions options;
    options.idle_time_max = options.stall_time_max = milliseconds(30);
    serve(
        [](Request& request, Response& response) -> Task<void> {
            const auto body = co_await request.read_all(100);
            co_await sleep_for(milliseconds(150));
            (void)co_await response.send(200, Headers{}, *body);
        },
        options);
    RawSocket socket = connect();
    socket.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody");
    EXPECT_TRUE(socket.read_message().ends_with("body"));
}

TEST_F(ServerTest, ConnectionsBeyondTheLimitAreTurnedAway) {
    ServerOptions options;
    options.connections_max = 2;
    serve(say_hello, options);
    RawSocket first = connect();
    RawSocket second = connect();
    for (RawSocket* socket : {&first, &second}) {
        socket->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        EXPECT_TRUE(socket->read_message().starts_with("HTTP/1.1 200 "));
    }
    RawSocket third = connect();
    const std::string reply = third.read_rest();
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 503 ")) << reply;
    EXPECT_TRUE(has(reply, "\"code\":\"overloaded\""));
    EXPECT_TRUE(has(reply, "Retry-After: 1"));
    first.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(first.read_message().starts_with("HTTP/1.1 200 "));
}

TEST_F(ServerTest, OnePeerCannotTakeAllConnections) {
    ServerOptions options;
    options.connections_per_peer_max = 2;
    serve(say_hello, options);
    RawSocket first = connect();
    {
        RawSocket second = connect();
        for (RawSocket* socket : {&first, &second}) {
            socket->send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
            EXPECT_TRUE(socket->read_message().starts_with("HTTP/1.1 200 "));
        }
        RawSocket third = connect();
        EXPECT_TRUE(third.read_rest().starts_with("HTTP/1.1 503 "));
    }
    // Once those are gone there is room again.
    const Instant deadline = steady_now() + std::chrono::seconds(30);
    for (bool served = false; !served && steady_now() < deadline;) {
        RawSocket next = connect();
        next.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        served = next.read_rest().starts_with("HTTP/1.1 200 ");
        if (!served && steady_now() + std::chrono::seconds(1) > deadline) ADD_FAILURE() << "still turned away";
    }
}

TEST_F(ServerTest, ABusyPortSaysWhatToDo) {
    serve(say_hello);
    Server other({lane_a_.executor()}, say_hello);
    const auto port = other.listen("127.0.0.1", endpoint_.port);
    ASSERT_FALSE(port);
    EXPECT_EQ(port.error().code, Code::unavailable);
    EXPECT_EQ(port.error().context, "port " + std::to_string(endpoint_.port) +
                                        " on 127.0.0.1 is in use by another process; choose another with --port or stop that process");
    EXPECT_EQ(other.listen("192.0.2.1", 0).error().code, Code::invalid_argument);
    EXPECT_EQ(other.listen("not a host", 0).error().code, Code::invalid_argument);
}

TEST_F(ServerTest, AUnixSocketReplacesAnOldOneButNoOtherFile) {
    const std::filesystem::path folder = std::filesystem::temp_directory_path() / ("millrace-http-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const std::string path = folder / "server.sock";
    serve(say_hello);
    ASSERT_TRUE(server_->listen_unix(path));
    ASSERT_TRUE(server_->listen_unix(path));
    const auto reply = fetch_from({"", 0, path}, {.target = "/unix"});
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(reply->body, "hello /unix");
    EXPECT_EQ(reply->headers.find("X-Peer"), "unix");
    EXPECT_EQ(server_->listen_unix(folder).error().code, Code::already_exists);
    EXPECT_EQ(server_->listen_unix(std::string(200, 'x')).error().code, Code::invalid_argument);
    server_->stop(seconds(5));
    EXPECT_FALSE(std::filesystem::exists(path));
    EXPECT_EQ(fetch_from({"", 0, path}, {}).error().code, Code::unavailable);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace millrace::http
