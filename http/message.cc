#include "http/message.h"

#include <algorithm>
#include <charconv>

namespace millrace::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

bool is_digits(std::string_view text) {
    return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Requires digits; a number beyond 64 bits becomes the largest one.
std::uint64_t saturated(std::string_view digits) {
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return parsed.ec == std::errc::result_out_of_range ? ~std::uint64_t{0} : value;
}

Result<std::uint16_t> parse_port(std::string_view text, std::string_view endpoint) {
    const std::uint64_t port = is_digits(text) ? saturated(text) : 0;
    if (port == 0 || port > 65535) {
        return fail(Code::invalid_argument,
                    "'" + std::string(endpoint) + "' has no valid port: give a number from 1 to 65535 after the ':'");
    }
    return static_cast<std::uint16_t>(port);
}

constexpr std::string_view kHttp = "http://";
constexpr std::string_view kHttps = "https://";

// What "http://" or "https://" at the start stands for; takes it off.
std::optional<Scheme> take_scheme(std::string_view& text) {
    for (const auto& [prefix, scheme] : {std::pair(kHttp, Scheme::http), std::pair(kHttps, Scheme::https)}) {
        if (!text.starts_with(prefix)) continue;
        text.remove_prefix(prefix.size());
        return scheme;
    }
    return std::nullopt;
}

bool is_host(std::string_view host) {
    return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    });
}

bool is_ipv6(std::string_view host) {
    return host.size() >= 2 && host.size() <= 64 && std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' || c == '.';
    });
}

Error range_error(std::string_view header, std::uint64_t size) {
    return fail(Code::range, "range '" + std::string(header.substr(0, 100)) + "' does not fit an object of " +
                                 std::to_string(size) + " bytes: give one range, bytes=first-last, bytes=first- or bytes=-count");
}

}  // namespace

