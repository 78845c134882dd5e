// HTTP over TLS, between a server and a client of ours; certificates are made as operators make them.
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <boost/asio/connect.hpp>
#include <array>
#include <filesystem>
#include <future>

#include "auth/certificates.h"
#include "core/check.h"
#include "core/file.h"
#include "fixture.h"
#include "http/client.h"
#include "http/tls_transport.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::http {
namespace {

using std::chrono::seconds;

class TlsTest : public testing::Test {
protected:
    TlsTest() {
        MILLRACE_CHECK(auth::make_authority(ca_.path()).has_value());
        MILLRACE_CHECK(auth::make_authority(other_.path()).has_value());
    }
    ~TlsTest() override {
        const auto forget = [this] {
            client_.reset();
            return 0;
        };
        run_blocking(client_lane_, call_on(client_lane_.executor(), forget));
        if (server_) server_->stop(seconds(5));
        set_client_tls(nullptr);
    }

    TlsFiles issue(const TempFolder& authority, const std::string& name, const std::string& host = "127.0.0.1", std::int64_t begins = 0, int days = 10) {
        const auto issued = auth::issue_certificate(authority.path(), {.name = name, .hosts = {host}, .days = days, .begins_unix = begins});
        MILLRACE_CHECK(issued.has_value());
        return {issued->certificate, issued->key, authority / "ca.pem"};
    }
    void serve(const TlsFiles& files) {
        serve(TlsContext::open(files, TlsContext::Role::server).value());
    }
    void serve(std::shared_ptr<TlsContext> context) {
        const auto handle = [this](Request& request, Response& response) -> Task<void> { return answer(request, response); };
        server_ = std::make_unique<Server>(std::vector<Executor>{server_lane_.executor()}, handle);
        const auto port = server_->listen("127.0.0.1", 0, server_transport(std::move(context)));
        MILLRACE_CHECK(port.has_value());
        endpoint_ = {"127.0.0.1", *port, "", Scheme::https};
    }
    // Says who asks, and gives the body back.
    Task<void> answer(Request& request, Response& response) {
        auto body = co_await request.read_all(64 << 20);
        Headers headers{{"Peer-Node", request.peer_node}, {"Secure", request.is_secure ? "yes" : "no"}};
        (void)co_await response.send(200, std::move(headers), body ? *body : "");
    }
    void trust(const TlsFiles& files) { set_client_tls(TlsContext::open(files, TlsContext::Role::client).value()); }
    Result<Reply> ask(const std::string& body = "") {
        const auto exchange = [this, &body]() -> Task<Result<Reply>> { return fetch_from(endpoint_, body); };
        return run_blocking(client_lane_, exchange());
    }
    Task<Result<Reply>> fetch_from(Endpoint endpoint, std::string body) {
        if (!client_) client_ = std::make_unique<Client>(client_lane_.executor());
        MemorySource source(body);
        const ClientRequest request{.method = "PUT", .target = "/", .body = &source};
        co_return co_await fetch(*client_, endpoint, request, 64 << 20);
    }
    Task<Result<Reply>> fetch_to_the_end(Endpoint endpoint) {
        if (!client_) client_ = std::make_unique<Client>(client_lane_.executor());
        const ClientRequest request{.trusts_end_of_connection = true};
        co_return co_await fetch(*client_, endpoint, request);
    }
    std::string refusal() {
        const auto reply = ask();
        return reply ? "" : reply.error().context;
    }

