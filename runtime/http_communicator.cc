#include "runtime/http_communicator.h"

#include <array>
#include <boost/asio/this_coro.hpp>
#include <optional>
#include <vector>

#include "core/uri.h"
#include "runtime/object_uname.h"
#include "runtime/outcome.h"
#include "runtime/tail.h"

namespace millrace::runtime {
namespace {

constexpr std::size_t kReplyErrorBytesMax = 400;
constexpr std::size_t kSmallReplyBytes = 64 * 1024;
constexpr Duration kRetryPauseMin = std::chrono::milliseconds(100);
constexpr int kTriesMax = 6;
constexpr Duration kTryingMax = std::chrono::seconds(10);  // half of what AIStore's clients wait for an inline answer

namespace asio = boost::asio;

// Remembers what went wrong in the source, which the client may report in its own words.
class WatchedSource final : public Source {
public:
    explicit WatchedSource(Source& source) : source_(source) {}
    std::optional<std::uint64_t> size() const override { return source_.size(); }
    std::optional<std::string_view> whole() const override { return source_.whole(); }

    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        Result<std::size_t> count = co_await source_.read(buffer);
        if (count.has_value() && *count == 0 && bytes_ < source_.size().value_or(0)) {
            count = fail(Code::incomplete_body, "the source ended after " + std::to_string(bytes_) + " of " +
                                                    std::to_string(*source_.size()) + " bytes");
        }
        if (count.has_value()) {
            bytes_ += *count;
        } else {
            error_ = count.error();
        }
        co_return count;
    }

    const std::optional<Error>& error() const { return error_; }
    std::uint64_t bytes() const { return source_.whole() ? source_.whole()->size() : bytes_; }

private:
    Source& source_;
    std::optional<Error> error_;
    std::uint64_t bytes_ = 0;
};

// One object's exchange.
class Push {
public:
    Push(http::Client& client, const TransformSpec& spec, const CommunicatorOptions& options, std::shared_ptr<ServerFacts> server,
         const ObjectRun& object, Source& source, Sink& sink)
        : client_(client), spec_(spec), options_(options), server_(std::move(server)), object_(object), source_(source), sink_(sink) {}

    Task<RunResult> run() {
        // An exchange is closed with one more wait, which must not throw when the run was cancelled.
        const bool throws = co_await asio::this_coro::throw_if_cancelled();
        co_await asio::this_coro::throw_if_cancelled(false);
        RunResult result = co_await try_until_done();
        co_await asio::this_coro::throw_if_cancelled(throws);
        co_return result;
    }

private:
    // Again where the server says that it could not deliver and asks for another try, as long as nothing was used up. One that goes on
    // like that has failed for now: a job comes back to the object later, and who asked inline gets an answer.
    Task<RunResult> try_until_done() {
        int tries = 1;
        for (Duration pause = kRetryPauseMin;; pause *= 2) {
            asked_again_ = false;
            RunResult result = co_await try_once();
            const Instant due = std::min(object_.due(), started_ + kTryingMax);
            const bool may_repeat = asked_again_ && (!sends_body() || source_.whole()) && tries++ < kTriesMax && steady_now() + pause < due;
            if (result.has_value() || !may_repeat || co_await is_cancelled()) co_return result;
            co_await sleep_for(pause);
        }
    }

    Task<RunResult> try_once() {
        if (object_.destination.empty() || !options_.direct_puts) co_return co_await exchange_object(nullptr);
        DirectPut direct(options_.direct_puts, options_.lane, sink_);
        RunResult result = co_await exchange_object(&direct);
        co_await direct.close();
        co_return result;
    }

    Task<RunResult> exchange_object(DirectPut* direct) {
        http::ClientRequest request;
        request.method = pulls() ? "GET" : "PUT";
        request.target = target();
        if (sends_body()) request.body = &source_;
        request.deadline = object_.due();
        if (object_.clock != nullptr) request.due = [this] { return object_.due(); };
        request.trusts_end_of_connection = true;  // up to a point: take_result()
        broken_off_before_ = server_->processes.broken_off();
        if (direct != nullptr) request.headers.set("Ais-Node-Url", direct_put_url(*server_, object_.destination, direct->token()));
        auto sent = co_await client_.send(server_->endpoint, request);
        if (!sent.has_value()) co_return std::unexpected(co_await exchange_failure(sent.error()));
        http::Exchange& exchange = **sent;
        const bool is_result = exchange.status == 200 || exchange.status == 202;
        RunResult result;
        if (direct != nullptr && direct->has_begun()) {
            result = co_await take_delivery(exchange, *direct);
        } else {
            result = is_result ? co_await take_result(exchange) : co_await refusal(exchange);
        }
        co_await exchange.close();  // from here on the source is not read any more
        co_return result;
    }

    // Who cannot ask this target for the object is given it.
    bool pulls() const { return spec_.communication == spec::Communication::hpull && object_.is_stored; }
    bool sends_body() const { return !pulls() && object_.file_path.empty(); }

    std::string target() const {
        std::string text = pulls() ? '/' + escape_segment(object_uname(object_.bucket, object_.name))
                                   : '/' + percent_encode(object_.bucket) + '/' + encode_object_path(object_.name);
        Query query;
        if (!object_.args.empty()) query.add("etl_args", object_.args);
        // Escaped once more than a query needs, as AIStore does and its servers undo.
        if (!object_.file_path.empty()) query.add("etl_fqn", escape_segment(object_.file_path));
        const std::string parameters = query.text();
        return parameters.empty() ? text : text + '?' + parameters;
    }

