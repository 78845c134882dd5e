#include "http/head_rules.h"

#include <algorithm>

namespace millrace::http {
namespace {

Refusal refusal(int status, std::string text) { return {fail(Code::invalid_argument, std::move(text)), status}; }

std::size_t lines_of(const Headers& headers, std::string_view name) {
    return static_cast<std::size_t>(std::ranges::count_if(headers, [name](const auto& line) { return equal_without_case(line.first, name); }));
}

// uri-host [ ":" port ] of RFC 3986, as far as it tells a host from anything else. It may be empty.
bool is_host_and_port(std::string_view text) {
    return std::ranges::all_of(text, [](char c) {
        const bool is_alphanumeric = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        return is_alphanumeric || std::string_view("-._~%!$&'()*+;=:[]").find(c) != std::string_view::npos;
    });
}

std::optional<Refusal> wrong_host(const Head& head) {
    const std::size_t lines = lines_of(head.headers, "Host");
    if (lines > 1) return refusal(400, "the request has more than one Host; send one");
    if (lines == 0 && !head.http_1_0) return refusal(400, "a request of HTTP/1.1 must have a Host; send one");
    if (lines == 1 && !is_host_and_port(*head.headers.find("Host"))) return refusal(400, "Host must be a host, and perhaps a port after ':'");
    return std::nullopt;
}

// Codings in one line or in several.
bool is_chunked_alone(const Headers& headers) {
    for (const auto& [name, value] : headers) {
        if (equal_without_case(name, "Transfer-Encoding") && !equal_without_case(value, "chunked")) return false;
    }
    return true;
}

std::optional<Refusal> wrong_coding(const Head& head) {
    if (!head.headers.find("Transfer-Encoding")) return std::nullopt;
    if (head.http_1_0) return refusal(400, "HTTP/1.0 has no Transfer-Encoding; send a Content-Length");
    if (head.headers.find("Content-Length")) return refusal(400, "the request has both a Transfer-Encoding and a Content-Length; send one of them");
    if (!is_chunked_alone(head.headers)) return refusal(501, "no other Transfer-Encoding than chunked is known here; send the body as it is");
    return std::nullopt;
}

// Fields of one value that decide what is done: of two, nobody could say which was meant (RFC 9110, 5.3).
std::optional<Refusal> doubled_field(const Head& head) {
    for (const std::string_view name : {"Range", "If-Range", "If-Modified-Since", "If-Unmodified-Since", "Content-Range"}) {
        if (lines_of(head.headers, name) > 1) return refusal(400, "the request has more than one " + std::string(name) + "; send one");
    }
    return std::nullopt;
}

// A body that would end with the connection: nobody could say whether it is whole.
std::optional<Refusal> endless_body(const Head& head, Framing framing) {
    const bool has_body = head.method == "PUT" || head.method == "POST" || head.method == "PATCH";
    if (!has_body || head.keep_alive || framing != Framing::none || head.headers.find("Content-Length")) return std::nullopt;
    return refusal(411, "a body that ends with the connection cannot be told from one that broke off; send its Content-Length, or in chunks");
}

}  // namespace

std::optional<Refusal> refusal_of(const Head& head, Framing framing) {
    std::optional<Refusal> found = wrong_host(head);
    if (!found) found = wrong_coding(head);
    if (!found) found = doubled_field(head);
    if (!found) found = endless_body(head, framing);
    return found;
}

Result<void> check_reply(const Head& head) {
    constexpr int kStatusMin = 100;
    if (head.status < kStatusMin) return fail(Code::invalid_argument, "not an HTTP/1.1 reply: its status is " + std::to_string(head.status));
    if (!is_chunked_alone(head.headers)) {
        return fail(Code::invalid_argument, "its body has another Transfer-Encoding than chunked, which is not known here and was not asked for");
    }
    return {};
}

}  // namespace millrace::http