    const TempFolder ca_, other_;
    Loop server_lane_{"server"};
    Loop client_lane_{"client"};
    std::unique_ptr<Server> server_;
    std::unique_ptr<Client> client_;
    Endpoint endpoint_;
};

TEST_F(TlsTest, BodiesOfEverySizeArriveAsTheyWere) {
    serve(issue(ca_, "server"));
    trust({"", "", ca_ / "ca.pem"});
    for (const std::size_t size : {0u, 1u, 1000u, 16'383u, 16'384u, 16'385u, 65'536u, 131'072u, 131'073u, 5'000'000u}) {
        std::string body(size, 'x');
        for (std::size_t i = 0; i < size; i += 997) body[i] = static_cast<char>('a' + i % 26);
        const auto reply = ask(body);
        ASSERT_TRUE(reply) << size << ": " << reply.error().context;
        EXPECT_TRUE(reply->body == body) << size;
        EXPECT_EQ(reply->headers.find("Secure"), "yes");
        EXPECT_EQ(reply->headers.find("Peer-Node"), "") << "none was shown";
    }
}

TEST_F(TlsTest, AServerKnowsWhichNodeAsks) {
    serve(issue(ca_, "server"));
    trust(issue(ca_, "t-1"));
    const auto reply = ask();
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(reply->headers.find("Peer-Node"), "t-1");
}

TEST_F(TlsTest, ACertificateOfAnotherAuthorityIsRefusedByBothSides) {
    serve(issue(ca_, "server"));
    trust({"", "", other_ / "ca.pem"});
    EXPECT_NE(refusal().find("signed by an authority that is not known here"), std::string::npos) << refusal();
    TlsFiles foreign = issue(other_, "t-1");
    foreign.authority = ca_ / "ca.pem";
    trust(foreign);
    EXPECT_NE(refusal(), "") << "the server does not believe the client";
}

TEST_F(TlsTest, ACertificateIsForTheHostThatWasAsked) {
    serve(issue(ca_, "server", "127.0.0.2"));
    trust({"", "", ca_ / "ca.pem"});
    EXPECT_NE(refusal().find("other names than the one it was asked by"), std::string::npos) << refusal();
}

TEST_F(TlsTest, OneThatIsOverOrBeginsLaterIsRefused) {
    constexpr std::int64_t kDay = 24 * 3600;
    const std::int64_t now = unix_now_ns() / 1'000'000'000;
    const TlsFiles over = issue(ca_, "over", "127.0.0.1", now - 10 * kDay, 1);
    const auto opened = TlsContext::open(over, TlsContext::Role::server);
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().context.find("has expired"), std::string::npos);
    serve(issue(ca_, "later", "127.0.0.1", now + kDay, 10));
    trust({"", "", ca_ / "ca.pem"});
    EXPECT_NE(refusal().find("set the clocks right"), std::string::npos) << refusal();
}

TEST_F(TlsTest, NewCertificatesAreUsedWithoutARestart) {
    const TlsFiles files = issue(ca_, "server");
    serve(files);
    trust({"", "", ca_ / "ca.pem"});
    ASSERT_TRUE(ask());
    const TlsFiles next = issue(other_, "server");
    ASSERT_TRUE(write_file(files.key, *read_file(next.key)));
    EXPECT_TRUE(ask()) << "half of the new pair changes nothing";
    ASSERT_TRUE(write_file(files.certificate, *read_file(next.certificate)));
    const Instant deadline = steady_now() + seconds(60);
    const auto is_new = [this] {
        trust({"", "", other_ / "ca.pem"});
        client_lane_.post([this] { client_.reset(); });
        return ask().has_value();
    };
    while (!is_new()) ASSERT_LT(steady_now(), deadline);
}

