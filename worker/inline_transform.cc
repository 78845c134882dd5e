#include "worker/inline_transform.h"

#include <sstream>

#include "core/uri.h"
#include "runtime/object_uname.h"
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

// "a,b,c"
std::vector<std::string> words_of(const std::string& text) {
    std::vector<std::string> words;
    std::istringstream in(text);
    for (std::string word; std::getline(in, word, ',');) words.push_back(word);
    return words;
}

}  // namespace

InlineTransform::InlineTransform(store::ObjectStore& store, const SpoolFolder& spool, const TransformTable& transforms, const TargetConfig& config)
    : store_(store), spool_(spool), transforms_(transforms), host_(config.host), requests_max_(config.inline_requests_max),
      served_(metrics::counter("millrace_inline_requests_total", "Inline GETs by result", {{"result", "ok"}})),
      failed_(metrics::counter("millrace_inline_requests_total", "Inline GETs by result", {{"result", "error"}})),
      seconds_(metrics::histogram("millrace_inline_seconds", "Time of inline GETs")) {}

int inline_status(Code code) {
    const int status = http::status_of(code);
    return status == 500 || status == 502 || status == 504 ? 422 : status;
}

Task<void> InlineTransform::serve(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const Result<void> outcome = co_await answer(request, response, bucket, name);
    // Once the result has begun, returning without finish() cuts the connection.
    if (!outcome && !response.started()) (void)co_await response.send_error(outcome.error(), inline_status(outcome.error().code));
}

Task<Result<void>> InlineTransform::answer(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    if (const auto transforms = chain_of(request.query)) {
        if (const auto address = direct_address(*transforms, request.query, bucket, name)) {
            MILLRACE_CO_TRY(store_.stat(bucket, name));
            http::Headers headers{{"Location", *address}};
            co_return co_await response.send(307, std::move(headers), "");
        }
    }
    ReplySink sink(response);
    MILLRACE_CO_TRY(co_await transform(request.query, bucket, name, sink));
    co_return co_await sink.finish();
}

Task<Result<void>> InlineTransform::transform(const Query& query, const std::string& bucket, const std::string& name, Sink& sink) {
    const Instant begun = steady_now();
    Result<void> outcome;
    if (++requests_ > requests_max_) {
        outcome = fail(Code::overloaded, "this target serves " + std::to_string(requests_max_) + " inline requests already; try again");
    } else {
        outcome = co_await run(query, bucket, name, sink);
    }
    --requests_;
    seconds_.observe(std::chrono::duration<double>(steady_now() - begun).count());
    (outcome ? served_ : failed_).add();
    if (!outcome) remember({query.get("etl_name"), "ais://" + bucket + "/" + name, outcome.error(), unix_now_ns()});
    co_return outcome;
}

Task<Result<void>> InlineTransform::run(const Query& query, const std::string& bucket, const std::string& name, Sink& sink) {
    MILLRACE_CO_TRY_ASSIGN(const TransformChain transforms, chain_of(query));
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectReader> reader, store_.open(bucket, name));
    const runtime::ObjectRun run{bucket, name, query.get("etl_args")};
    const runtime::RunResult ran = co_await transforms.feed(Lanes::here(), run, transforms.timeout(), false, *reader, sink);
    if (!ran) co_return ran.error().error;
    co_return Result<void>{};
}

Result<TransformChain> InlineTransform::chain_of(const Query& query) const {
    const std::string first = query.get("etl_name");
    std::vector<std::string> names = words_of(query.get("etl_pipeline"));
    names.insert(names.begin(), first);
    auto transforms = TransformChain::find(transforms_, spool_, names);
    if (!transforms) return fail(Code::not_found, "etl job " + first + " cannot run here: " + transforms.error().context);
    return transforms;
}

std::optional<std::string> InlineTransform::direct_address(const TransformChain& transforms, const Query& query, const std::string& bucket,
                                                           const std::string& name) const {
    if (transforms.single() == nullptr) return std::nullopt;
    const spec::TransformSpec& spec = transforms.single()->instance->spec();
    const bool pulls = spec.communication == spec::Communication::hpull && !spec.file_paths;
    if (!pulls || spec.kind != spec::Kind::oci || spec.container.network != spec::Network::host) return std::nullopt;
    std::string address = http::Endpoint{host_, spec.container.port, ""}.text() + '/' + runtime::escape_segment(runtime::object_uname(bucket, name));
    if (const std::string args = query.get("etl_args"); !args.empty()) address += "?etl_args=" + percent_encode(args);
    return address;
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
