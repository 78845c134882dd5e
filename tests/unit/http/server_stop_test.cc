#include <future>

#include "fixture.h"

namespace millrace::http {
namespace {

using std::chrono::seconds;

class ServerStopTest : public HttpTest {};

TEST_F(ServerStopTest, IdleConnectionsEndAtOnceAndNewOnesAreRefused) {
    serve(echo);
    RawSocket idle = connect();
    idle.send("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx");
    EXPECT_TRUE(idle.read_message().ends_with("x"));
    const Instant before = steady_now();
    server_->stop(seconds(30));
    EXPECT_LT(steady_now() - before, seconds(10));
    EXPECT_EQ(idle.read_rest(), "");
    EXPECT_EQ(fetch({}).error().code, Code::unavailable);
    server_->stop(seconds(30));
}

TEST_F(ServerStopTest, ARequestInProgressIsLetToEnd) {
    // One lane, so that the test knows where the handler waits.
    std::promise<void> began;
    Event held(lane_a_.executor());
    const auto handler = [&](Request& request, Response& response) -> Task<void> {
        if (request.path != "/held") co_return (void)co_await response.send(200, Headers{}, "");
        began.set_value();
        (void)co_await held.wait_until(steady_now() + seconds(30));
        (void)co_await response.send(200, Headers{}, "late");
    };
    server_ = std::make_unique<Server>(std::vector<Executor>{lane_a_.executor()}, handler);
    endpoint_ = {"127.0.0.1", *server_->listen("127.0.0.1", 0), ""};
    RawSocket socket = connect();
    socket.send("GET /held HTTP/1.1\r\nHost: x\r\n\r\n");
    began.get_future().get();
    auto stopped = std::async(std::launch::async, [this] { server_->stop(seconds(30)); });
    // The listening socket closes before the wait for requests begins.
    while (fetch({}).has_value()) {
    }
    lane_a_.post([&] { held.set(); });
    const std::string reply = socket.read_rest();
    EXPECT_TRUE(reply.ends_with("late")) << reply;
    EXPECT_NE(reply.find("Connection: close"), std::string::npos);
    socket.close();
    stopped.get();
}

TEST_F(ServerStopTest, AfterTheGraceRequestsAreCutAndHandlersCancelled) {
    std::promise<void> began;
    serve([&](Request&, Response&) -> Task<void> {
        began.set_value();
        for (int i = 0; i < 2; ++i) co_await sleep_for(seconds(30));
        ADD_FAILURE() << "a cancelled handler went on";
    });
    RawSocket socket = connect();
    socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    began.get_future().get();
    server_->stop(milliseconds(50));
    EXPECT_EQ(socket.read_rest(), "");
    EXPECT_TRUE(socket.ended_by_reset());
}

TEST_F(ServerStopTest, AStreamThatIsStuckOnTheClientIsCut) {
    std::promise<Code> seen;
    serve([&](Request&, Response& response) -> Task<void> {
        (void)co_await response.start(200, Headers{}, std::nullopt);
        PatternSource endless(~std::uint64_t{0}, false);
        const auto moved = co_await pump(endless, response);
        seen.set_value(moved.error().code);
    });
    RawSocket socket = connect();
    socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    socket.read_until("\r\n\r\n");
    server_->stop(milliseconds(50));
    EXPECT_EQ(seen.get_future().get(), Code::unavailable);
}

TEST_F(ServerStopTest, TheLanesGoOnAndCanServeAgain) {
    serve(echo);
    const std::string body = "again";
    for (int i = 0; i < 3; ++i) {
        MemorySource source(body);
        const auto reply = fetch({.method = "PUT", .body = &source});
        ASSERT_TRUE(reply) << reply.error().context;
        EXPECT_EQ(reply->body, body);
        server_->stop(seconds(5));
        serve(echo);
    }
}

TEST_F(ServerStopTest, AServerThatNeverListenedNeedsNoStop) { Server server({lane_a_.executor()}, echo); }

}  // namespace
}  // namespace millrace::http
