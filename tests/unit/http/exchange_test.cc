// Client and server together: bodies that stream, in both directions at once.
#include <sys/mman.h>

#include <future>

#include "core/file_parts.h"
#include "fixture.h"

namespace millrace::http {
namespace {

using std::chrono::seconds;

// A source whose read waits until the test lets it go on, and that notes whether anybody touches it after its end.
class HeldSource final : public Source {
public:
    HeldSource(Executor executor, bool announce) : gone(std::make_shared<Event>(executor)), announce_(announce), begun_(executor), go_on_(executor) {}
    ~HeldSource() override {
        *in_read_at_end = in_read_;
        gone->set();
    }
    std::optional<std::uint64_t> size() const override { return announce_ ? std::optional<std::uint64_t>(1'000'000) : std::nullopt; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        in_read_ = true;
        begun_.set();
        (void)co_await go_on_.wait_until(steady_now() + seconds(30));
        in_read_ = false;
        buffer[0] = std::byte{1};
        co_return 1;
    }
    Task<void> wait_for_read() { (void)co_await begun_.wait_until(steady_now() + seconds(10)); }
    bool in_read() const { return in_read_; }

    const std::shared_ptr<bool> in_read_at_end = std::make_shared<bool>(false);
    const std::shared_ptr<Event> gone;

private:
    bool announce_;
    Event begun_;
    Event go_on_;
    bool in_read_ = false;
};

class ExchangeTest : public HttpTest {
protected:
    // Sends `size` pattern bytes to echo and checks what comes back.
    void echo_pattern(std::uint64_t size, bool announce) {
        PatternSource source(size, announce);
        run([&]() -> Task<void> {
            const ClientRequest request{.method = "PUT", .body = &source};
            const auto exchange = co_await client_->send(endpoint_, request);
            EXPECT_TRUE(exchange) << exchange.error().context;
            if (!exchange) co_return;
            EXPECT_EQ((*exchange)->size(), announce ? std::optional(size) : std::nullopt);
            const auto received = co_await read_pattern(**exchange);
            EXPECT_TRUE(received) << received.error().context;
            EXPECT_EQ(received.value_or(0), size);
            EXPECT_TRUE((*exchange)->request_sent());
        });
    }
};

TEST_F(ExchangeTest, BodiesOfEverySizeComeBackWithAndWithoutALength) {
    serve(echo);
    for (const std::uint64_t size : {0ull, 1ull, 1000ull, 16384ull, 65536ull, 262144ull, 262145ull, 3'000'000ull}) {
        echo_pattern(size, true);
        echo_pattern(size, false);
    }
}

TEST_F(ExchangeTest, ABodyLargerThanEveryBufferStreamsBothWaysAtOnce) {
    serve(echo);
    echo_pattern(64ull << 20, true);
    echo_pattern(16ull << 20, false);
}

TEST_F(ExchangeTest, ALargeBodyInMemoryStreamsBothWaysAtOnce) {
    serve(echo);
    const std::string body(20 << 20, 'm');
    MemorySource source(body);
    run([&]() -> Task<void> {
        const ClientRequest request{.method = "PUT", .body = &source};
        const auto reply = co_await http::fetch(*client_, endpoint_, request, 32 << 20);
        EXPECT_TRUE(reply) << reply.error().context;
        EXPECT_TRUE(reply && reply->body == body);
    });
}

TEST_F(ExchangeTest, StreamedRequestsKeepTheirConnection) {
    serve([](Request& request, Response& response) -> Task<void> {
        const auto body = co_await request.read_all(1 << 20);
        EXPECT_TRUE(body);
        (void)co_await response.send(200, Headers{{"X-Peer", request.peer}}, "");
    });
    std::optional<std::string> peer;
    for (int i = 0; i < 10; ++i) {
        PatternSource source(100'000, i % 2 == 0);
        run([&]() -> Task<void> {
            // Only the status is looked at.
            const ClientRequest request{.method = "PUT", .body = &source};
            const auto exchange = co_await client_->send(endpoint_, request);
            EXPECT_TRUE(exchange) << exchange.error().context;
            const std::string seen(*(*exchange)->headers.find("X-Peer"));
            EXPECT_EQ(peer.value_or(seen), seen);
            peer = seen;
        });
    }
}

// A file with the pattern, which says it is larger than it is by so much.
class PatternFile final : public Source, public PartSource {
public:
    explicit PatternFile(std::uint64_t size, std::uint64_t missing = 0) : file_(::memfd_create("pattern", MFD_CLOEXEC)), size_(size) {
        std::vector<std::byte> bytes(size - missing);
        for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = PatternSource::at(i);
        EXPECT_EQ(::write(file_.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    }
    std::optional<std::uint64_t> size() const override { return size_; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        MILLRACE_CO_TRY_ASSIGN(const FilePart part, next_part(buffer.size()));
        const ssize_t count = ::pread(file_.get(), buffer.data(), part.length, static_cast<off_t>(part.offset));
        EXPECT_EQ(count, static_cast<ssize_t>(part.length));
        co_return part.length;
    }
    bool gives_parts() const override { return true; }
    Result<FilePart> next_part(std::size_t bytes_max) override {
        const FilePart part{file_.get(), at_, static_cast<std::size_t>(std::min<std::uint64_t>(bytes_max, size_ - at_))};
        at_ += part.length;
        return part;
    }

private:
    Descriptor file_;
    std::uint64_t size_;
    std::uint64_t at_ = 0;
};

TEST_F(ExchangeTest, WhatLiesInAFileGoesOutFromThereWhereTheLengthIsKnown) {
    serve([](Request& request, Response& response) -> Task<void> {
        PatternFile file(20 << 20);
        const std::optional<std::uint64_t> length = request.path == "/known" ? file.size() : std::nullopt;
        EXPECT_TRUE(co_await response.start(200, Headers{}, length));
        auto* const files = dynamic_cast<PartSink*>(&response);
        EXPECT_EQ(files != nullptr && files->takes_parts(), request.path == "/known" && request.method == "GET");
        EXPECT_TRUE(co_await pump(file, response));
        EXPECT_TRUE(co_await response.finish());
    });
    for (const char* path : {"/known", "/unknown", "/known"}) {
        run([&]() -> Task<void> {
            const ClientRequest request{.target = path};
            const auto exchange = co_await client_->send(endpoint_, request);
            EXPECT_TRUE(exchange) << exchange.error().context;
            if (!exchange) co_return;
            EXPECT_EQ((co_await read_pattern(**exchange)).value_or(0), 20u << 20) << path;
        });
        EXPECT_TRUE(fetch({.method = "HEAD", .target = path})) << path;
    }
}

TEST_F(ExchangeTest, AFileThatIsShorterThanItWasIsNotTakenForWhole) {
    serve([](Request&, Response& response) -> Task<void> {
        PatternFile file(1'000'000, 1);
        EXPECT_TRUE(co_await response.start(200, Headers{}, file.size()));
        EXPECT_FALSE(co_await pump(file, response));
        EXPECT_FALSE(co_await response.finish());
    });
    const auto reply = fetch({});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::incomplete_body);
}

TEST_F(ExchangeTest, MoreOfAFileThanWasAnnouncedIsNotSent) {
    serve([](Request&, Response& response) -> Task<void> {
        PatternFile file(1000);
        EXPECT_TRUE(co_await response.start(200, Headers{}, 999));
        const auto moved = co_await pump(file, response);
        EXPECT_EQ(moved ? Code::internal : moved.error().code, Code::invalid_argument);
    });
    EXPECT_FALSE(fetch({}));
}

TEST_F(ExchangeTest, AFailingSourceFailsTheExchangeWithItsErrorAndTheServerSeesIt) {
    std::promise<Code> seen;
    serve([&](Request& request, Response& response) -> Task<void> {
        const auto body = co_await request.read_all(10 << 20);
        seen.set_value(body ? Code::internal : body.error().code);
        (void)co_await response.send(200, Headers{}, "taken for whole");
    });
    PatternSource source(1'000'000, true);
    source.fail_at(500'000, fail(Code::corrupt, "the disk has forgotten"));
    const auto reply = fetch({.method = "PUT", .body = &source});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::corrupt);
    EXPECT_EQ(reply.error().context, "the disk has forgotten");
    EXPECT_EQ(seen.get_future().get(), Code::incomplete_body);
}

TEST_F(ExchangeTest, AFailingSourceOfUnknownLengthIsNotTakenForWholeEither) {
    std::promise<Code> seen;
    serve([&](Request& request, Response&) -> Task<void> {
        const auto body = co_await request.read_all(10 << 20);
        seen.set_value(body ? Code::internal : body.error().code);
    });
    PatternSource source(1'000'000, false);
    source.fail_at(0, fail(Code::io, "nothing at all"));
    EXPECT_EQ(fetch({.method = "PUT", .body = &source}).error().context, "nothing at all");
    EXPECT_EQ(seen.get_future().get(), Code::incomplete_body);
}

TEST_F(ExchangeTest, ASourceThatEndsEarlyIsIncomplete) {
    class Short final : public Source {
    public:
        std::optional<std::uint64_t> size() const override { return 100; }
        Task<Result<std::size_t>> read(std::span<std::byte>) override { co_return 0; }
    } source;
    serve(echo);
    EXPECT_EQ(fetch({.method = "PUT", .body = &source}).error().code, Code::incomplete_body);
}

TEST_F(ExchangeTest, ASourceThatThrowsIsAnError) {
    class Throwing final : public Source {
    public:
        std::optional<std::uint64_t> size() const override { return 100; }
        Task<Result<std::size_t>> read(std::span<std::byte>) override {
            throw std::runtime_error("expected by the test");
            co_return 0;
        }
    } source;
    serve(echo);
    EXPECT_EQ(fetch({.method = "PUT", .body = &source}).error().code, Code::internal);
}

TEST_F(ExchangeTest, ACutResponseIsIncompleteAtTheClient) {
    serve([](Request&, Response& response) -> Task<void> {
        (void)co_await response.start(200, Headers{}, 1'000'000);
        PatternSource source(500'000, true);
        (void)co_await pump(source, response);
    });
    const auto reply = fetch({});
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code, Code::incomplete_body) << reply.error().context;
}

TEST_F(ExchangeTest, ContinueIsWaitedFor) {
    serve([](Request& request, Response& response) -> Task<void> {
        if (request.path == "/redirect") co_return (void)co_await response.send(307, Headers{{"Location", "http://other/"}}, "elsewhere");
        co_await echo(request, response);
    });
    for (const bool in_memory : {true, false}) {
        const std::string text(1000, 'x');
        MemorySource memory(text);
        PatternSource pattern(1000, true);
        ClientRequest request{.method = "PUT", .body = in_memory ? static_cast<Source*>(&memory) : &pattern, .expect_continue = true};
        const auto taken = fetch(request);
        ASSERT_TRUE(taken) << taken.error().context;
        EXPECT_EQ(taken->body.size(), 1000u);
        request.target = "/redirect";
        const auto redirected = fetch(request);
        ASSERT_TRUE(redirected) << redirected.error().context;
        EXPECT_EQ(redirected->status, 307);
        EXPECT_EQ(redirected->body, "elsewhere");
    }
}

TEST_F(ExchangeTest, AtTheDeadlineTheSourceIsLetGo) {
    serve(echo);
    run([&]() -> Task<void> {
        auto source = std::make_unique<HeldSource>(client_loop_.executor(), true);
        const auto in_read_at_end = source->in_read_at_end;
        const ClientRequest request{.method = "PUT", .body = source.get(), .deadline = steady_now() + milliseconds(100)};
        const auto exchange = co_await client_->send(endpoint_, request);
        EXPECT_EQ(exchange.error().code, Code::timed_out);
        source.reset();
        EXPECT_FALSE(*in_read_at_end);
    });
}

TEST_F(ExchangeTest, ClosingBeforeTheEndWaitsForTheSource) {
    serve([](Request& request, Response& response) -> Task<void> {
        (void)co_await response.start(200, Headers{}, std::nullopt);
        (void)co_await pump(request, response);
    });
    run([&]() -> Task<void> {
        auto held = std::make_unique<HeldSource>(client_loop_.executor(), false);
        const auto in_read_at_end = held->in_read_at_end;
        const ClientRequest request{.method = "PUT", .body = held.get()};
        auto exchange = co_await client_->send(endpoint_, request);
        EXPECT_TRUE(exchange) << exchange.error().context;
        if (!exchange) co_return;
        EXPECT_TRUE(held->in_read());
        co_await (*exchange)->close();
        EXPECT_FALSE(held->in_read());
        held.reset();
        EXPECT_FALSE(*in_read_at_end);
        const auto after = co_await (*exchange)->read_all(10);
        EXPECT_EQ(after.error().code, Code::cancelled);
        co_await (*exchange)->close();
    });
}

TEST_F(ExchangeTest, AnOwnerOutlivesAnExchangeThatIsJustDropped) {
    serve([](Request& request, Response& response) -> Task<void> {
        (void)co_await response.start(200, Headers{}, std::nullopt);
        (void)co_await pump(request, response);
    });
    run([&]() -> Task<void> {
        auto source = std::make_shared<HeldSource>(client_loop_.executor(), false);
        const auto gone = source->gone;
        ClientRequest request{.method = "PUT", .body = source.get()};
        request.body_owner = std::move(source);
        auto exchange = co_await client_->send(endpoint_, request);
        EXPECT_TRUE(exchange) << exchange.error().context;
        request.body_owner.reset();
        exchange->reset();
        EXPECT_FALSE(gone->is_set());
        EXPECT_TRUE(co_await gone->wait_until(steady_now() + seconds(10)));
    });
}

TEST_F(ExchangeTest, ACancelledTaskLeavesNoReadOfItsSourceBehind) {
    serve([](Request&, Response& response) -> Task<void> {
        Event never(co_await boost::asio::this_coro::executor);
        (void)co_await never.wait_until(steady_now() + milliseconds(200));
        (void)co_await response.send(200, Headers{}, "");
    });
    run([&]() -> Task<void> {
        auto source = std::make_unique<HeldSource>(client_loop_.executor(), true);
        const auto in_read_at_end = source->in_read_at_end;
        TaskGroup group(client_loop_.executor());
        Code code = Code::internal;
        const auto task = [&]() -> Task<void> {
            const ClientRequest request{.method = "PUT", .body = source.get()};
            const auto exchange = co_await client_->send(endpoint_, request);
            if (!exchange) code = exchange.error().code;
            source.reset();
        };
        group.spawn(task());
        co_await source->wait_for_read();
        group.cancel();
        co_await group.join();
        EXPECT_EQ(code, Code::cancelled);
        EXPECT_EQ(source, nullptr);
        EXPECT_FALSE(*in_read_at_end);
    });
}

TEST_F(ExchangeTest, AStreamOfUnknownLengthReachesTheServerBeforeItEnds) {
    // The server's reply comes before the source gives its first byte.
    serve([](Request&, Response& response) -> Task<void> { (void)co_await response.send(403, Headers{}, "no"); });
    run([&]() -> Task<void> {
        HeldSource held(client_loop_.executor(), false);
        const ClientRequest request{.method = "PUT", .body = &held};
        const auto reply = co_await http::fetch(*client_, endpoint_, request);
        EXPECT_TRUE(reply) << reply.error().context;
        EXPECT_EQ(reply ? reply->status : 0, 403);
        EXPECT_FALSE(held.in_read());
    });
}

TEST_F(ExchangeTest, ABodyOfExactlyTheBoundIsRead) {
    serve([](Request& request, Response& response) -> Task<void> {
        const auto body = co_await request.read_all(5000);
        if (!body) co_return (void)co_await response.send_error(body.error());
        (void)co_await response.send(200, Headers{}, *body);
    });
    for (const bool announce : {true, false}) {
        for (const std::uint64_t size : {0, 1, 4096, 4999, 5000, 5001, 100'000}) {
            PatternSource source(size, announce);
            const auto reply = fetch({.method = "PUT", .body = &source});
            ASSERT_TRUE(reply) << size << ": " << reply.error().context;
            EXPECT_EQ(reply->status, size <= 5000 ? 200 : 413) << size;
            if (size <= 5000) EXPECT_EQ(reply->body.size(), size);
        }
    }
}

TEST_F(ExchangeTest, ManyExchangesAtOnceOnOneClient) {
    serve(echo);
    run([&]() -> Task<void> {
        TaskGroup group(client_loop_.executor());
        int done = 0;
        const auto one = [&](int number) -> Task<void> {
            for (int i = 0; i < 20; ++i) {
                const std::string body = std::to_string(number) + "-" + std::to_string(i);
                MemorySource source(body);
                const ClientRequest request{.method = "PUT", .body = &source};
                const auto reply = co_await http::fetch(*client_, endpoint_, request);
                EXPECT_TRUE(reply) << reply.error().context;
                if (reply && reply->body == body) ++done;
            }
        };
        for (int number = 0; number < 16; ++number) group.spawn(one(number));
        co_await group.join();
        EXPECT_EQ(done, 16 * 20);
    });
}

}  // namespace
}  // namespace millrace::http
