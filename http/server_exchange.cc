#include "http/server_exchange.h"

#include <array>
#include <ctime>
#include <vector>

#include "http/date.h"
#include "http/problem.h"
#include "http/read_all.h"

namespace millrace::http {
namespace {

// Made once a second per thread.
const std::string& date_of_now() {
    thread_local std::time_t made_for = 0;
    thread_local std::string text;
    const std::time_t now = std::time(nullptr);
    if (now != made_for) text = date_text(now);
    made_for = now;
    return text;
}

constexpr std::size_t kErrorHeaderBytesMax = 8 * 1024;
constexpr std::size_t kPathBytesMax = 16 * 1024;  // five times the longest name of an object with every byte escaped

bool status_has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

Task<Result<std::string>> Request::read_all(std::size_t bytes_max) { return read_to_string(*this, bytes_max); }

Task<Result<void>> Response::send_json(int status, std::string_view json) {
    return send(status, Headers{{"Content-Type", "application/json"}}, json);
}

Task<Result<void>> Response::send_error(const Error& error) { return send_error(error, status_of(error.code)); }

Task<Result<void>> Response::send_error(const Error& error, int status, Headers headers) {
    const Request* about = request();
    ProblemPlace place;
    if (about != nullptr) place = {about->method, about->path, about->peer, about->node};
    const std::string document = problem_json(error, status, place);
    headers.set("Content-Type", is_aistores(place.path) ? "application/json" : "application/problem+json");
    co_return co_await send(status, std::move(headers), document);
}

Result<void> IncomingRequest::take_head(Head& head) {
    method = std::move(head.method);
    target = std::move(head.target);
    headers = std::move(head.headers);
    http_1_0_ = head.http_1_0;
    keep_alive_ = head.keep_alive;
    const auto expect = headers.find("Expect");
    expects_continue_ = expect && !http_1_0_ && equal_without_case(*expect, "100-continue");
    return take_target();
}

Result<void> IncomingRequest::take_target() {
    std::string_view rest = target;
    if (rest.starts_with("http://")) {  // as sent to a proxy
        rest = rest.substr(std::min(rest.find('/', 7), rest.size()));
        if (rest.empty()) rest = "/";
    }
    if (!rest.starts_with('/') && rest != "*") {
        return fail(Code::invalid_argument, "the target of a request must be a path that begins with '/'");
    }
    const std::size_t mark = std::min(rest.find('?'), rest.size());
    path = rest.substr(0, mark);
    if (path.size() > kPathBytesMax) return fail(Code::invalid_argument, "the path of a request is longer than " + std::to_string(kPathBytesMax) + " bytes");
    if (mark == rest.size()) return {};
    auto parsed = Query::parse(rest.substr(mark + 1));
    if (!parsed) return parsed.error().during("reading the query of the request");
    query = std::move(*parsed);
    return {};
}

Result<void> IncomingRequest::say_continue() {
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    said_continue_ = true;
    const std::array<std::span<const std::byte>, 1> parts{as_bytes(kContinue)};
    const auto [failure, count] = connection_.try_write(parts);
    if (failure) return connection_.error("asking for the body", failure);
    // The socket's buffer is full of earlier responses that the client does not read.
    if (count < kContinue.size()) return fail(Code::incomplete_body, "cannot ask the client for the body: it reads nothing");
    return {};
}

Task<Result<std::size_t>> IncomingRequest::read(std::span<std::byte> buffer) {
    if (failed_) co_return fail(Code::incomplete_body, "an earlier read of the request's body failed");
    if (body_withheld()) {
        if (reader_.has_input()) said_continue_ = true;  // the client did not wait
        if (!said_continue_ && may_say_continue_) MILLRACE_CO_TRY(say_continue());
    }
    connection_.expect_progress(Side::read);
    Result<std::size_t> count = co_await reader_.read_body(buffer);
    connection_.rest(Side::read);
    if (!count) {
        failed_ = true;
        // How the client went away makes no difference to what is known of its body.
        if (count.error().code == Code::unavailable) co_return fail(Code::incomplete_body, count.error().context);
    }
    co_return count;
}

Task<bool> IncomingRequest::discard_rest(Duration silence_max, Instant deadline) {
    if (failed_) co_return false;
    std::vector<std::byte> discarded(64 * 1024);
    for (std::uint64_t bytes = 0; !reader_.body_done();) {
        if (bytes > discard_bytes_max_) co_return false;
        connection_.set_deadline(Side::read, std::min(deadline, steady_now() + silence_max));
        const auto count = co_await reader_.read_body(discarded);
        if (!count) co_return false;
        bytes += *count;
    }
    connection_.set_deadline(Side::read, Instant::max());
    co_return true;
}

Result<void> OutgoingResponse::begin(int status, const Headers& headers, std::optional<std::uint64_t> length, bool with_body) {
    if (state_ != State::fresh) return fail(Code::internal, "a response to this request was already started");
    const bool chunked = !length && !request_.is_http_1_0();
    const auto wanted = headers.find("Connection");
    if (wanted && equal_without_case(*wanted, "close")) keep_alive_ = false;
    if (stopping_ || !request_.client_keeps_alive() || request_.body_withheld() || (!length && !chunked)) keep_alive_ = false;
    if (request_.rest_is_too_much()) keep_alive_ = false;

    const bool bodiless = status_has_no_body(status);
    const Framing body = length ? Framing::length : chunked ? Framing::chunked : Framing::until_close;
    std::string& head = writer_.begin(with_body && !bodiless ? body : Framing::none, length.value_or(0));
    head.append("HTTP/1.1 ").append(std::to_string(status)).append(" ").append(status_text(status)).append("\r\n");
    MILLRACE_TRY(append_fields(head, headers));
    if (!headers.find("Date")) append_field(head, "Date", date_of_now());
    const bool asks_again = status == 429 || status == 503;
    if (asks_again && !headers.find("Retry-After")) append_field(head, "Retry-After", kRetryAfterSeconds);
    if (!bodiless && length) append_field(head, "Content-Length", std::to_string(*length));
    if (!bodiless && chunked) append_field(head, "Transfer-Encoding", "chunked");
    if (!keep_alive_) {
        append_field(head, "Connection", "close");
    } else if (request_.is_http_1_0()) {
        append_field(head, "Connection", "keep-alive");
    }
    head.append("\r\n");
    state_ = State::streaming;
    status_ = status;
    return {};
}

Task<Result<void>> OutgoingResponse::send_whole(int status, const Headers& headers, std::uint64_t length,
                                                std::string_view body) {
    MILLRACE_CO_TRY(begin(status, headers, length, request_.method != "HEAD"));
    request_.response_begins();
    const Result<bool> all = writer_.try_send(body);
    Result<void> sent;
    if (!all) {
        sent = all.error();
    } else if (!*all) {
        sent = co_await writer_.send_rest();
    }
    state_ = sent ? State::whole : State::broken;
    co_return sent;
}

Task<Result<void>> OutgoingResponse::send(int status, Headers headers, std::string_view body) {
    if (status_has_no_body(status)) body = {};
    const bool error_on_head = request_.method == "HEAD" && status >= 400 && body.size() <= kErrorHeaderBytesMax;
    if (error_on_head && !body.empty()) headers.set("Hdr-Error", std::string(body));
    co_return co_await send_whole(status, headers, body.size(), body);
}

Task<Result<void>> OutgoingResponse::send_head(int status, Headers headers, std::uint64_t content_length) {
    if (request_.method != "HEAD") {
        co_return fail(Code::internal, "send_head() answers HEAD requests only; this is " + request_.method);
    }
    co_return co_await send_whole(status, headers, content_length, {});
}

Task<Result<void>> OutgoingResponse::start(int status, Headers headers, std::optional<std::uint64_t> length) {
    MILLRACE_CO_TRY(begin(status, headers, length, request_.method != "HEAD"));
    // With a length the head leaves together with the first bytes. Without, the first bytes may be long in coming.
    if (length) co_return Result<void>{};
    request_.response_begins();
    Result<void> sent = co_await writer_.flush();
    if (!sent) state_ = State::broken;
    co_return sent;
}

Result<void> OutgoingResponse::begin_write() {
    if (state_ != State::streaming) return fail(Code::internal, "the response is not being streamed: start() it, write before finish()");
    request_.response_begins();
    return {};
}

Result<void> OutgoingResponse::end_write(Result<void> sent) {
    if (!sent && sent.error().code != Code::invalid_argument) state_ = State::broken;
    return sent;
}

Task<Result<void>> OutgoingResponse::write(std::span<const std::byte> bytes) {
    MILLRACE_CO_TRY(begin_write());
    Result<void> sent = co_await writer_.write(bytes);
    co_return end_write(std::move(sent));
}

Task<Result<void>> OutgoingResponse::write_part(FilePart part) {
    MILLRACE_CO_TRY(begin_write());
    Result<void> sent = co_await writer_.write_part(part);
    co_return end_write(std::move(sent));
}

Task<Result<void>> OutgoingResponse::finish() {
    if (state_ != State::streaming) {
        co_return fail(Code::internal, "the response is not being streamed, so it cannot be finished");
    }
    state_ = State::broken;
    request_.response_begins();
    MILLRACE_CO_TRY(co_await writer_.finish());
    state_ = State::whole;
    co_return Result<void>{};
}

}  // namespace millrace::http
