// The HTTP/1.1 server: plain requests in, plain responses out, both streamed.
//
// Lanes: each accepted connection lives on one lane's executor; the handler's tasks for it run there and nowhere else.
// Limits: header 64 KiB, idle connection 75 s, no progress on a body for 15 minutes, connections_max connections (more are
// answered 503 and closed). A body is slow where its client is, and often cannot be sent twice; a client that is gone without a word
// is noticed by TCP. A malformed request gets a problem document with status 400, or 501 for a transfer coding that is not known, and the
// connection is closed. What a handler leaves of a body is read and dropped up to discard_bytes_max; then the connection ends, in order.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/body.h"
#include "core/task.h"
#include "core/uri.h"
#include "http/message.h"
#include "http/plain_transport.h"

namespace millrace::auth {
class Caller;
}

namespace millrace::http {

class Request : public Source {
public:
    std::string method;
    std::string target;  // raw, as received
    std::string path;    // raw (still escaped), without the query
    Query query;
    Headers headers;
    std::string peer;    // "127.0.0.1:54321", for logs
    std::string node;    // ServerOptions::node
    bool is_secure = false;  // it came by TLS
    std::string peer_node;  // as http/transport.h: of the certificate that the client has shown
    std::shared_ptr<const auth::Caller> caller;  // who makes it, once a gate knows: auth/caller.h
    std::string deed;    // what was done, by its handler, where method and path do not say it: for a record of changes

    // Where its client reached this server: "https://host:port", as the header Host says.
    std::string server_url() const { return (is_secure ? "https://" : "http://") + std::string(headers.find("Host").value_or("")); }

    // The body: Source::size() is Content-Length, nullopt when chunked. A body that ends before its Content-Length reads
    // as Code::incomplete_body. The first read answers "100 Continue" where the client waits for it.

    // All of it, up to a bound: more is Code::too_large.
    Task<Result<std::string>> read_all(std::size_t bytes_max);

    // HTTP/1.0: a response without a length ends with the connection, and so looks whole wherever it is cut.
    virtual bool needs_length() const = 0;
    // Nobody but the client wants the answer: from now on the handler's task is cancelled, within two seconds, when the client has
    // hung up. (One that ended only its own side, and still reads, counts as gone, as with most servers.)
    void end_with_client() { end_with_client([] { return false; }); }
    // Or when the answer cannot be finished any more, asked about once a second on the lane of the connection; a handler that knows it too has
    // a second to say so.
    virtual void end_with_client(std::function<bool()> is_over) = 0;
};

class Response : public Sink {
public:
    // A whole response. Content-Length is set here; on HEAD the body is not sent.
    virtual Task<Result<void>> send(int status, Headers headers, std::string_view body) = 0;
    // As send(), for a HEAD reply that announces the length of a body it does not carry.
    virtual Task<Result<void>> send_head(int status, Headers headers, std::uint64_t content_length) = 0;
    // A streamed response: start, write…, finish. Without a length the body is chunked. When the handler returns without
    // finish(), or fewer bytes than announced were written, the connection is cut, so that nobody takes it for whole.
    virtual Task<Result<void>> start(int status, Headers headers, std::optional<std::uint64_t> length) = 0;
    virtual Task<Result<void>> finish() = 0;
    virtual bool started() const = 0;
    // That was sent, or begun to be; 0 before.
    virtual int status() const = 0;

    Task<Result<void>> send_json(int status, std::string_view json);
    // The problem document of the error, with its status or another. On HEAD it travels in the header Hdr-Error.
    Task<Result<void>> send_error(const Error& error);
    Task<Result<void>> send_error(const Error& error, int status, Headers headers = {});

private:
    // That is answered, where the document of an error tells of it; null: it does not.
    virtual const Request* request() const { return nullptr; }
};

// Answers one request. If it returns without having started a response, the server sends status 500.
using Handler = std::function<Task<void>(Request&, Response&)>;

struct ServerOptions {
    std::size_t connections_max = 4096;
    std::size_t connections_per_peer_max = 0;            // of one address, or of one /64 of IPv6; 0: as many as there may be. More are answered as above
    Duration idle_time_max = std::chrono::seconds(75);   // until the next request's header is here; or a byte of a body to discard
    Duration stall_time_max = std::chrono::minutes(15);  // without a byte read or written of a body that is waited for
    std::string node;                                    // whose server it is, as AIStore names nodes in errors: p[ID] or t[ID]
    // Of a body that nobody wants: so much is taken for the sake of clients that look for the answer only when they have sent all.
    std::uint64_t discard_bytes_max = 64 * 1024 * 1024;
};

class Server {
public:
    Server(std::vector<Executor> lanes, Handler handler, ServerOptions options = {});
    ~Server();  // requires stop()

    // transport: makes what carries the bytes of each connection that is accepted there, on its lane; may be called on several at once.

    // Binds and begins to accept; the port that was chosen when port is 0. A busy port is Code::unavailable and says so.
    Result<std::uint16_t> listen(const std::string& host, std::uint16_t port, MakeTransport transport = make_plain_transport);
    // The same with a socket that listens already, which is taken over.
    void listen_on(int socket, MakeTransport transport = make_plain_transport);
    // The same on a Unix socket, always plain; an existing socket file is replaced.
    Result<void> listen_unix(const std::string& path);
    // Stops accepting, lets requests in progress end for up to `grace`, then cuts them; a handler that goes on after that is
    // cancelled. Returns when every handler has ended. Blocks; not from a lane. The lanes must still run.
    void stop(Duration grace);
    // The same without blocking, from any executor but a lane's handler.
    Task<void> close(Duration grace);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::http
