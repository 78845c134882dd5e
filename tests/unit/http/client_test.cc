// The client against servers that follow a script.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <future>
#include <utility>

#include "fixture.h"
#include "http/client_pool.h"
#include "http/problem.h"
#include "http/websocket.h"
#include "scripted_transport.h"

namespace millrace::http {
namespace {

using std::chrono::seconds;

class ClientTest : public HttpTest {
protected:
    Result<Reply> fetch_scripted(std::function<void(RawSocket&, int)> script, const ClientRequest& request = {}) {
        scripted_ = std::make_unique<ScriptedServer>(std::move(script));
        return fetch_from(scripted_->endpoint(), request);
    }
    static std::function<void(RawSocket&, int)> answer(std::string text) {
        return [text = std::move(text)](RawSocket& socket, int) {
            socket.read_message();
            socket.send(text);
        };
    }
    std::unique_ptr<ScriptedServer> scripted_;
};

TEST_F(ClientTest, RepliesOfEveryFramingAreRead) {
    for (const char* text : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\nT: 1\r\n\r\n",
                             "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"}) {
        const auto reply = fetch_scripted(answer(text));
        ASSERT_TRUE(reply) << text << reply.error().context;
        EXPECT_EQ(reply->status, 200);
        EXPECT_EQ(reply->body, "hello");
    }
}

TEST_F(ClientTest, AReplyThatEndsWithItsConnectionIsTrustedByWhoSaysSo) {
    for (const std::string head : {"HTTP/1.0 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"}) {
        const auto doubted = fetch_scripted(answer(head + "hello"));
        ASSERT_FALSE(doubted);
        EXPECT_EQ(doubted.error().code, Code::incomplete_body);
        ClientRequest trusting;
        trusting.trusts_end_of_connection = true;
        const auto reply = fetch_scripted(answer(head + "hello"), trusting);
        ASSERT_TRUE(reply) << reply.error().context;
        EXPECT_EQ(reply->body, "hello");
    }
    const auto refusal = fetch_scripted(answer("HTTP/1.0 404 Not Found\r\n\r\nnothing here"));
    ASSERT_TRUE(refusal);
    EXPECT_EQ(refusal->body, "nothing here");
}

TEST_F(ClientTest, RequestsLookAsTheyShould) {
    std::promise<std::string> seen;
    const auto reply = fetch_scripted(
        [&](RawSocket& socket, int) {
            seen.set_value(socket.read_message());
            socket.send("HTTP/1.1 204 No Content\r\n\r\n");
        },
        {.method = "PUT", .target = "/a%20b?c", .headers = {{"X-Test", "1"}, {"Content-Length", "99"}}});
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(seen.get_future().get(), "PUT /a%20b?c HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(scripted_->endpoint().port) +
                                           "\r\nX-Test: 1\r\nContent-Length: 0\r\n\r\n");
}

TEST_F(ClientTest, ARequestThatCannotBeWrittenIsNotSent) {
    serve(echo);
    EXPECT_EQ(fetch({.target = "/a b"}).error().code, Code::invalid_argument);
    EXPECT_EQ(fetch({.target = ""}).error().code, Code::invalid_argument);
    EXPECT_EQ(fetch({.headers = {{"X", "a\r\nY: b"}}}).error().code, Code::invalid_argument);
    EXPECT_EQ(fetch({.headers = {{"X Y", "a"}}}).error().code, Code::invalid_argument);
}

TEST_F(ClientTest, ACutReplyIsIncomplete) {
    for (const char* text : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
                             "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel"}) {
        const auto reply = fetch_scripted(answer(text));
        ASSERT_FALSE(reply) << text;
        EXPECT_EQ(reply.error().code, Code::incomplete_body) << reply.error().context;
    }
}

TEST_F(ClientTest, AConnectionLostBeforeTheReplyIsUnavailable) {
    EXPECT_EQ(fetch_scripted([](RawSocket& socket, int) { socket.read_message(); }).error().code, Code::unavailable);
    EXPECT_EQ(fetch_scripted(answer("HTTP/1.1 200 OK\r\nContent-")).error().code, Code::unavailable);
    const Endpoint gone = scripted_->endpoint();
    scripted_.reset();
    const auto refused = fetch_from(gone, {});
    EXPECT_EQ(refused.error().code, Code::unavailable);
    EXPECT_NE(refused.error().context.find(gone.text()), std::string::npos) << refused.error().context;
}

