#include "worker/inline_transform.h"

#include "worker/lanes.h"

namespace millrace::worker {
namespace {

constexpr std::size_t kBufferedBytesMax = 64 * 1024;
constexpr std::size_t kErrorsMax = 256;

// Holds a small result back until it is whole, so that an error can still be told by status; streams a larger one.
class ReplySink final : public Sink {
public:
    explicit ReplySink(http::Response& response) : response_(response) {}

    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        if (!response_.started()) {
            if (held_.size() + bytes.size() <= kBufferedBytesMax) {
                held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                co_return Result<void>{};
            }
            MILLRACE_CO_TRY(co_await response_.start(200, headers(), std::nullopt));
            if (!held_.empty()) MILLRACE_CO_TRY(co_await response_.write(as_bytes(held_)));
        }
        co_return co_await response_.write(bytes);
    }

    Task<Result<void>> finish() {
        if (!response_.started()) co_return co_await response_.send(200, headers(), held_);
        co_return co_await response_.finish();
    }

private:
    static http::Headers headers() { return {{"Content-Type", "application/octet-stream"}}; }
    http::Response& response_;
    std::string held_;
};

}  // namespace

InlineTransform::InlineTransform(store::ObjectStore& store, const TransformTable& transforms, std::uint32_t requests_max)
    : store_(store), transforms_(transforms), requests_max_(requests_max),
      served_(metrics::counter("millrace_inline_requests_total", "Inline GETs by result", {{"result", "ok"}})),
      failed_(metrics::counter("millrace_inline_requests_total", "Inline GETs by result", {{"result", "error"}})),
      seconds_(metrics::histogram("millrace_inline_seconds", "Time of inline GETs")) {}

Task<void> InlineTransform::serve(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const Instant begun = steady_now();
    Result<void> outcome;
    if (++requests_ > requests_max_) {
        outcome = fail(Code::overloaded, "this target serves " + std::to_string(requests_max_) + " inline requests already; try again");
    } else {
        outcome = co_await run(request, response, bucket, name);
    }
    --requests_;
    seconds_.observe(std::chrono::duration<double>(steady_now() - begun).count());
    (outcome ? served_ : failed_).add();
    if (outcome) co_return;
    remember({request.query.get("etl_name"), "ais://" + bucket + "/" + name, outcome.error(), unix_now_ns()});
    // Once the result has begun, returning without finish() cuts the connection.
    if (!response.started()) (void)co_await response.send_error(outcome.error());
}

Task<Result<void>> InlineTransform::run(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const std::string transform_name = request.query.get("etl_name");
    const std::shared_ptr<const Transform> transform = transforms_.find(transform_name);
    if (!transform) {
        const Result<void> why = transforms_.ready(transform_name);
        co_return fail(Code::not_found, why ? "transform '" + transform_name + "' does not exist" : why.error().context);
    }
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectReader> reader, store_.open(bucket, name));
    const runtime::ObjectRun run{bucket, name, request.query.get("etl_args"), steady_now() + transform->instance->spec().obj_timeout_ms};
    ReplySink sink(response);
    runtime::RunResult ran = co_await transform->instance->run(Lanes::here().index, run, *reader, sink);
    if (!ran) co_return std::move(ran.error().error);
    co_return co_await sink.finish();
}

void InlineTransform::remember(InlineError error) {
    const std::lock_guard lock(mutex_);
    errors_.push_front(std::move(error));
    if (errors_.size() > kErrorsMax) errors_.pop_back();
}

std::vector<InlineError> InlineTransform::errors(const std::string& transform) const {
    const std::lock_guard lock(mutex_);
    std::vector<InlineError> found;
    for (const InlineError& error : errors_) {
        if (error.transform == transform) found.push_back(error);
    }
    return found;
}

}  // namespace millrace::worker
