// The HTTP/1.1 client: keeps connections alive per endpoint, streams bodies both ways at once, over TCP or Unix sockets.
//
// A Client belongs to one executor (one lane) and is used there only.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "core/body.h"
#include "core/task.h"
#include "http/message.h"

namespace millrace::http {

struct ClientRequest {
    std::string method = "GET";
    std::string target = "/";
    Headers headers;
    // Not owned; lives until the exchange is over. With a known size it goes out with Content-Length, else chunked.
    // Null: no body (Content-Length: 0 on PUT and POST).
    Source* body = nullptr;
    // Optional: what `body` needs to live. Kept until the last read of the body has returned, even when the exchange is
    // destroyed before (see there).
    std::shared_ptr<void> body_owner;
    // Send the header alone first and the body only after "100 Continue" (a final status instead means: not sent).
    bool expect_continue = false;
    // The whole exchange, reply body included, must be over by then: Code::timed_out. The epoch: 60 s from send().
    Instant deadline{};
    // When the deadline has passed, it is asked for another one: a later one goes on. For a deadline that moves; lives as `body`.
    std::function<Instant()> due{};
    // A reply of which nothing says how long it is ends with its connection, as does one that breaks off. Take the end of the
    // connection for the end of such a reply; else it is Code::incomplete_body. (Not with a status of an error, whose text is enough
    // however much of it came.)
    bool trusts_end_of_connection = false;
    // A connect that takes longer is Code::unavailable.
    Duration connect_timeout = std::chrono::seconds(5);
};

// One request and its reply. The request's body is sent by a task of its own, at the same time as the reply is read.
//
// That task reads ClientRequest::body until the exchange is over: until a read of the reply has returned 0 or an error, or
// close() has returned. A streamed body must live that long, so to leave an exchange before its end, co_await close().
// Where that cannot be had, as in a task that may be cancelled, give ClientRequest::body_owner; destroying an exchange
// while a read of a body without owner is under way ends the process. A body in memory (Source::whole()) needs no care.
class Exchange : public Source {
public:
    int status = 0;
    Headers headers;

    // Nothing but the end of the connection says where the body ends.
    bool ends_with_connection = false;

    // Source: the reply's body. size() is its Content-Length, 0 where there is no body (so on HEAD, whose Content-Length is
    // in the headers). A reply cut short reads as Code::incomplete_body, a lost connection as Code::unavailable, the
    // deadline as Code::timed_out, a failure of the request's body as that very error.

    Task<Result<std::string>> read_all(std::size_t bytes_max);
    // Whether all of the request body was sent (false when the server answered without reading it).
    virtual bool request_sent() const = 0;
    // Abandons what is left of the exchange: cuts the connection unless the reply was read to its end, and returns when
    // the body of the request is not touched any more. Idempotent.
    virtual Task<void> close() = 0;
};

struct ClientOptions {
    std::size_t idle_connections_max = 128;  // per endpoint
    Duration idle_time_max = std::chrono::seconds(30);
    OpenSocket open_socket;                   // null: an ordinary socket
};

class Client {
public:
    explicit Client(Executor executor, ClientOptions options = {});
    ~Client();

    // Sends the request and returns when the reply's header is here. Any status is a success at this level.
    // Code::unavailable: nobody listens, or the connection broke before a reply. invalid_argument: the request
    // cannot be written. A kept-alive connection that turns out to be closed before any byte of the reply is replaced once, silently,
    // when the body can be sent again (none, or Source::whole()); otherwise that is Code::overloaded, and the next try goes by a new one.
    Task<Result<std::unique_ptr<Exchange>>> send(const Endpoint& endpoint, const ClientRequest& request);
    // Closes the idle connections to an endpoint (its server went away).
    void forget(const Endpoint& endpoint);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

struct Reply {
    int status = 0;
    Headers headers;
    std::string body;
};
// A small request whose whole reply is wanted in memory (up to bytes_max).
Task<Result<Reply>> fetch(Client& client, const Endpoint& endpoint, const ClientRequest& request,
                          std::size_t bytes_max = 16 << 20);
// The same, with a status >= 400 as the Error that its problem document stands for.
Task<Result<Reply>> fetch_ok(Client& client, const Endpoint& endpoint, const ClientRequest& request,
                             std::size_t bytes_max = 16 << 20);

}  // namespace millrace::http