TEST_F(TlsTest, FilesThatAreNoneAreNamed) {
    const TlsFiles good = issue(ca_, "server");
    TlsFiles files = good;
    files.certificate = ca_ / "none.pem";
    EXPECT_NE(TlsContext::open(files, TlsContext::Role::server).error().context.find("none.pem"), std::string::npos);
    files = good;
    files.key = issue(ca_, "another").key;
    EXPECT_NE(TlsContext::open(files, TlsContext::Role::server).error().context.find("another.key"), std::string::npos);
    std::filesystem::permissions(good.key, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
    EXPECT_NE(TlsContext::open(good, TlsContext::Role::server).error().context.find("can be read by others"), std::string::npos);
}

TEST_F(TlsTest, WhoSpeaksPlainHttpToItIsTold) {
    serve(issue(ca_, "server"));
    Endpoint plain = endpoint_;
    plain.scheme = Scheme::http;
    const auto exchange = [&]() -> Task<Result<Reply>> { return fetch_from(plain, ""); };
    const auto reply = run_blocking(client_lane_, exchange());
    ASSERT_TRUE(reply) << reply.error().context;
    EXPECT_EQ(reply->status, 400);
    EXPECT_NE(reply->body.find("speaks https"), std::string::npos);
}

// Both ends of a pair of sockets, of which little fits into one at once.
TEST_F(TlsTest, AWriteOfWhichOnlyAPartGoesOutAtOnceIsWholeInTheEnd) {
    const TlsFiles files = issue(ca_, "server");
    int ends[2] = {};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    const int little = 4096;
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &little, sizeof little);
    const auto context = [&](TlsContext::Role role) { return TlsContext::open(files, role).value(); };
    auto writer = server_transport(context(TlsContext::Role::server))(client_lane_.executor(), Descriptor(ends[0]));
    auto reader = tls_client_transport(context(TlsContext::Role::client), "127.0.0.1")(client_lane_.executor(), Descriptor(ends[1]));
    std::string sent(300'000, 'x');
    for (std::size_t i = 0; i < sent.size(); i += 7) sent[i] = static_cast<char>('a' + i % 26);
    std::string read;
    bool was_cut_short = false;
    const auto write_all = [&]() -> Task<void> {
        EXPECT_FALSE(co_await writer->open(Transport::Role::server));
        std::span<const std::byte> rest = as_bytes(sent);
        while (!rest.empty()) {
            auto [failure, count] = writer->try_write({&rest, 1});
            was_cut_short = was_cut_short || (count > 0 && count < rest.size());
            if (!failure && count == 0) std::tie(failure, count) = co_await writer->write_some({&rest, 1});
            if (failure) {
                ADD_FAILURE() << failure.message();
                break;
            }
            rest = rest.subspan(count);
        }
        co_await writer->end_sending();
    };
    const auto read_all = [&]() -> Task<void> {
        EXPECT_FALSE(co_await reader->open(Transport::Role::client));
        std::array<std::byte, 10'000> buffer{};
        for (;;) {
            const auto [failure, count] = co_await reader->read_some(buffer);
            read.append(reinterpret_cast<const char*>(buffer.data()), count);
            if (!failure) continue;
            EXPECT_EQ(failure, boost::asio::error::eof) << "the end that was said";
            break;
        }
    };
    const auto both = [&]() -> Task<void> {
        TaskGroup tasks(client_lane_.executor());
        tasks.spawn(write_all());
        tasks.spawn(read_all());
        co_await tasks.join();
        writer.reset();
        reader.reset();
    };
    run_blocking(client_lane_, both());
    EXPECT_TRUE(was_cut_short) << "else nothing is tried here";
    EXPECT_TRUE(read == sent) << read.size();
}

// Shows that it ends, or just ends.
class BareServer {
public:
    BareServer(const TlsFiles& files, bool says_so) : acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}) {
        thread_ = std::thread([this, files, says_so] {
            boost::asio::ip::tcp::socket socket(io_);
            acceptor_.accept(socket);
            const std::shared_ptr<TlsContext> context = TlsContext::open(files, TlsContext::Role::server).value();
            SSL* const ssl = ::SSL_new(context->current().get());
            ::SSL_set_fd(ssl, socket.native_handle());
            char request[4096];
            if (::SSL_accept(ssl) == 1 && ::SSL_read(ssl, request, sizeof request) > 0) {
                constexpr std::string_view kReply = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of the bod";
                (void)::SSL_write(ssl, kReply.data(), static_cast<int>(kReply.size()));
                if (says_so) ::SSL_shutdown(ssl);
            }
            socket.shutdown(boost::asio::ip::tcp::socket::shutdown_send, ignored_);
            ::SSL_free(ssl);
        });
    }
    ~BareServer() { thread_.join(); }
    std::uint16_t port() const { return acceptor_.local_endpoint().port(); }

private:
    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::system::error_code ignored_;
    std::thread thread_;
};

TEST_F(TlsTest, AnEndThatThePeerDidNotSayIsNone) {
    const TlsFiles files = issue(ca_, "server");
    trust({"", "", ca_ / "ca.pem"});
    for (const bool says_so : {true, false}) {
        const BareServer server(files, says_so);
        const auto exchange = [&]() -> Task<Result<Reply>> { return fetch_to_the_end({"127.0.0.1", server.port(), "", Scheme::https}); };
        const auto reply = run_blocking(client_lane_, exchange());
        EXPECT_EQ(reply.has_value(), says_so) << "cut off, a body without a length would look whole";
    }
}

}  // namespace
}  // namespace millrace::http
