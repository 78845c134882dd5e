#include "worker/remote_output.h"

#include <boost/asio/this_coro.hpp>

#include "core/uri.h"
#include "http/problem.h"

namespace millrace::worker {
namespace {
constexpr auto kLookAgain = milliseconds(100);  // a wait that begins after a cancellation is not ended by it
}  // namespace

RemoteOutput::RemoteOutput(Lane& lane, http::Endpoint endpoint, Instant deadline)
    : lane_(lane), endpoint_(std::move(endpoint)), deadline_(deadline), pipe_(lane.loop.executor(), deadline), sending_(lane.loop.executor()) {}

RemoteOutput::~RemoteOutput() = default;

void RemoteOutput::begin(const std::string& bucket, const std::string& name, const JobPut& put) {
    http::Headers headers;
    add_job_headers(headers, put);
    begin(bucket, name, std::move(headers));
}

void RemoteOutput::begin(const std::string& bucket, const std::string& name, http::Headers headers) {
    sending_.spawn(send("/v1/objects/" + bucket + "/" + encode_object_path(name), std::move(headers)));
}

Task<void> RemoteOutput::send(std::string target, http::Headers headers) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    http::ClientRequest request{.method = "PUT", .target = std::move(target), .headers = std::move(headers), .body = &pipe_.source()};
    request.deadline = deadline_;
    auto reply = co_await http::fetch_ok(*lane_.client, endpoint_, request);
    if (reply) {
        outcome_ = std::string(reply->headers.find("Millrace-Boot").value_or(""));
        pipe_.abandon(fail(Code::unavailable, "the owner answered before it had the whole object"));
    } else {
        outcome_ = reply.error();
        pipe_.abandon(reply.error());
    }
}

Task<Result<std::string>> RemoteOutput::finish() {
    pipe_.finish();
    while (sending_.size() > 0) {
        // The reply is given up with its task; whether the owner has the object is not known then.
        if (co_await is_cancelled()) sending_.cancel();
        co_await sending_.wait(steady_now() + kLookAgain);
    }
    co_return std::move(*outcome_);
}

Task<void> RemoteOutput::abort(const Error& error) {
    pipe_.fail(error);
    while (sending_.size() > 0) {
        sending_.cancel();
        co_await sending_.wait(steady_now() + kLookAgain);
    }
}

}  // namespace millrace::worker
