#include "http/router.h"

#include <algorithm>
#include <compare>
#include <optional>
#include <set>

#include "core/check.h"
#include "http/problem.h"

namespace millrace::http {
namespace {

std::vector<std::string> split(std::string_view path) {
    std::vector<std::string> segments;
    if (path.starts_with('/')) path.remove_prefix(1);
    for (;;) {
        const std::size_t slash = std::min(path.find('/'), path.size());
        segments.emplace_back(path.substr(0, slash));
        if (slash == path.size()) return segments;
        path.remove_prefix(slash + 1);
    }
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{') && segment.ends_with('}'); }
bool takes_rest(std::string_view segment) { return segment.ends_with("...}") && is_parameter(segment); }
std::string parameter_name(std::string_view segment) {
    return std::string(segment.substr(1, segment.size() - (takes_rest(segment) ? 5 : 2)));
}

// 0 for a literal segment, more for what takes more.
int looseness(std::string_view segment) { return takes_rest(segment) ? 2 : is_parameter(segment) ? 1 : 0; }

std::strong_ordering compare_looseness(const std::vector<std::string>& a, const std::vector<std::string>& b) {
    const auto compare = [](const std::string& x, const std::string& y) { return looseness(x) <=> looseness(y); };
    return std::lexicographical_compare_three_way(a.begin(), a.end(), b.begin(), b.end(), compare);
}

// A condition that names a value is the strictest.
int strictness(const std::string& key, const std::string& value) { return key.empty() ? 0 : value.empty() ? 1 : 2; }

bool fulfils(const Query& query, const std::string& key, const std::string& value) {
    if (key.empty()) return true;
    const auto found = query.find(key);
    return found && (value.empty() || *found == value);
}

// Both decoded; a slash that was escaped stays inside of its part.
std::optional<PathParameters> match(const std::vector<std::string>& pattern, const std::vector<std::string>& path) {
    PathParameters parameters;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (i >= path.size()) return std::nullopt;
        if (takes_rest(pattern[i])) {
            std::string rest = path[i];
            for (std::size_t j = i + 1; j < path.size(); ++j) rest += '/' + path[j];
            parameters[parameter_name(pattern[i])] = std::move(rest);
            return parameters;
        }
        if (is_parameter(pattern[i])) {
            if (path[i].empty()) return std::nullopt;
            parameters[parameter_name(pattern[i])] = path[i];
        } else if (pattern[i] != path[i]) {
            return std::nullopt;
        }
    }
    // One slash at the end makes no difference.
    const bool whole = path.size() == pattern.size() || (path.size() == pattern.size() + 1 && path.back().empty());
    return whole ? std::optional(std::move(parameters)) : std::nullopt;
}

Task<void> answer_problem(Response& response, int status, Error error, Headers headers) {
    // The connection tells the server about a failure to answer.
    (void)co_await response.send_error(error, status, std::move(headers));
}

// RFC 6750, 3: how somebody who was not known may become it.
Task<void> refuse(Response& response, Refusal refusal) {
    Headers headers;
    if (refusal.status == 401) headers.set("WWW-Authenticate", "Bearer realm=\"millrace\"");
    (void)co_await response.send_error(refusal.error, refusal.status, std::move(headers));
}

// RFC 9110, 14.5: what nobody here can put together must not be taken for the whole.
Error only_a_part() {
    return fail(Code::invalid_argument, "a PUT with Content-Range would replace all by a part of it, so it is refused: send the whole without "
                                        "Content-Range, or the parts as an upload in parts");
}

}  // namespace

void Router::add(std::string_view method, std::string_view pattern, Access access, RouteHandler handler) {
    MILLRACE_CHECK(pattern.starts_with('/'));
    const std::size_t question = std::min(pattern.find('?'), pattern.size());
    const std::string_view condition = pattern.substr(std::min(question + 1, pattern.size()));
    const std::size_t equals = std::min(condition.find('='), condition.size());
    Route route{{std::string(method), std::string(pattern), access}, split(pattern.substr(0, question)), std::string(condition.substr(0, equals)),
                std::string(condition.substr(std::min(equals + 1, condition.size()))), std::move(handler)};
    for (std::size_t i = 0; i + 1 < route.segments.size(); ++i) MILLRACE_CHECK(!takes_rest(route.segments[i]));
    // Kept from more to less literal, so that the first match is the best.
    const auto is_better = [](const Route& a, const Route& b) {
        const auto order = compare_looseness(a.segments, b.segments);
        return order < 0 || (order == 0 && strictness(a.query_key, a.query_value) > strictness(b.query_key, b.query_value));
    };
    const auto after = std::ranges::upper_bound(routes_, route, is_better);
    routes_.insert(after, std::move(route));
}

std::vector<Router::Entry> Router::entries() const {
    std::vector<Entry> all;
    for (const Route& route : routes_) all.push_back(route.entry);
    return all;
}

Task<void> Router::run(const Route& route, Request& request, Response& response, const PathParameters& parameters) const {
    if (gate_) {
        if (const auto refused = gate_(request, route.entry, parameters)) co_return co_await refuse(response, *refused);
    }
    if (request.method == "PUT" && request.headers.find("Content-Range")) {
        const Error error = only_a_part();
        co_return (void)co_await response.send_error(error);
    }
    const Result<void> outcome = co_await route.handler(request, response, parameters);
    if (!outcome && !response.started()) (void)co_await response.send_error(outcome.error());
    if (witness_) witness_(request, route.entry, response.status());
}

Task<void> Router::handle(Request& request, Response& response) const {
    std::vector<std::string> path = split(request.path);
    for (std::string& segment : path) {
        auto decoded = percent_decode(segment);
        if (!decoded) {
            const Error error = decoded.error().during("reading the path of the request");
            co_await answer_problem(response, 400, error, {});
            co_return;
        }
        segment = std::move(*decoded);
    }
    std::set<std::string> allowed;
    const Route* get_for_head = nullptr;
    PathParameters head_parameters;
    for (const Route& route : routes_) {
        auto parameters = match(route.segments, path);
        if (!parameters || !fulfils(request.query, route.query_key, route.query_value)) continue;
        if (route.entry.method == request.method) {
            co_return co_await run(route, request, response, *parameters);
        }
        if (route.entry.method == "GET" && request.method == "HEAD" && get_for_head == nullptr) {
            get_for_head = &route;
            head_parameters = *parameters;
        }
        allowed.insert(route.entry.method);
    }
    if (get_for_head != nullptr) {
        co_return co_await run(*get_for_head, request, response, head_parameters);
    }
    if (allowed.empty()) {
        Error error = fail(Code::not_found, "no such path: " + request.path.substr(0, 200));
        co_await answer_problem(response, 404, std::move(error), {});
        co_return;
    }
    if (allowed.contains("GET")) allowed.insert("HEAD");
    std::string methods;
    for (const std::string& method : allowed) methods += (methods.empty() ? "" : ", ") + method;
    const std::string method = request.method.substr(0, 20);
    Error error = fail(Code::invalid_argument, "method " + method + " is not allowed on this path; allowed: " + methods);
    Headers headers;
    headers.set("Allow", methods);
    co_await answer_problem(response, 405, std::move(error), std::move(headers));
}

}  // namespace millrace::http
