#include "http/message_reader.h"

#include <algorithm>
#include <boost/asio/error.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

#include "core/check.h"

namespace millrace::http {
namespace beast = boost::beast;
using boost::system::error_code;

namespace {

constexpr std::size_t kFirstBufferBytes = 16 * 1024;
constexpr std::size_t kBufferBytesMax = 2 * kHeadBytesMax;

// Beast reads the head into our types; bodies are framed by MessageReader.
template <bool is_request>
class HeadParser final : public beast::http::basic_parser<is_request> {
public:
    explicit HeadParser(Head& head) : head_(head) {
        this->header_limit(kHeadBytesMax);
        this->body_limit(boost::none);
    }

private:
    using Text = beast::string_view;

    void on_request_impl(beast::http::verb, Text method, Text target, int version, error_code&) override {
        head_.method.assign(method.data(), method.size());
        head_.target.assign(target.data(), target.size());
        head_.http_1_0 = version < 11;
    }
    void on_response_impl(int status, Text, int version, error_code&) override {
        head_.status = status;
        head_.http_1_0 = version < 11;
    }
    void on_field_impl(beast::http::field, Text name, Text value, error_code&) override {
        head_.headers.add(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(Text body, error_code&) override { return body.size(); }
    void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code&) override { return body.size(); }
    void on_finish_impl(error_code&) override {}

    Head& head_;
};

bool is_token_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

Error not_http(std::string_view why) { return fail(Code::invalid_argument, "not an HTTP/1.1 message: " + std::string(why)); }

}  // namespace

MessageReader::MessageReader(Connection& connection, Kind kind) : connection_(connection), kind_(kind) {}
MessageReader::~MessageReader() = default;

std::optional<std::uint64_t> MessageReader::length() const {
    if (framing_ == Framing::chunked || framing_ == Framing::until_close) return std::nullopt;
    return length_;
}

bool MessageReader::body_done() const {
    switch (framing_) {
        case Framing::none: return true;
        case Framing::length: return left_ == 0;
        case Framing::chunked: return chunks_.done();
        case Framing::until_close: return ended_;
    }
    return true;
}

void MessageReader::make_room() {
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < capacity_) return;
    if (begin_ > 0) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= std::exchange(begin_, 0);
        return;
    }
    capacity_ = capacity_ == 0 ? kFirstBufferBytes : std::min(capacity_ * 2, kBufferBytesMax);
    auto larger = std::make_unique_for_overwrite<char[]>(capacity_);
    if (end_ > 0) std::memcpy(larger.get(), buffer_.get(), end_);
    buffer_ = std::move(larger);
}

Task<Result<std::size_t>> MessageReader::fill() {
    make_room();
    MILLRACE_CHECK(end_ < capacity_);
    const auto room = std::as_writable_bytes(std::span(buffer_.get() + end_, capacity_ - end_));
    const auto [failure, count] = co_await connection_.read_some(room);
    if (failure == boost::asio::error::eof && !connection_.expired()) co_return 0;
    if (failure) co_return connection_.error("reading", failure);
    end_ += count;
    co_return count;
}

// Catches a peer that speaks another protocol before the parser has seen the end of a head, which may never come.
Result<void> MessageReader::check_first_line() const {
    for (const char c : input()) {
        if (c == ' ') return {};
        const bool expected = is_token_character(c) || (kind_ == Kind::reply && c == '/');
        if (!expected) return not_http("the first line does not begin with a word");
    }
    return input().size() > 64 ? Result<void>(not_http("the first word is too long")) : Result<void>{};
}

