#include "worker/remote_output.h"

#include <boost/asio/this_coro.hpp>

#include "core/uri.h"
#include "http/problem.h"

namespace millrace::worker {
namespace {
constexpr auto kLookAgain = milliseconds(100);  // a wait that begins after a cancellation is not ended by it
constexpr std::size_t kHeldBytesMax = 64 * 1024;
constexpr Duration kPatience = std::chrono::minutes(1);
}  // namespace

RemoteOutput::RemoteOutput(Lane& lane, const ClusterView& cluster, TargetId owner, http::Endpoint endpoint)
    : lane_(lane), cluster_(cluster), owner_(std::move(owner)), endpoint_(std::move(endpoint)),
      pipe_(lane.loop.executor(), kPatience), sending_(lane.loop.executor()) {}

RemoteOutput::~RemoteOutput() = default;

void RemoteOutput::begin(const std::string& bucket, const std::string& name, const JobPut& put) {
    http::Headers headers;
    add_job_headers(headers, put);
    begin(bucket, name, std::move(headers));
}

void RemoteOutput::begin(const std::string& bucket, const std::string& name, http::Headers headers) {
    target_ = "/v1/objects/" + bucket + "/" + encode_object_path(name);
    headers_ = std::move(headers);
}

Task<Result<void>> RemoteOutput::write(std::span<const std::byte> bytes) {
    if (!streams_) {
        if (held_.size() + bytes.size() <= kHeldBytesMax) {
            held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            co_return Result<void>{};
        }
        streams_ = true;
        sending_.spawn(send(pipe_.source()));
        MILLRACE_CO_TRY(co_await pipe_.sink().write(as_bytes(held_)));
        held_ = {};
        took_some_ = true;
    }
    co_return co_await pipe_.sink().write(bytes);
}

Instant RemoteOutput::due() const { return (finished_ ? finished_at_ : steady_now()) + kPatience; }

Task<void> RemoteOutput::send(Source& body) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    http::ClientRequest request{.method = "PUT", .target = target_, .headers = std::move(headers_), .body = &body};
    cluster_.prove(request, owner_);
    request.deadline = due();
    request.due = [this] { return due(); };
    auto reply = co_await http::fetch_ok(*lane_.client, endpoint_, request);
    if (reply) {
        outcome_ = std::string(reply->headers.find("Millrace-Boot").value_or(""));
        pipe_.abandon(fail(Code::unavailable, "the owner answered before it had the whole object"));
    } else {
        // Not that it is away: it was there, and may not have liked how this came.
        const bool broke_off = took_some_ && reply.error().code == Code::unavailable;
        outcome_ = broke_off ? fail(Code::incomplete_body, "the owner broke off: " + reply.error().context) : reply.error();
        pipe_.abandon(outcome_->error());
    }
}

Task<Result<std::string>> RemoteOutput::finish() {
    finished_ = true;
    finished_at_ = steady_now();
    if (streams_) {
        pipe_.finish();
        while (sending_.size() > 0) {
            // The reply is given up with its task; whether the owner has the object is not known then.
            if (co_await is_cancelled()) sending_.cancel();
            co_await sending_.wait(steady_now() + kLookAgain);
        }
    } else {
        MemorySource whole(held_);
        co_await send(whole);
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