bool equal_without_case(std::string_view a, std::string_view b) {
    return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

std::optional<std::string_view> Headers::find(std::string_view name) const {
    for (const auto& [key, value] : items_) {
        if (equal_without_case(key, name)) return value;
    }
    return std::nullopt;
}

void Headers::set(std::string_view name, std::string value) {
    const auto same = [name](const auto& item) { return equal_without_case(item.first, name); };
    const auto first = std::ranges::find_if(items_, same);
    if (first == items_.end()) {
        items_.emplace_back(name, std::move(value));
        return;
    }
    first->second = std::move(value);
    items_.erase(std::remove_if(std::next(first), items_.end(), same), items_.end());
}

Result<Endpoint> Endpoint::parse(std::string_view text) {
    const auto refuse = [text](std::string_view why) {
        return fail(Code::invalid_argument, "'" + std::string(text) + "' is not an endpoint: " + std::string(why) +
                                                "; write http://host:port or unix:/path");
    };
    Endpoint endpoint;
    if (text.starts_with("unix:")) {
        endpoint.unix_path = text.substr(5);
        if (!endpoint.unix_path.starts_with('/')) return refuse("the path of a Unix socket must be absolute");
        if (endpoint.unix_path.find('\0') != std::string::npos) return refuse("the path has a NUL byte");
        return endpoint;
    }
    std::string_view rest = text;
    const std::optional<Scheme> scheme = take_scheme(rest);
    endpoint.scheme = scheme.value_or(Scheme::http);
    if (rest.find("://") != rest.npos) return refuse("only http and https are known");
    if (rest.ends_with('/')) rest.remove_suffix(1);
    if (rest.find_first_of("/?#") != rest.npos) return refuse("nothing may follow the port");
    std::string_view port;
    if (rest.starts_with('[')) {
        const std::size_t end = rest.find(']');
        if (end == rest.npos || !is_ipv6(rest.substr(1, end - 1))) return refuse("the IPv6 address is malformed");
        endpoint.host = rest.substr(1, end - 1);
        port = rest.substr(end + 1);
    } else {
        const std::size_t colon = std::min(rest.find(':'), rest.size());
        endpoint.host = rest.substr(0, colon);
        port = rest.substr(colon);
        if (!is_host(endpoint.host)) return refuse("the host is missing or malformed");
    }
    if (port.empty() && scheme) {
        endpoint.port = *scheme == Scheme::http ? 80 : 443;
        return endpoint;
    }
    if (!port.starts_with(':')) return refuse("the port is missing");
    MILLRACE_TRY_ASSIGN(endpoint.port, parse_port(port.substr(1), text));
    return endpoint;
}

std::string Endpoint::text() const {
    if (!unix_path.empty()) return "unix:" + unix_path;
    return std::string(scheme == Scheme::http ? kHttp : kHttps) + authority();
}

std::string Endpoint::authority() const {
    if (!unix_path.empty()) return "localhost";
    const bool ipv6 = host.find(':') != host.npos;
    return (ipv6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Url> Url::parse(std::string_view text) {
    std::string_view rest = text;
    if (!take_scheme(rest)) {
        return fail(Code::invalid_argument, "'" + std::string(text) + "' is not an absolute http:// or https:// URL");
    }
    const std::size_t end = std::min(text.find_first_of("/?#", text.size() - rest.size()), text.size());
    Url url;
    MILLRACE_TRY_ASSIGN(url.endpoint, Endpoint::parse(text.substr(0, end)));
    url.target = text.substr(end, text.find('#', end) - end);
    if (!url.target.starts_with('/')) url.target.insert(0, "/");
    if (std::ranges::any_of(url.target, [](unsigned char c) { return c <= ' ' || c >= 127; })) {
        return fail(Code::invalid_argument, "'" + std::string(text) + "' has characters that must be percent-encoded");
    }
    return url;
}

Result<std::optional<ByteRange>> parse_range(std::optional<std::string_view> header, std::uint64_t size) {
    if (!header) return std::optional<ByteRange>{};
    const std::string_view text = trimmed(*header);
    const std::size_t equals = text.find('=');
    if (equals == text.npos) return range_error(text, size);
    if (!equal_without_case(text.substr(0, equals), "bytes")) return std::optional<ByteRange>{};
    const std::string_view spec = trimmed(text.substr(6));
    const std::size_t dash = spec.find('-');
    if (dash == spec.npos) return range_error(text, size);
    const std::string_view first = spec.substr(0, dash);
    const std::string_view last = spec.substr(dash + 1);
    if ((!first.empty() && !is_digits(first)) || (!last.empty() && !is_digits(last))) return range_error(text, size);
    if (first.empty()) {
        if (last.empty()) return range_error(text, size);
        const std::uint64_t length = std::min(saturated(last), size);
        if (length == 0) return range_error(text, size);
        return std::optional(ByteRange{size - length, length});
    }
    const std::uint64_t offset = saturated(first);
    if (offset >= size) return range_error(text, size);
    const std::uint64_t end = last.empty() ? size - 1 : std::min(saturated(last), size - 1);
    if (end < offset) return range_error(text, size);
    return std::optional(ByteRange{offset, end - offset + 1});
}

std::string_view status_text(int status) {
    switch (status) {
        case 100: return "Continue";
        case 101: return "Switching Protocols";
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 206: return "Partial Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 303: return "See Other";
        case 304: return "Not Modified";
        case 307: return "Temporary Redirect";
        case 308: return "Permanent Redirect";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 406: return "Not Acceptable";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 410: return "Gone";
        case 411: return "Length Required";
        case 412: return "Precondition Failed";
        case 413: return "Content Too Large";
        case 415: return "Unsupported Media Type";
        case 416: return "Range Not Satisfiable";
        case 417: return "Expectation Failed";
        case 422: return "Unprocessable Content";
        case 424: return "Failed Dependency";
        case 429: return "Too Many Requests";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 502: return "Bad Gateway";
        case 503: return "Service Unavailable";
        case 504: return "Gateway Timeout";
        case 505: return "HTTP Version Not Supported";
        case 507: return "Insufficient Storage";
        default: return "Unknown";
    }
}

int status_of(Code code) {
    switch (code) {
        case Code::invalid_argument: return 400;
        case Code::not_found: return 404;
        case Code::already_exists: return 409;
        case Code::conflict: return 409;
        case Code::unavailable: return 503;
        case Code::timed_out: return 504;
        case Code::overloaded: return 503;
        case Code::no_space: return 507;
        case Code::corrupt: return 500;
        case Code::io: return 500;
        case Code::cancelled: return 503;
        case Code::stale_epoch: return 409;
        case Code::rejected: return 422;
        case Code::crashed: return 502;
        case Code::transient: return 502;
        case Code::incomplete_body: return 400;
        case Code::checksum_mismatch: return 400;
        case Code::too_large: return 413;
        case Code::unsupported_version: return 400;
        case Code::permission: return 403;
        case Code::range: return 416;
        case Code::internal: return 500;
    }
    return 500;
}

Code code_of_status(int status) {
    if (status == 404) return Code::not_found;
    if (status == 503) return Code::unavailable;
    return status >= 400 && status < 500 ? Code::rejected : Code::transient;
}

}  // namespace millrace::http