template <bool is_request>
Task<Result<bool>> MessageReader::read_head_as(Head& head, bool without_body) {
    HeadParser<is_request> parser(head);
    if (without_body) parser.skip(true);
    std::size_t parsed = 0;
    while (!parser.is_header_done()) {
        // Empty lines before a request are to be ignored.
        while (is_request && parsed == 0 && has_input() && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n')) ++begin_;
        if (has_input()) {
            if (parsed == 0) MILLRACE_CO_TRY(check_first_line());
            error_code failure;
            const std::size_t used = parser.put(boost::asio::const_buffer(input().data(), input().size()), failure);
            begin_ += used;
            parsed += used;
            // The parser takes field by field and bounds only what it has not taken yet.
            const std::size_t head_bytes = parser.is_header_done() ? parsed : parsed + input().size();
            if (failure == beast::http::error::header_limit || head_bytes > kHeadBytesMax) {
                co_return fail(Code::too_large, "the headers are larger than " + std::to_string(kHeadBytesMax) + " bytes");
            }
            if (failure && failure != beast::http::error::need_more) co_return not_http(failure.message());
            if (parser.is_header_done()) break;
        }
        const bool fresh = !has_input();
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await fill());
        if (count == 0 && fresh) co_return false;
        if (count == 0) co_return fail(Code::incomplete_body, "the connection was closed within a message's headers");
    }
    head.keep_alive = parser.keep_alive();
    if (parser.is_done()) {
        framing_ = Framing::none;
    } else if (parser.chunked()) {
        framing_ = Framing::chunked;
    } else if (parser.content_length()) {
        framing_ = Framing::length;
        left_ = length_ = *parser.content_length();
    } else {
        framing_ = Framing::until_close;
        ended_ = false;
    }
    if (is_request && !parser.chunked() && head.headers.find("Transfer-Encoding")) {
        co_return not_http("no other transfer coding than chunked is known");
    }
    co_return true;
}

Task<Result<bool>> MessageReader::read_head(Head& head, bool without_body) {
    MILLRACE_CHECK(body_done());
    framing_ = Framing::none;
    length_ = left_ = 0;
    chunks_ = ChunkedDecoder();
    return kind_ == Kind::request ? read_head_as<true>(head, without_body) : read_head_as<false>(head, without_body);
}

Task<Result<std::size_t>> MessageReader::read_chunked(std::span<std::byte> buffer) {
    for (;;) {
        if (has_input()) {
            MILLRACE_CO_TRY_ASSIGN(const ChunkedDecoder::Step step, chunks_.decode(input(), buffer));
            begin_ += step.consumed;
            if (step.produced > 0 || chunks_.done()) co_return step.produced;
            continue;
        }
        if (chunks_.data_left() >= buffer.size()) {
            const auto [failure, count] = co_await connection_.read_some(buffer);
            if (failure) co_return connection_.error("reading a chunked body", failure);
            chunks_.skip_data(count);
            co_return count;
        }
        MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await fill());
        if (count == 0) co_return fail(Code::incomplete_body, "the connection was closed before the last chunk of the body");
    }
}

Task<Result<std::size_t>> MessageReader::read_body(std::span<std::byte> buffer) {
    if (buffer.empty() || body_done()) co_return 0;
    if (framing_ == Framing::chunked) co_return co_await read_chunked(buffer);
    if (framing_ == Framing::length && buffer.size() > left_) buffer = buffer.first(static_cast<std::size_t>(left_));
    std::size_t count = 0;
    if (has_input()) {
        count = std::min(buffer.size(), input().size());
        std::memcpy(buffer.data(), input().data(), count);
        begin_ += count;
    } else {
        const auto [failure, received] = co_await connection_.read_some(buffer);
        if (failure == boost::asio::error::eof && framing_ == Framing::until_close && !connection_.expired()) {
            ended_ = true;
            co_return 0;
        }
        if (failure) {
            std::string action = "reading a body";
            if (framing_ == Framing::length) {
                action += " after " + std::to_string(length_ - left_) + " of " + std::to_string(length_) + " bytes";
            }
            co_return connection_.error(action, failure);
        }
        count = received;
    }
    if (framing_ == Framing::length) left_ -= count;
    co_return count;
}

}  // namespace millrace::http
