#include "http/head_decoder.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "core/check.h"

namespace millrace::http {
namespace beast = boost::beast;
using boost::system::error_code;

namespace {

constexpr std::size_t kFirstWordBytesMax = 64;

bool is_token_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

Error not_http(std::string_view why) { return fail(Code::invalid_argument, "not an HTTP/1.1 message: " + std::string(why)); }

// Catches a peer that speaks another protocol before the parser has seen the end of a head, which may never come.
Result<void> check_first_line(std::string_view input, HeadDecoder::Kind kind) {
    for (const char c : input) {
        if (c == ' ') return {};
        const bool expected = is_token_character(c) || (kind == HeadDecoder::Kind::reply && c == '/');
        if (!expected) return not_http("the first line does not begin with a word");
    }
    return input.size() > kFirstWordBytesMax ? Result<void>(not_http("the first word is too long")) : Result<void>{};
}

// Of whole lines. The parser would make one of them, and others might not.
bool has_folded_line(std::string_view lines) { return lines.find("\n ") != lines.npos || lines.find("\n\t") != lines.npos; }

}  // namespace

struct HeadDecoder::Parser {
    virtual ~Parser() = default;
    virtual std::size_t put(std::string_view input, error_code& failure) = 0;
    virtual bool is_header_done() const = 0;
    virtual bool keep_alive() const = 0;
    virtual Framing framing() const = 0;
    virtual std::uint64_t length() const = 0;
};

// Beast reads the head into our types; what follows it is none of its business.
template <bool is_request>
struct HeadDecoder::ParserOf final : Parser, beast::http::basic_parser<is_request> {
    using Base = beast::http::basic_parser<is_request>;
    using Text = beast::string_view;

    explicit ParserOf(Head& out) : head(out) {
        this->header_limit(kHeadBytesMax);
        this->body_limit(boost::none);
    }

    std::size_t put(std::string_view input, error_code& failure) override {
        return Base::put(boost::asio::const_buffer(input.data(), input.size()), failure);
    }
    bool is_header_done() const override { return Base::is_header_done(); }
    bool keep_alive() const override { return Base::keep_alive(); }
    Framing framing() const override {
        if (Base::is_done()) return Framing::none;
        if (Base::chunked()) return Framing::chunked;
        return Base::content_length() ? Framing::length : Framing::until_close;
    }
    std::uint64_t length() const override { return framing() == Framing::length ? *Base::content_length() : 0; }

    void on_request_impl(beast::http::verb, Text method, Text target, int version, error_code&) override {
        head.method.assign(method.data(), method.size());
        head.target.assign(target.data(), target.size());
        head.http_1_0 = version < 11;
    }
    void on_response_impl(int status, Text, int version, error_code&) override {
        head.status = status;
        head.http_1_0 = version < 11;
    }
    void on_field_impl(beast::http::field, Text name, Text value, error_code&) override {
        head.headers.add(std::string(name.data(), name.size()), std::string(value.data(), value.size()));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(Text body, error_code&) override { return body.size(); }
    void on_chunk_header_impl(std::uint64_t, Text, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, Text body, error_code&) override { return body.size(); }
    void on_finish_impl(error_code&) override {}

    Head& head;
};

HeadDecoder::HeadDecoder(Kind kind, Head& head, bool without_body) : kind_(kind), head_(head) {
    if (kind == Kind::request) {
        parser_ = std::make_unique<ParserOf<true>>(head);
    } else {
        auto parser = std::make_unique<ParserOf<false>>(head);
        if (without_body) parser->skip(true);
        parser_ = std::move(parser);
    }
}

HeadDecoder::~HeadDecoder() = default;

bool HeadDecoder::done() const { return parser_->is_header_done(); }
Framing HeadDecoder::framing() const { return parser_->framing(); }
std::uint64_t HeadDecoder::length() const { return parser_->length(); }

Result<std::size_t> HeadDecoder::take(std::string_view input) {
    MILLRACE_CHECK(!done());
    // Empty lines before a request are to be ignored.
    std::size_t empty = 0;
    while (kind_ == Kind::request && taken_ == 0 && empty < input.size() && (input[empty] == '\r' || input[empty] == '\n')) ++empty;
    input.remove_prefix(empty);
    if (input.empty()) return empty;
    if (taken_ == 0) MILLRACE_TRY(check_first_line(input, kind_));
    error_code failure;
    const std::size_t used = parser_->put(input, failure);
    taken_ += used;
    if (kind_ == Kind::request && has_folded_line(input.substr(0, used))) return not_http("a header goes on in a second line");
    // The parser takes field by field and bounds only what it has not taken yet.
    const std::size_t head_bytes = done() ? taken_ : taken_ + input.size() - used;
    if (failure == beast::http::error::header_limit || head_bytes > kHeadBytesMax) {
        return fail(Code::too_large, "the headers are larger than " + std::to_string(kHeadBytesMax) + " bytes");
    }
    if (failure && failure != beast::http::error::need_more) return not_http(failure.message());
    if (done()) head_.keep_alive = parser_->keep_alive();
    return empty + used;
}

}  // namespace millrace::http
