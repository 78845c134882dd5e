// Servers, clients and bare sockets on loopback for the tests of http/, and sources with a known content.
#pragma once
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "core/loop.h"
#include "http/client.h"
#include "http/listener.h"
#include "http/server.h"

namespace millrace::http {

// A blocking socket that speaks bytes. Every wait ends after 10 s.
class RawSocket {
public:
    explicit RawSocket(Descriptor socket);
    static RawSocket connect(const Endpoint& endpoint);

    void send(std::string_view text);
    // What arrives up to and including the marker; up to the end of the connection if it never comes.
    std::string read_until(std::string_view marker);
    // Everything up to the end of the connection.
    std::string read_rest() { return read_until(""); }
    // A whole reply or request with a Content-Length, or without a body.
    std::string read_message();
    bool ended_by_reset() const { return reset_; }
    void shut_down_sending();
    void close() { socket_ = std::make_unique<Descriptor>(-1); }

private:
    bool read_more();
    std::unique_ptr<Descriptor> socket_;
    std::string ahead_;
    bool reset_ = false;
};

// A server that follows a script: called once per connection, in a thread of its own, with the connection's number from 0.
class ScriptedServer {
public:
    explicit ScriptedServer(std::function<void(RawSocket&, int)> script);
    ~ScriptedServer();
    const Endpoint& endpoint() const { return endpoint_; }

private:
    std::unique_ptr<Descriptor> listening_;
    Endpoint endpoint_;
    std::thread thread_;
};

// `size` bytes of a pattern in which every position differs from its neighbours.
class PatternSource final : public Source {
public:
    PatternSource(std::uint64_t size, bool announce) : size_(size), announce_(announce) {}
    std::optional<std::uint64_t> size() const override { return announce_ ? std::optional(size_) : std::nullopt; }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override;
    static std::byte at(std::uint64_t offset) { return static_cast<std::byte>((offset * 31 + (offset >> 8) * 7) & 255); }
    // If set, the read that begins at or after this offset fails with it.
    void fail_at(std::uint64_t offset, Error error) { failure_ = {offset, std::move(error)}; }
    std::uint64_t offset() const { return offset_; }

private:
    std::uint64_t size_;
    bool announce_;
    std::uint64_t offset_ = 0;
    std::optional<std::pair<std::uint64_t, Error>> failure_;
};

// Reads everything and checks it against the pattern; the number of bytes, or the error.
Task<Result<std::uint64_t>> read_pattern(Source& source);
// Answers with the body of the request, while it is still being read.
Task<void> echo(Request& request, Response& response);

class HttpTest : public testing::Test {
protected:
    HttpTest();
    ~HttpTest() override;
    void serve(Handler handler, ServerOptions options = {});
    // On the client's loop, to the end.
    template <class Run>
    auto run(Run run) {
        return run_blocking(client_loop_, run());
    }
    Result<Reply> fetch_from(const Endpoint& endpoint, const ClientRequest& request);
    Result<Reply> fetch(const ClientRequest& request) { return fetch_from(endpoint_, request); }
    RawSocket connect() const { return RawSocket::connect(endpoint_); }

    Loop lane_a_{"lane-a"};
    Loop lane_b_{"lane-b"};
    Loop client_loop_{"client"};
    std::unique_ptr<Server> server_;
    std::unique_ptr<Client> client_;
    Endpoint endpoint_;
};

}  // namespace millrace::http
