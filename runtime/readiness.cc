#include "runtime/readiness.h"

#include <boost/asio/this_coro.hpp>

#include "runtime/stream_connection.h"

namespace millrace::runtime {
namespace {
constexpr std::size_t kProbeBytesMax = 64 * 1024;
}

Task<Result<void>> probe_server(const TransformSpec& spec, const ServerFacts& server, Instant deadline) {
    if (spec.communication == spec::Communication::stream) {
        MILLRACE_CO_TRY(co_await open_stream(server, deadline));
        co_return Result<void>{};
    }
    Executor executor = co_await boost::asio::this_coro::executor;
    http::Client client(executor, {.open_socket = server.open_socket});
    http::ClientRequest request;
    request.target = spec.health_path;
    request.deadline = deadline;
    request.trusts_end_of_connection = true;  // what it says does not matter
    request.connect_timeout = std::chrono::seconds(1);
    const auto reply = co_await http::fetch(client, server.endpoint, request, kProbeBytesMax);
    const std::string what = "GET " + spec.health_path + " on " + server.endpoint.text();
    if (!reply.has_value()) co_return reply.error().during(what);
    if (reply->status >= 200 && reply->status < 400) co_return Result<void>{};
    co_return fail(Code::unavailable, what + ": status " + std::to_string(reply->status));
}

}  // namespace millrace::runtime