    Task<RunResult> take_result(http::Exchange& exchange) {
        const std::size_t chunk_bytes = exchange.size().value_or(kBodyChunkBytes) <= kSmallReplyBytes ? kSmallReplyBytes : kBodyChunkBytes;
        const auto chunk = std::make_unique_for_overwrite<std::byte[]>(chunk_bytes);
        const std::span<std::byte> buffer(chunk.get(), chunk_bytes);
        RunStats stats;
        if (exchange.ends_with_connection) server_->processes.look();
        for (;;) {
            const auto count = co_await exchange.read(buffer);
            if (!count.has_value()) co_return std::unexpected(co_await exchange_failure(count.error()));
            if (*count == 0) break;
            const auto written = co_await sink_.write(buffer.first(*count));
            if (!written.has_value()) co_return std::unexpected(sink_failure(written.error()));
            stats.bytes_out += *count;
            if (co_await is_cancelled()) co_return std::unexpected(cancelled());
        }
        if (exchange.ends_with_connection) {
            if (const auto why = co_await server_->why_not_whole(broken_off_before_)) {
                co_return std::unexpected(transform_failure(Code::crashed, "its answer did not say how long it is, and broke off: " + *why));
            }
        }
        // The server may answer before it has read everything; a source that failed meanwhile fed it only a part.
        if (source_.error()) co_return std::unexpected(source_failure(*source_.error()));
        co_return good(stats.bytes_out);
    }

    // The result came, or began to come, by direct put: what the reply says beside it is no result.
    Task<RunResult> take_delivery(http::Exchange& exchange, DirectPut& direct) {
        if (source_.error()) co_return std::unexpected(source_failure(*source_.error()));
        if (const auto failure = direct.failure()) co_return std::unexpected(sink_failure(*failure));
        if (const auto bytes = direct.delivered(); bytes && exchange.status < 300) co_return good(*bytes);
        if (exchange.status >= 400) co_return co_await refusal(exchange);
        co_return std::unexpected(transform_failure(Code::transient, "its direct put broke off, though it answered " +
                                                                         std::to_string(exchange.status)));
    }

    RunStats good(std::uint64_t bytes_out) {
        ++server_->served;
        return {sends_body() ? source_.bytes() : source_.size().value_or(0), bytes_out};
    }

    static Failure cancelled() { return transform_failure(Code::cancelled, "the run was cancelled"); }

    Task<RunResult> refusal(http::Exchange& exchange) {
        const int status = exchange.status;
        std::string text = "status " + std::to_string(status);
        const std::string body = one_line(co_await beginning(exchange));
        if (source_.error()) co_return std::unexpected(source_failure(*source_.error()));
        if (status == 204) co_return std::unexpected(transform_failure(Code::rejected, "answered 204 without a result"));
        if (status < 400) text = "unexpected " + text;
        if (!body.empty()) text += ": " + body;
        asked_again_ = status == 503 && exchange.headers.find("Ais-Etl-Retry-Reason") == "direct-put-transient";
        co_return std::unexpected(transform_failure(status >= 500 ? Code::transient : Code::rejected, std::move(text)));
    }

    // What arrives of an error text is enough: a break in it changes nothing.
    static Task<std::string> beginning(http::Exchange& exchange) {
        std::array<std::byte, kReplyErrorBytesMax> buffer;
        std::string text;
        while (text.size() < kReplyErrorBytesMax) {
            const std::span<std::byte> room = std::span<std::byte>(buffer).first(kReplyErrorBytesMax - text.size());
            const auto count = co_await exchange.read(room);
            if (!count.has_value() || *count == 0) break;
            text.append(reinterpret_cast<const char*>(buffer.data()), *count);
        }
        co_return text;
    }

    // A broken exchange: of the source, in time, by the death of the server or of the worker behind it that had the object, or
    // by an answer that is none. Of several objects that a worker held only one is to blame, so each is a suspect.
    Task<Failure> exchange_failure(Error error) {
        if (source_.error()) co_return source_failure(*source_.error());
        if (co_await is_cancelled()) co_return cancelled();
        if (error.code == Code::overloaded) co_return transform_failure(error.code, error.context);  // no descriptor, say
        if (error.code == Code::timed_out) co_return timed_out_failure(object_, started_);
        const auto death = co_await server_->wait_death(kDeathNewsMax);
        if (death) co_return transform_failure(Code::crashed, *death);
        const bool is_answer = error.code != Code::unavailable && error.code != Code::incomplete_body;
        co_return transform_failure(is_answer ? Code::transient : Code::crashed, "connection lost: " + error.context);
    }

    http::Client& client_;
    const TransformSpec& spec_;
    const CommunicatorOptions& options_;
    std::shared_ptr<ServerFacts> server_;
    const ObjectRun& object_;
    WatchedSource source_;
    Sink& sink_;
    bool asked_again_ = false;
    std::uint64_t broken_off_before_ = 0;
    const Instant started_ = steady_now();
};

}  // namespace

HttpCommunicator::HttpCommunicator(const TransformSpec& spec, const CommunicatorOptions& options, std::shared_ptr<ServerFacts> server)
    : spec_(spec), options_(options), server_(std::move(server)), client_(options.lane, {.open_socket = server_->open_socket}) {
    server_->processes.look();
}

Task<RunResult> HttpCommunicator::run(const ObjectRun& object, Source& source, Sink& sink) {
    Push push(client_, spec_, options_, server_, object, source, sink);
    co_return co_await push.run();
}

// Every exchange belongs to a run, which has its deadline, and ends with the server.
Task<void> HttpCommunicator::close() { co_return; }

}  // namespace millrace::runtime
