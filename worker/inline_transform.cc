#include "worker/inline_transform.h"

#include <boost/asio/this_coro.hpp>
#include <sstream>

#include "core/uri.h"
#include "runtime/object_uname.h"
#include "worker/lanes.h"
#include "worker/object_headers.h"
#include "worker/spooling_sink.h"

namespace millrace::worker {
namespace {

namespace asio = boost::asio;

constexpr std::size_t kBufferedBytesMax = 64 * 1024;
constexpr std::size_t kErrorsMax = 256;
// From the proxy, which passes on the request of a client as in http::Request::needs_length().
constexpr std::string_view kNeedsLengthHeader = "Millrace-Needs-Length";

// Of a result that nothing is known of before it is there.
http::Headers result_headers() { return {{"Content-Type", "application/octet-stream"}, {"Accept-Ranges", "none"}}; }

// Code::invalid_argument for a part of the result that does not begin with its beginning.
Result<void> check_range(const http::Request& request, const http::Conditions& conditions) {
    if (request.method != "GET" || !conditions.wants_part_of({})) return {};
    const auto range = http::parse_range(request.headers.find("Range"), UINT64_MAX);
    if (range && (!*range || (*range)->offset == 0)) return {};
    // Not 416: to many a client that goes on with a file that says that the file is whole.
    return fail(Code::invalid_argument, "a transformed object cannot be read from its middle on, since another run of the transform may make "
                                        "other bytes; get all of it, without a Range");
}

// Whether the result, which has neither tag nor date, is wanted at all. Answers where it is not.
Task<Result<bool>> is_wanted(http::Request& request, http::Response& response) {
    const http::Conditions conditions(request.headers, unix_now_ns() / 1'000'000'000);
    const http::Validators nothing;
    const http::Conditions::Judgement judged = conditions.judge(&nothing, true);
    if (judged.verdict == http::Conditions::Verdict::failed) {
        const Error error = unfulfilled(judged.header);
        MILLRACE_CO_TRY(co_await response.send_error(error, 412));
        co_return false;
    }
    if (judged.verdict == http::Conditions::Verdict::not_modified) {
        MILLRACE_CO_TRY(co_await response.send(304, result_headers(), ""));
        co_return false;
    }
    MILLRACE_CO_TRY(check_range(request, conditions));
    co_return true;
}

// Holds a small result back until it is whole, so that an error can still be told by status; streams a larger one. For a client that
// would take the end of the connection for the end of the result, it is held back whatever its size.
class ReplySink final : public Sink {
public:
    ReplySink(http::Response& response, const SpoolFolder& folder, bool needs_length) : response_(response) {
        if (needs_length) spool_.emplace(folder);
    }

    Task<Result<void>> write(std::span<const std::byte> bytes) override {
        if (spool_) co_return co_await spool_->write(bytes);
        if (!response_.started()) {
            if (held_.size() + bytes.size() <= kBufferedBytesMax) {
                held_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
                co_return Result<void>{};
            }
            MILLRACE_CO_TRY(co_await response_.start(200, result_headers(), std::nullopt));
            if (!held_.empty()) MILLRACE_CO_TRY(co_await response_.write(as_bytes(held_)));
        }
        co_return co_await response_.write(bytes);
    }

    Task<Result<void>> finish() {
        if (spool_) {
            const std::unique_ptr<Source> result = spool_->source();
            MILLRACE_CO_TRY(co_await response_.start(200, result_headers(), result->size()));
            MILLRACE_CO_TRY(co_await pump(*result, response_));
            co_return co_await response_.finish();
        }
        if (!response_.started()) co_return co_await response_.send(200, result_headers(), held_);
        co_return co_await response_.finish();
    }

private:
    http::Response& response_;
    std::optional<Spool> spool_;
    std::string held_;
};

// One of so many requests, to the end of its task however that comes.
struct Place {
    explicit Place(std::atomic<std::uint32_t>& places_taken) : taken(places_taken), number(++places_taken) {}
    Place(const Place&) = delete;
    ~Place() { --taken; }
    std::atomic<std::uint32_t>& taken;
    const std::uint32_t number;
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
    : store_(store), spool_(spool), transforms_(transforms), host_(reachable_at(config.host, config.advertise, config.port).host),
      requests_max_(config.inline_requests_max),
      served_(metrics::counter("millrace_inline_requests_total", "Inline GETs by result", {{"result", "ok"}})),
      failed_(metrics::counter("millrace_inline_requests_total", "Inline GETs by result", {{"result", "error"}})),
      seconds_(metrics::histogram("millrace_inline_seconds", "Time of inline GETs")) {}

std::optional<TransformCall> transform_call(const Query& query) {
    std::string first = query.get("etl_name");
    if (first.empty()) return std::nullopt;
    return TransformCall{std::move(first), words_of(query.get("etl_pipeline")), query.get("etl_args")};
}

int inline_status(Code code) {
    const int status = http::status_of(code);
    return status == 500 || status == 502 || status == 504 ? 422 : status;
}

Task<Result<void>> InlineTransform::serve(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const TransformCall call = transform_call(request.query).value_or(TransformCall{});
    const Result<void> outcome = co_await answer(request, response, call, bucket, name);
    if (outcome || response.started()) co_return outcome;
    co_return co_await response.send_error(outcome.error(), inline_status(outcome.error().code));
}

Task<Result<void>> InlineTransform::head(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const TransformCall call = transform_call(request.query).value_or(TransformCall{});
    MILLRACE_CO_TRY(store_.stat(bucket, name));
    MILLRACE_CO_TRY(chain_of(call));
    MILLRACE_CO_TRY_ASSIGN(const bool wanted, co_await is_wanted(request, response));
    if (!wanted) co_return Result<void>{};
    MILLRACE_CO_TRY(co_await response.start(200, result_headers(), std::nullopt));
    co_return co_await response.finish();
}

Task<Result<void>> InlineTransform::answer(http::Request& request, http::Response& response, const TransformCall& call, const std::string& bucket,
                                           const std::string& name) {
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<store::ObjectReader> reader, store_.open(bucket, name));
    bool answers_in_line = false;
    if (const auto transforms = chain_of(call)) {
        answers_in_line = transforms->answers_in_line();
        request.end_with_client(transforms->stop_watch());
        MILLRACE_CO_TRY_ASSIGN(const bool wanted, co_await is_wanted(request, response));
        if (!wanted) co_return Result<void>{};
        const bool may_redirect = request.query.get("redirect") != "no";  // a client that came through the proxy reaches nobody else
        if (const auto address = may_redirect ? direct_address(*transforms, call, bucket, name) : std::nullopt) {
            http::Headers headers{{"Location", *address}};
            co_return co_await response.send(307, std::move(headers), "");
        }
    }
    ReplySink sink(response, spool_, request.needs_length() || request.headers.find(kNeedsLengthHeader));
    if (!answers_in_line) {
        MILLRACE_CO_TRY(co_await transform(call, bucket, name, *reader, sink));
        co_return co_await sink.finish();
    }
    // What passes the result on has to be left in order, with waits that must not throw.
    co_await asio::this_coro::throw_if_cancelled(false);
    SpoolingSink spooling(co_await asio::this_coro::executor, spool_, sink);
    Result<void> outcome = co_await transform(call, bucket, name, *reader, spooling);
    if (outcome) {
        outcome = co_await spooling.finish();
    } else {
        co_await spooling.abandon();
    }
    co_await asio::this_coro::throw_if_cancelled(true);
    MILLRACE_CO_TRY(outcome);
    co_return co_await sink.finish();
}

Task<Result<void>> InlineTransform::transform(const TransformCall& call, const std::string& bucket, const std::string& name,
                                              store::ObjectReader& reader, Sink& sink) {
    const Instant begun = steady_now();
    Result<void> outcome;
    const Place place(requests_);
    if (place.number > requests_max_) {
        outcome = fail(Code::overloaded, "this target serves " + std::to_string(requests_max_) + " inline requests already; try again");
    } else {
        outcome = co_await run(call, bucket, name, reader, sink);
    }
    seconds_.observe(std::chrono::duration<double>(steady_now() - begun).count());
    (outcome ? served_ : failed_).add();
    const bool is_abandoned = !outcome && outcome.error().code == Code::cancelled;
    if (!outcome && !is_abandoned) remember({call.transform, "ais://" + bucket + "/" + name, outcome.error(), unix_now_ns()});
    co_return outcome;
}

Task<Result<void>> InlineTransform::run(const TransformCall& call, const std::string& bucket, const std::string& name, store::ObjectReader& reader,
                                        Sink& sink) {
    MILLRACE_CO_TRY_ASSIGN(const TransformChain transforms, chain_of(call));
    const runtime::ObjectRun run{bucket, name, call.args};
    const runtime::RunResult ran = co_await transforms.feed(Lanes::here(), run, transforms.timeout(), false, reader, sink);
    if (!ran) co_return ran.error().error;
    co_return Result<void>{};
}

Result<TransformChain> InlineTransform::chain_of(const TransformCall& call) const {
    std::vector<std::string> names = call.pipeline;
    names.insert(names.begin(), call.transform);
    auto transforms = TransformChain::find(transforms_, spool_, names);
    if (!transforms) return fail(Code::not_found, "etl job " + call.transform + " cannot run here: " + transforms.error().context);
    return transforms;
}

std::optional<std::string> InlineTransform::direct_address(const TransformChain& transforms, const TransformCall& call, const std::string& bucket,
                                                           const std::string& name) const {
    if (transforms.single() == nullptr) return std::nullopt;
    const spec::TransformSpec& spec = transforms.single()->instance->spec();
    const bool pulls = spec.communication == spec::Communication::hpull && !spec.file_paths;
    if (!pulls || spec.kind != spec::Kind::oci || spec.container.network != spec::Network::host) return std::nullopt;
    std::string address = http::Endpoint{host_, spec.container.port, ""}.text() + '/' + runtime::escape_segment(runtime::object_uname(bucket, name));
    if (!call.args.empty()) address += "?etl_args=" + percent_encode(call.args);
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
