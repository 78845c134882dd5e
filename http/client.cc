#include "http/client.h"

#include "http/client_exchange.h"
#include "http/problem.h"

namespace millrace::http {
namespace {
constexpr auto kDeadlineDefault = std::chrono::seconds(60);
}  // namespace

struct Client::Impl {
    Executor executor;
    std::shared_ptr<ClientPool> pool;
    OpenSocket open_socket;
};

Client::Client(Executor executor, ClientOptions options)
    : impl_(std::make_unique<Impl>(Impl{executor, std::make_shared<ClientPool>(executor, options), options.open_socket})) {}

Client::~Client() = default;

void Client::forget(const Endpoint& endpoint) { impl_->pool->forget(endpoint); }

Task<Result<std::unique_ptr<Exchange>>> Client::send(const Endpoint& endpoint, const ClientRequest& request) {
    const Instant deadline = request.deadline == Instant{} ? steady_now() + kDeadlineDefault : request.deadline;
    const Executor executor = impl_->executor;
    const std::shared_ptr<ClientPool> pool = impl_->pool;
    const OpenSocket open_socket = impl_->open_socket;
    const bool can_repeat = request.body == nullptr || request.body->whole();
    std::unique_ptr<Channel> channel = pool->take(endpoint, can_repeat);
    for (;;) {
        if (!channel) {
            MILLRACE_CO_TRY_ASSIGN(auto connection, co_await connect_to(endpoint, request.connect_timeout, deadline, open_socket));
            channel = std::make_unique<Channel>(std::move(connection));
        }
        auto exchange = std::make_unique<ClientExchange>(executor, pool, endpoint, std::move(channel));
        Result<void> begun = co_await exchange->begin(request, deadline);
        if (begun) co_return std::unique_ptr<Exchange>(std::move(exchange));
        if (!exchange->was_stale()) co_return std::move(begun).error();
        // The second connection is a fresh one, so another try happens once at most.
        pool->found_closed(endpoint);
        if (!can_repeat) co_return fail(Code::overloaded, endpoint.text() + " closed the connection that it had kept; try again");
    }
}

Task<Result<Reply>> fetch(Client& client, const Endpoint& endpoint, const ClientRequest& request, std::size_t bytes_max) {
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<Exchange> exchange, co_await client.send(endpoint, request));
    Result<std::string> body = co_await exchange->read_all(bytes_max);
    if (!body) {
        co_await exchange->close();
        co_return std::move(body).error();
    }
    Reply reply;
    reply.status = exchange->status;
    reply.headers = std::move(exchange->headers);
    reply.body = std::move(*body);
    co_return reply;
}

Task<Result<Reply>> fetch_ok(Client& client, const Endpoint& endpoint, const ClientRequest& request, std::size_t bytes_max) {
    Result<Reply> reply = co_await fetch(client, endpoint, request, bytes_max);
    if (reply && reply->status >= 400) co_return error_of_reply(reply->status, reply->body);
    co_return reply;
}

}  // namespace millrace::http