TEST_F(ClientTest, AReplyThatIsNotHttpIsTransient) {
    EXPECT_EQ(fetch_scripted(answer("SSH-2.0 hello\r\n\r\n")).error().code, Code::transient);
    EXPECT_EQ(fetch_scripted(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")).error().code, Code::transient);
    for (const std::string status : {"000", "001", "099"}) {
        EXPECT_EQ(fetch_scripted(answer("HTTP/1.1 " + status + " X\r\nContent-Length: 2\r\n\r\nok")).error().code, Code::transient) << status;
    }
}

TEST_F(ClientTest, AReplyInACodingThatWasNotAskedForIsRefused) {
    for (const std::string coding : {"gzip, chunked", "gzip", "chunked, chunked"}) {
        const auto reply = fetch_scripted(answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: " + coding + "\r\n\r\n2\r\nok\r\n0\r\n\r\n"));
        ASSERT_FALSE(reply) << coding;
        EXPECT_EQ(reply.error().code, Code::transient) << coding;
    }
}

TEST_F(ClientTest, TheDeadlineEndsTheWaitForTheHeaderAndForTheBody) {
    for (const char* text : {"", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"}) {
        ClientRequest request;
        request.deadline = steady_now() + milliseconds(100);
        const auto reply = fetch_scripted(
            [text](RawSocket& socket, int) {
                socket.read_message();
                socket.send(text);
                socket.read_rest();
            },
            request);
        ASSERT_FALSE(reply);
        EXPECT_EQ(reply.error().code, Code::timed_out) << reply.error().context;
    }
}

TEST_F(ClientTest, ADeadlineThatMovesGivesTheReplyTime) {
    bool is_up = false;
    std::promise<void> go_on;
    const auto script = [go = go_on.get_future().share()](RawSocket& socket, int number) {
        socket.read_message();
        socket.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nhello");
        go.wait();
        if (number == 0) socket.send("again");
        socket.read_rest();
    };
    scripted_ = std::make_unique<ScriptedServer>(script);
    ClientRequest request;
    request.deadline = steady_now() + milliseconds(50);
    std::promise<void> asked;
    bool told = false;
    request.due = [&] {
        if (!std::exchange(told, true)) asked.set_value();
        return is_up ? steady_now() : steady_now() + milliseconds(50);
    };
    const auto wait = [&, was_asked = asked.get_future().share()] {
        was_asked.wait();
        go_on.set_value();
    };
    std::thread meanwhile(wait);
    const auto reply = fetch_from(scripted_->endpoint(), request);
    meanwhile.join();
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(reply->body, "helloagain");
    is_up = true;
    EXPECT_EQ(fetch_from(scripted_->endpoint(), request).error().code, Code::timed_out);
}

TEST_F(ClientTest, AKeptConnectionIsUsedAgain) {
    const auto script = [](RawSocket& socket, int number) {
        while (!socket.read_message().empty()) {
            const std::string text = std::to_string(number);
            socket.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text);
        }
    };
    ASSERT_EQ(fetch_scripted(script)->body, "0");
    EXPECT_EQ(fetch_from(scripted_->endpoint(), {})->body, "0");
    run([this]() -> Task<void> {
        client_->forget(scripted_->endpoint());
        co_return;
    });
    EXPECT_EQ(fetch_from(scripted_->endpoint(), {})->body, "1");
    run([this]() -> Task<void> {
        client_->forget(scripted_->endpoint());
        co_return;
    });
}

TEST_F(ClientTest, AConnectionThatTurnsOutToBeClosedIsReplacedOnce) {
    // Closes after its second request was received, so that the client cannot have seen it coming.
    const auto script = [](RawSocket& socket, int number) {
        socket.read_message();
        socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(number));
        if (number == 0) socket.read_message();
    };
    const std::string body = "small";
    ASSERT_EQ(fetch_scripted(script)->body, "0");
    MemorySource source(body);
    const auto reply = fetch_from(scripted_->endpoint(), {.method = "PUT", .body = &source});
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(reply->body, "1");
}

TEST_F(ClientTest, AStreamedBodyIsNotSentTwiceAndIsWorthAnotherTry) {
    const auto script = [](RawSocket& socket, int number) {
        socket.read_message();
        socket.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(number));
        if (number == 0) socket.read_message();
    };
    ASSERT_EQ(fetch_scripted(script)->body, "0");
    const auto put = [this] {
        PatternSource source(1000, true);
        return fetch_from(scripted_->endpoint(), {.method = "PUT", .body = &source});
    };
    EXPECT_EQ(put().error().code, Code::overloaded);
    EXPECT_EQ(put()->body, "1");
}

TEST_F(ClientTest, ConnectionsThatMayNotBeKeptAreNot) {
    int connections = 0;
    const auto script = [&](RawSocket& socket, int number) {
        socket.read_message();
        socket.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n" + std::to_string(number));
        connections = number + 1;
    };
    EXPECT_EQ(fetch_scripted(script)->body, "0");
    EXPECT_EQ(fetch_from(scripted_->endpoint(), {})->body, "1");
    EXPECT_EQ(fetch_from(scripted_->endpoint(), {})->body, "2");
    scripted_.reset();
    EXPECT_EQ(connections, 3);
}

TEST_F(ClientTest, ARefusalBeforeContinueMeansThatTheBodyWasNotRead) {
    std::string after;
    scripted_ = std::make_unique<ScriptedServer>([&](RawSocket& socket, int) {
        EXPECT_NE(socket.read_until("\r\n\r\n").find("Expect: 100-continue"), std::string::npos);
        socket.send("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n");
        after = socket.read_rest();
    });
    PatternSource source(1000, true);
    run([&]() -> Task<void> {
        const ClientRequest request{.method = "PUT", .body = &source, .expect_continue = true};
        const auto exchange = co_await client_->send(scripted_->endpoint(), request);
        EXPECT_TRUE(exchange) << exchange.error().context;
        if (!exchange) co_return;
        EXPECT_EQ((*exchange)->status, 307);
        EXPECT_FALSE((*exchange)->request_sent());
    });
    scripted_.reset();
    EXPECT_EQ(after, "");
    EXPECT_EQ(source.offset(), 0u);
}

TEST_F(ClientTest, AServerThatIgnoresExpectGetsTheBodyAfterASecond) {
    const std::string body = "body";
    MemorySource source(body);
    std::string received;
    const auto reply = fetch_scripted(
        [&](RawSocket& socket, int) {
            received = socket.read_message();
            socket.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        },
        {.method = "PUT", .body = &source, .expect_continue = true});
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_TRUE(received.ends_with("\r\n\r\nbody"));
}

TEST_F(ClientTest, AnEarlyReplyEndsTheSending) {
    scripted_ = std::make_unique<ScriptedServer>([](RawSocket& socket, int) {
        socket.read_until("\r\n\r\n");
        socket.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
        socket.shut_down_sending();
        socket.read_rest();
    });
    PatternSource source(1ull << 40, true);
    run([&]() -> Task<void> {
        const ClientRequest request{.method = "PUT", .body = &source};
        const auto exchange = co_await client_->send(scripted_->endpoint(), request);
        EXPECT_TRUE(exchange) << exchange.error().context;
        if (!exchange) co_return;
        EXPECT_EQ((*exchange)->status, 413);
        const auto body = co_await (*exchange)->read_all(100);
        EXPECT_TRUE(body) << body.error().context;
        EXPECT_EQ(body.value_or(""), "big");
        EXPECT_FALSE((*exchange)->request_sent());
    });
}

TEST_F(ClientTest, LocalhostAndNamesAreLookedUp) {
    serve(echo);
    const std::string body = "x";
    MemorySource source(body);
    const auto reply = fetch_from({"localhost", endpoint_.port, ""}, {.method = "PUT", .body = &source});
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(reply->body, "x");
    const auto unknown = fetch_from({"no-such-host.invalid", 80, ""}, {});
    EXPECT_EQ(unknown.error().code, Code::unavailable) << unknown.error().context;
    EXPECT_NE(unknown.error().context.find("no-such-host.invalid"), std::string::npos);
}

TEST_F(ClientTest, WhatNeedsTlsIsRefusedAndNeverSpokenToInTheClear) {
    serve(echo);
    Endpoint secure = endpoint_;
    secure.scheme = Scheme::https;
    EXPECT_TRUE(fetch({}));  // leaves a connection to the same host and port behind
    const Error error = fetch_from(secure, {}).error();
    EXPECT_EQ(error.code, Code::unavailable);
    EXPECT_NE(error.context.find(secure.text() + ": the peer does not speak TLS: an http:// address may do"), std::string::npos) << error.context;
    const auto web_socket = run([&]() -> Task<Result<std::unique_ptr<WebSocket>>> { return WebSocket::connect(secure, "/", steady_now() + seconds(10)); });
    EXPECT_EQ(web_socket.error().code, Code::unavailable);
}

TEST_F(ClientTest, SchemesShareNoConnection) {
    run([&]() -> Task<void> {
        const Endpoint plain{"host", 80, ""};
        const Endpoint secure{"host", 80, "", Scheme::https};
        TransportScript script;
        const auto pool = std::make_shared<ClientPool>(client_loop_.executor(), ClientOptions{});
        auto transport = std::make_unique<ScriptedTransport>(client_loop_.executor(), script);
        auto connection = std::make_unique<Connection>(client_loop_.executor(), std::move(transport));
        pool->give_back(secure, std::make_unique<Channel>(std::move(connection)));
        EXPECT_EQ(pool->take(plain, true), nullptr);
        EXPECT_NE(pool->take(secure, true), nullptr);
        co_return;
    });
}

TEST_F(ClientTest, WhatCannotBeRepeatedGoesByNoKeptConnectionOfAServerThatClosesThem) {
    run([&]() -> Task<void> {
        const Endpoint server{"host", 80, ""};
        TransportScript script;
        const auto pool = std::make_shared<ClientPool>(client_loop_.executor(), ClientOptions{});
        auto transport = std::make_unique<ScriptedTransport>(client_loop_.executor(), script);
        auto connection = std::make_unique<Connection>(client_loop_.executor(), std::move(transport));
        pool->give_back(server, std::make_unique<Channel>(std::move(connection)));
        pool->found_closed(server);
        EXPECT_EQ(pool->take(server, false), nullptr);
        EXPECT_NE(pool->take(server, true), nullptr);
        co_return;
    });
}

// The system tells nobody that it dropped a connection, and repeats it after a second only.
TEST_F(ClientTest, AServerWhoseBacklogWasFullIsReachedSoonAfter) {
    const Descriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval patience{.tv_sec = 10, .tv_usec = 0};  // of accept()
    ::setsockopt(listening.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    ASSERT_EQ(::bind(listening.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
    ASSERT_EQ(::listen(listening.get(), 0), 0);
    ASSERT_EQ(::getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
    const Endpoint endpoint{"127.0.0.1", ntohs(address.sin_port), ""};
    const RawSocket fills = RawSocket::connect(endpoint);

    std::promise<void> tries;
    bool told = false;
    ClientOptions options;
    options.open_socket = [&](int family) {
        if (!std::exchange(told, true)) tries.set_value();
        return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    };
    auto fetched = std::async(std::launch::async, [&] {
        return run([&]() -> Task<Result<Reply>> {
            Client client(client_loop_.executor(), options);
            const ClientRequest request{.connect_timeout = milliseconds(900)};
            co_return co_await http::fetch(client, endpoint, request);
        });
    });
    tries.get_future().wait();
    std::promise<void> was_dropped;  // it connects in the same turn of the loop
    client_loop_.post([&] { was_dropped.set_value(); });
    was_dropped.get_future().wait();
    const Descriptor filler(::accept(listening.get(), nullptr, nullptr));
    RawSocket server{Descriptor(::accept(listening.get(), nullptr, nullptr))};
    server.read_message();
    server.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    const Result<Reply> reply = fetched.get();
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(reply->body, "hi");
}

TEST_F(ClientTest, FetchOkTurnsProblemsIntoErrors) {
    serve([](Request& request, Response& response) -> Task<void> {
        const Error error = fail(Code::stale_epoch, "epoch 3 is over");
        if (request.path == "/problem") co_return (void)co_await response.send_error(error);
        (void)co_await response.send_json(200, "{}");
    });
    const auto fetch_path = [&](const char* path) {
        const ClientRequest request{.target = path};
        return run([&]() -> Task<Result<Reply>> { return fetch_ok(*client_, endpoint_, request); });
    };
    const auto problem = fetch_path("/problem");
    EXPECT_EQ(problem.error().code, Code::stale_epoch);
    EXPECT_EQ(problem.error().context, "epoch 3 is over");
    EXPECT_EQ(fetch_path("/fine")->body, "{}");
}

TEST_F(ClientTest, AReplyLargerThanWantedIsRefused) {
    const auto announced = fetch_scripted(answer("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"));
    EXPECT_EQ(announced.error().code, Code::too_large);
    const std::string chunk = "100000\r\n" + std::string(0x100000, 'x') + "\r\n";
    const auto streamed = fetch_scripted([chunk](RawSocket& socket, int) {  // its thread goes on for a moment
        socket.read_message();
        socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (int i = 0; i < 20; ++i) socket.send(chunk);
    });
    EXPECT_EQ(streamed.error().code, Code::too_large);
}

}  // namespace
}  // namespace millrace::http
