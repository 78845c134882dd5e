#include "http/connection.h"

#include <sys/socket.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>

#include "fixture.h"
#include "http/message_reader.h"
#include "http/message_writer.h"
#include "http/plain_transport.h"
#include "scripted_transport.h"

namespace millrace::http {
namespace {

namespace asio = boost::asio;
using std::chrono::seconds;

// What the parts of http/ that stand on a connection make of what a transport does.
class ConnectionTest : public testing::Test {
protected:
    // On a connection over the script.
    template <class Use>
    auto with_connection(Use use) {
        const auto task = [&]() -> decltype(use(std::declval<Connection&>())) {
            Connection connection(loop_.executor(), std::make_unique<ScriptedTransport>(loop_.executor(), script_));
            co_return co_await use(connection);
        };
        return run_blocking(loop_, task());
    }
    // A request as a server reads it: "METHOD body", or the error.
    Result<std::string> read_request(Duration time = seconds(10)) {
        return with_connection([&](Connection& connection) -> Task<Result<std::string>> {
            connection.set_deadline(Side::read, steady_now() + time);
            MessageReader reader(connection, MessageReader::Kind::request);
            Head head;
            MILLRACE_CO_TRY_ASSIGN(const bool received, co_await reader.read_head(head));
            if (!received) co_return "nothing";
            std::string text = head.method + " ";
            std::array<std::byte, 4> buffer;
            for (;;) {
                MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await reader.read_body(buffer));
                if (count == 0) co_return text;
                text.append(reinterpret_cast<const char*>(buffer.data()), count);
            }
        });
    }
    // A message of the head "head " and a body, written at once as far as that goes and then with waiting.
    Result<void> write_message(std::string_view body) {
        return with_connection([&](Connection& connection) -> Task<Result<void>> {
            MessageWriter writer(connection);
            writer.begin(Framing::length, body.size()) = "head ";
            MILLRACE_CO_TRY_ASSIGN(const bool all, writer.try_send(body));
            if (all) co_return Result<void>{};
            co_return co_await writer.send_rest();
        });
    }
    // What a step ends with that waits, at a deadline that passes or because its task is cancelled.
    Error ending(std::function<Task<boost::system::error_code>(Connection&)> step, bool is_cancelled) {
        return with_connection([&](Connection& connection) -> Task<Error> {
            asio::cancellation_signal cancel;
            script_.on_wait = [&] {
                if (is_cancelled) loop_.post([&] { cancel.emit(asio::cancellation_type::terminal); });
                if (!is_cancelled) connection.set_deadline(Side::read, steady_now());
            };
            const auto run = [&]() -> Task<boost::system::error_code> { co_return co_await step(connection); };
            auto failure = co_await asio::co_spawn(loop_.executor(), run, asio::bind_cancellation_slot(cancel.slot(), asio::use_awaitable));
            EXPECT_EQ(connection.is_open(), is_cancelled);
            EXPECT_EQ(connection.expired(), !is_cancelled);
            co_return connection.error("the step", failure);
        });
    }

