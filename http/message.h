// The plain parts of an HTTP message: headers, status texts, endpoints. Nothing here knows Beast.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/result.h"

namespace millrace::http {

// In order of arrival; names compare without case.
class Headers {
public:
    Headers() = default;
    Headers(std::initializer_list<std::pair<std::string, std::string>> items) : items_(items) {}
    std::optional<std::string_view> find(std::string_view name) const;
    void set(std::string_view name, std::string value);  // replaces
    void add(std::string name, std::string value) { items_.emplace_back(std::move(name), std::move(value)); }
    auto begin() const { return items_.begin(); }
    auto end() const { return items_.end(); }
    std::size_t size() const { return items_.size(); }

private:
    std::vector<std::pair<std::string, std::string>> items_;
};

bool equal_without_case(std::string_view a, std::string_view b);

enum class Scheme { http, https };

// Where a server listens, and what carries its bytes: a TCP host and port, or a Unix socket. Two schemes are two servers.
struct Endpoint {
    std::string host;
    std::uint16_t port = 0;
    std::string unix_path;  // not empty: a Unix socket, all else unused
    Scheme scheme = Scheme::http;

    // "http://host:port", "host:port", "http://host" (port 80), "https://host:port", "https://host" (port 443) or "unix:/path"; a path after
    // the port is refused.
    static Result<Endpoint> parse(std::string_view text);
    std::string text() const;       // "http://host:port", "https://host:port" or "unix:/path"
    std::string authority() const;  // for the header Host: "host:port", or "localhost" of a Unix socket
    friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// Makes an unconnected stream socket of the address family, non-blocking and close-on-exec, such as one in another network
// namespace; -1 with errno set where that fails. Any thread.
using OpenSocket = std::function<int(int family)>;

// An absolute http:// or https:// URL taken apart: endpoint, and target ("/path?query").
struct Url {
    Endpoint endpoint;
    std::string target;
    static Result<Url> parse(std::string_view text);
};

// "bytes=a-b", "bytes=a-" or "bytes=-n" on an object of `size` bytes; nullopt when the header is absent, or counts in another unit.
// Fails with Code::range when unsatisfiable, malformed or of several ranges.
struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};
Result<std::optional<ByteRange>> parse_range(std::optional<std::string_view> header, std::uint64_t size);

std::string_view status_text(int status);
// The status that a Code answers with: invalid_argument 400, not_found 404, conflict 409, no_space 507, and so on.
int status_of(Code code);
// Backwards, for a reply without a problem document: 404 not_found, 503 unavailable, other 4xx rejected, 5xx transient.
Code code_of_status(int status);

}  // namespace millrace::http
