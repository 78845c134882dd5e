#include "http/page_guard.h"

#include <arpa/inet.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "core/config.h"

namespace millrace::http {
namespace {

// What a page may send without asking (Fetch standard, "CORS-safelisted request-header").
constexpr std::array<std::string_view, 3> kFormTypes{"application/x-www-form-urlencoded", "multipart/form-data", "text/plain"};

Refusal not_for_pages(std::string why) { return {fail(Code::permission, std::move(why)), 403}; }

std::string quoted(std::string_view text) { return "'" + std::string(text.substr(0, 200)) + "'"; }

// "host:port", "[::1]:port" or "host" without the port, the brackets, and the dot of a name that is told in full.
std::string_view host_of(std::string_view authority) {
    if (authority.starts_with('[')) return authority.substr(1, std::min(authority.find(']'), authority.size()) - 1);
    authority = authority.substr(0, std::min(authority.find(':'), authority.size()));
    if (authority.ends_with('.')) authority.remove_suffix(1);
    return authority;
}

bool is_address(const std::string& host) {
    in_addr narrow{};
    in6_addr wide{};
    return ::inet_pton(AF_INET, host.c_str(), &narrow) == 1 || ::inet_pton(AF_INET6, host.c_str(), &wide) == 1;
}

// RFC 6761, 6.3.
bool is_localhost(std::string_view host) {
    constexpr std::string_view kName = "localhost";
    if (host.size() < kName.size() || !equal_without_case(host.substr(host.size() - kName.size()), kName)) return false;
    return host.size() == kName.size() || host[host.size() - kName.size() - 1] == '.';
}

std::string_view authority_of(std::string_view origin) {
    const std::size_t slashes = origin.find("://");
    return slashes == origin.npos ? std::string_view() : origin.substr(slashes + 3);
}

bool is_form_type(std::string_view type) {
    type = type.substr(0, std::min(type.find(';'), type.size()));
    while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
    return std::ranges::any_of(kFormTypes, [type](std::string_view form) { return equal_without_case(type, form); });
}

// The content of an object has the type that its owner says. No form sends a PUT, and no page without asking.
bool takes_any_bytes(const Request& request, Access access) {
    return request.method == "PUT" && (access == Access::write || access == Access::node);
}

bool is_navigation(const Request& request) {
    return (request.method == "GET" || request.method == "HEAD") && request.headers.find("Sec-Fetch-Mode") == "navigate";
}

}  // namespace

PageGuard::PageGuard(std::vector<std::string> names) : names_(std::move(names)) {
    std::erase_if(names_, [](const std::string& name) { return name.empty(); });
}

bool PageGuard::is_ours(std::string_view authority) const {
    const std::string host(host_of(authority));
    return is_localhost(host) || is_address(host) || std::ranges::any_of(names_, [&](const auto& name) { return equal_without_case(name, host); });
}

std::optional<Refusal> PageGuard::refuse(const Request& request, Access access) const {
    if (access == Access::anyone) return std::nullopt;
    const auto host = request.headers.find("Host");
    if (host && !is_ours(*host)) {
        return not_for_pages("this node is not known as " + quoted(host_of(*host)) + ": use its address, or add the name to 'hosts' in its configuration");
    }
    const auto origin = request.headers.find("Origin");
    if (origin && (!host || authority_of(*origin).empty() || !equal_without_case(authority_of(*origin), *host))) {
        return not_for_pages("a web page from " + quoted(*origin) + " may not use this node");
    }
    const auto site = request.headers.find("Sec-Fetch-Site");
    if (site && *site != "same-origin" && *site != "none" && !is_navigation(request)) {
        return not_for_pages("a web page from elsewhere may not use this node");
    }
    const auto type = request.headers.find("Content-Type");
    if (type && is_form_type(*type) && !takes_any_bytes(request, access)) {
        return Refusal{fail(Code::invalid_argument, "Content-Type " + quoted(*type) + " is one that forms of web pages send: say what it is, as in "
                                                   "'Content-Type: application/json' (curl --json)"), 415};
    }
    return std::nullopt;
}

PageGuard PageGuard::of_node(const std::string& host, const std::string& advertise, const std::vector<std::string>& added) {
    std::vector<std::string> names = added;
    names.push_back(host);
    names.push_back(reachable_at(host, advertise, 0).host);
    std::array<char, 256> machine{};
    if (::gethostname(machine.data(), machine.size() - 1) == 0) names.emplace_back(machine.data());
    return PageGuard(std::move(names));
}

}  // namespace millrace::http