    TransportScript script_;
    Loop loop_{"connection"};
};

Task<boost::system::error_code> read_once(Connection& connection) {
    std::array<std::byte, 4> buffer;
    const auto [failure, count] = co_await connection.read_some(buffer);
    co_return failure;
}

Task<boost::system::error_code> write_once(Connection& connection) {
    const std::array<std::span<const std::byte>, 1> parts{as_bytes(std::string_view("text"))};
    const auto [failure, count] = co_await connection.write_some(parts);
    co_return failure;
}

Task<boost::system::error_code> shake_hands(Connection& connection) { return connection.open(Transport::Role::server); }

TEST_F(ConnectionTest, AMessageMayComeInAnyPieces) {
    for (const char c : std::string_view("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")) script_.receive(std::string(1, c));
    EXPECT_EQ(read_request().value_or("an error"), "PUT hello");
    script_.receive("PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
    script_.receive("llo\r");
    script_.receive("\n0\r\n\r\n");
    EXPECT_EQ(read_request().value_or("an error"), "PUT hello");
}

TEST_F(ConnectionTest, AMessageMayGoOutInAnyPieces) {
    script_.writes = {0, 1, 3, 4, 1};
    EXPECT_TRUE(write_message("hello, hello"));
    EXPECT_EQ(script_.written, "head hello, hello");
    EXPECT_TRUE(script_.was_closed);
    EXPECT_FALSE(script_.was_cut);
}

TEST_F(ConnectionTest, TheEndOfThePeerIsCleanBetweenMessagesOnly) {
    script_.end();
    EXPECT_EQ(read_request().value_or("an error"), "nothing");
    for (const char* begun : {"PUT", "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhell",
                              "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"}) {
        script_.receive(begun);
        script_.end();
        const auto read = read_request();
        ASSERT_FALSE(read) << begun;
        EXPECT_EQ(read.error().code, Code::incomplete_body) << begun;
    }
}

TEST_F(ConnectionTest, AnErrorInTheMiddleIsNoEnd) {
    const auto reading = [&](TransportScript::Failure failure) {
        script_.receive("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
        script_.fail_read(failure);
        const auto read = read_request();
        return read ? Error{} : read.error();
    };
    const Error reset = reading(asio::error::connection_reset);
    EXPECT_EQ(reset.code, Code::incomplete_body);
    EXPECT_NE(reset.context.find("after 3 of 5 bytes"), std::string::npos) << reset.context;
    EXPECT_EQ(reading(asio::error::host_unreachable).code, Code::unavailable);
    EXPECT_EQ(reading(make_error_code(boost::system::errc::protocol_error)).code, Code::unavailable);

    const auto writing = [&](TransportScript::Failure failure) {
        script_.writes = {3, 4, 0};
        script_.write_failure = failure;
        script_.written.clear();
        const Result<void> written = write_message("hello");
        EXPECT_EQ(script_.written, "head he");
        return written ? Code::internal : written.error().code;
    };
    EXPECT_EQ(writing(asio::error::broken_pipe), Code::incomplete_body);
    EXPECT_EQ(writing(make_error_code(boost::system::errc::protocol_error)), Code::unavailable);
}

TEST_F(ConnectionTest, ADeadlineCutsWhatWaits) {
    script_.opens = false;
    script_.writes = {0, 0, 0};
    for (const auto step : {read_once, write_once, shake_hands}) {
        script_.was_cut = false;
        const Error error = ending(step, false);
        EXPECT_EQ(error.code, Code::timed_out);
        EXPECT_EQ(error.context, "the step: the deadline passed");
        EXPECT_TRUE(script_.was_cut);
    }
}

TEST_F(ConnectionTest, ACancelledTaskLeavesTheConnectionOpen) {
    script_.opens = false;
    script_.writes = {0, 0, 0};
    for (const auto step : {read_once, write_once, shake_hands}) EXPECT_EQ(ending(step, true).code, Code::cancelled);
    EXPECT_FALSE(script_.was_cut);
}

TEST_F(ConnectionTest, WhoIsAskedWhenADeadlinePassesMayMoveIt) {
    int asked = 0;
    const Error error = with_connection([&](Connection& connection) -> Task<Error> {
        connection.set_due([&] { return ++asked < 3 ? steady_now() + milliseconds(1) : steady_now(); });
        connection.set_deadline(Side::read, steady_now());
        const auto failure = co_await read_once(connection);
        co_return connection.error("reading", failure);
    });
    EXPECT_EQ(error.code, Code::timed_out);
    EXPECT_EQ(asked, 3);
    EXPECT_TRUE(script_.was_cut);
}

TEST_F(ConnectionTest, OnlyASideThatIsExpectedToMoveMayStall) {
    with_connection([&](Connection& connection) -> Task<void> {
        connection.expect_progress(Side::read);  // without a limit
        connection.set_stall_limit(milliseconds(1));
        connection.expect_progress(Side::write);
        connection.rest(Side::write);
        script_.receive("x");
        EXPECT_FALSE(co_await read_once(connection));
        connection.expect_progress(Side::read);
        EXPECT_TRUE(co_await read_once(connection));
        EXPECT_TRUE(connection.expired());
    });
    EXPECT_TRUE(script_.was_cut);
}

TEST_F(ConnectionTest, AGentleEndSaysSoAndReadsTheRest) {
    script_.receive("what nobody ");
    script_.receive("reads");
    script_.end();
    with_connection([&](Connection& connection) -> Task<void> {
        co_await connection.close_gently();
        EXPECT_FALSE(connection.is_open());
    });
    EXPECT_TRUE(script_.ended_sending);
    EXPECT_TRUE(script_.reads.empty());
    EXPECT_FALSE(script_.was_cut);
}

// A connected pair: one end for a connection, one for the test.
class PlainTest : public testing::Test {
protected:
    void SetUp() override {
        int ends[2];
        ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
        near_ = Descriptor(ends[0]);
        far_ = std::make_unique<RawSocket>(Descriptor(ends[1]));
    }
    template <class Use>
    void with_connection(Use use) {
        const auto task = [&]() -> Task<void> {
            Connection connection(loop_.executor(), make_plain_transport(loop_.executor(), std::move(near_)));
            EXPECT_FALSE(co_await connection.open(Transport::Role::client));
            co_await use(connection);
        };
        run_blocking(loop_, task());
    }

    Descriptor near_;
    std::unique_ptr<RawSocket> far_;
    Loop loop_{"plain"};
};

TEST_F(PlainTest, SilenceEndsWithAByteAndAHangUpIsSeenBehindIt) {
    with_connection([&](Connection& connection) -> Task<void> {
        EXPECT_EQ(connection.peer(), "unix");
        EXPECT_TRUE(connection.is_silent());
        EXPECT_FALSE(connection.has_hung_up());
        far_->send("x");
        EXPECT_FALSE(connection.is_silent());
        EXPECT_FALSE(connection.has_hung_up());
        far_->shut_down_sending();
        EXPECT_TRUE(connection.has_hung_up());
        EXPECT_FALSE(co_await read_once(connection));
        EXPECT_EQ(co_await read_once(connection), asio::error::eof);
        EXPECT_FALSE(connection.is_silent());
        connection.close();
        EXPECT_TRUE(connection.has_hung_up());
        EXPECT_FALSE(connection.is_silent());
        EXPECT_EQ(connection.peer(), "unknown");
        EXPECT_TRUE(std::get<0>(connection.try_write({})));
        EXPECT_TRUE(co_await read_once(connection));
    });
}

TEST_F(PlainTest, WhatIsTriedTakesWhatTheSocketHasRoomFor) {
    with_connection([&](Connection& connection) -> Task<void> {
        const std::string much(8 << 20, 'x');
        const std::array<std::span<const std::byte>, 2> parts{as_bytes(std::string_view("head ")), as_bytes(much)};
        const auto [failure, count] = connection.try_write(parts);
        EXPECT_FALSE(failure);
        EXPECT_GT(count, 5u);
        EXPECT_LT(count, much.size());
        while (std::get<1>(connection.try_write(parts)) > 0) {
        }
        EXPECT_EQ(far_->read_until("head "), "head ");
        connection.close();
        co_return;
    });
}

TEST_F(PlainTest, AReleasedSocketLivesOn) {
    Descriptor released;
    with_connection([&](Connection& connection) -> Task<void> {
        released = connection.release();
        EXPECT_FALSE(connection.is_open());
        co_return;
    });
    ASSERT_TRUE(released.is_open());
    RawSocket(std::move(released)).send("still here");
    EXPECT_EQ(far_->read_rest(), "still here");
}

TEST_F(PlainTest, ASocketThatIsNoneGivesAClosedTransport) {
    near_.close();
    with_connection([&](Connection& connection) -> Task<void> {
        EXPECT_FALSE(connection.is_open());
        EXPECT_TRUE(co_await read_once(connection));
    });
}

// What a server does with the transport that its listener makes.
class ListenerTest : public HttpTest {
protected:
    // Lets one client in.
    void let_in(ServerOptions options = {}) {
        script_.on_close = [this] { closed_.set_value(); };
        const auto transport = [this](const Executor& executor, const Descriptor&) { return std::make_unique<ScriptedTransport>(executor, script_); };
        const auto handler = [this](Request&, Response& response) -> Task<void> {
            ++requests_;
            (void)co_await response.send(200, Headers{}, "answered");
        };
        server_ = std::make_unique<Server>(std::vector<Executor>{lane_a_.executor()}, handler, options);
        endpoint_ = {"127.0.0.1", *server_->listen("127.0.0.1", 0, transport), ""};
        connect();
    }
    // The same, until its connection has ended; what was written to it.
    std::string serve_one(ServerOptions options = {}) {
        let_in(options);
        closed_.get_future().get();
        server_->stop(seconds(30));
        return script_.written;
    }

    TransportScript script_;
    int requests_ = 0;
    std::promise<void> closed_;
};

TEST_F(ListenerTest, ItsConnectionsSpeakOverItsTransport) {
    script_.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    script_.end();
    EXPECT_TRUE(serve_one().ends_with("\r\n\r\nanswered"));
    EXPECT_EQ(script_.role, Transport::Role::server);
    EXPECT_EQ(requests_, 1);
}

TEST_F(ListenerTest, AHandshakeThatFailsIsNotAnswered) {
    script_.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    script_.open_failure = make_error_code(boost::system::errc::protocol_error);
    EXPECT_EQ(serve_one(), "");
    EXPECT_EQ(requests_, 0);
}

TEST_F(ListenerTest, AHandshakeHasTheTimeOfARequestsHead) {
    script_.opens = false;
    EXPECT_EQ(serve_one({.idle_time_max = milliseconds(1)}), "");
    EXPECT_TRUE(script_.was_cut);
    EXPECT_EQ(requests_, 0);
}

TEST_F(ListenerTest, AHandshakeEndsWithTheServer) {
    std::promise<void> waits;
    script_.opens = false;
    script_.on_wait = [&] { waits.set_value(); };
    let_in();
    waits.get_future().get();
    server_->stop(seconds(30));
    EXPECT_TRUE(script_.was_closed);
    EXPECT_FALSE(script_.was_cut);  // which comes after the grace
}

TEST_F(ListenerTest, WhoIsTurnedAwayHasAHandshakeToo) {
    script_.end();
    EXPECT_TRUE(serve_one({.connections_max = 0}).starts_with("HTTP/1.1 503 "));
    EXPECT_EQ(script_.role, Transport::Role::server);
    EXPECT_TRUE(script_.ended_sending);
}

}  // namespace
}  // namespace millrace::http
