#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "auth/node_proof.h"
#include "core/names.h"
#include "core/whole_number.h"
#include "scheduler/proxy_api.h"

namespace millrace::scheduler {
using http::Access;

namespace {

constexpr auto kPassThroughMax = std::chrono::hours(1);  // from one piece of a body to the next

// Whether the message's Connection names the header: then it is about this connection alone (RFC 9110, 7.6.1).
bool is_named_by_connection(const http::Headers& received, std::string_view name) {
    for (const auto& [key, value] : received) {
        if (!http::equal_without_case(key, "Connection")) continue;
        for (std::string_view rest = value; !rest.empty();) {
            const std::size_t end = std::min(rest.find_first_of(", \t"), rest.size());
            if (http::equal_without_case(rest.substr(0, end), name)) return true;
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    return false;
}

// What a target needs to know of the client's request, and the client of the reply; the connection's own headers stay behind, as does what was
// for this node to judge: who asks, and from which page.
http::Headers forwarded(const http::Headers& received) {
    static constexpr std::string_view kOwn[] = {"Host", "Connection", "Content-Length", "Transfer-Encoding", "Expect", "Keep-Alive", "Proxy-Connection",
                                                "TE", "Trailer", "Upgrade", "Authorization", auth::kProofHeader, "Origin", "Sec-Fetch-Site"};
    http::Headers kept;
    for (const auto& [name, value] : received) {
        const bool is_own = std::ranges::any_of(kOwn, [&name](std::string_view own) { return http::equal_without_case(name, own); });
        if (!is_own && !is_named_by_connection(received, name)) kept.add(name, value);
    }
    return kept;
}

// What a HEAD reply says of the body that it does not carry.
std::optional<std::uint64_t> announced_length(const http::Headers& headers) {
    return parse_whole<std::uint64_t>(headers.find("Content-Length").value_or(""));
}

// A body on its way through this proxy: as long as it moves, it has time.
class PassedOn final : public Source {
public:
    PassedOn(Source& source, Instant& due) : source_(source), due_(due) {}
    std::optional<std::uint64_t> size() const override { return source_.size(); }
    Task<Result<std::size_t>> read(std::span<std::byte> buffer) override {
        due_ = steady_now() + kPassThroughMax;
        co_return co_await source_.read(buffer);
    }

private:
    Source& source_;
    Instant& due_;
};

}  // namespace

void ObjectApi::add_routes(http::Router& router) {
    for (const char* method : {"GET", "PUT", "HEAD", "DELETE", "POST", "PATCH"}) {
        const bool reads = std::string_view(method) == "GET" || std::string_view(method) == "HEAD";
        const Access access = reads ? Access::read : Access::write;
        router.add(method, "/v1/objects/{bucket}/{name...}", access,
                   [this](http::Request& request, http::Response& response, const http::PathParameters& path) {
            return route(request, response, path.find("bucket")->second, path.find("name")->second);
        });
    }
}

Task<Result<void>> ObjectApi::route(http::Request& request, http::Response& response, const std::string& bucket, const std::string& name) {
    const std::string provider = request.query.get("provider");  // AIStore's: of buckets in clouds there are none
    if (!provider.empty() && provider != "ais") co_return fail(Code::not_found, "bucket \"" + provider + "://" + bucket + "\" does not exist");
    const bool reads = request.method == "GET" || request.method == "HEAD";
    const bool is_folder = reads && name.ends_with('/');  // clients look whether there is an object behind "dir/"; there is none
    MILLRACE_CO_TRY(validate_object_name(is_folder ? std::string_view(name).substr(0, name.size() - 1) : name));
    if (state_.catalog.bucket(bucket) == nullptr) co_return unknown_bucket(bucket);
    if (is_folder) co_return fail(Code::not_found, "object \"ais://" + bucket + "/" + name + "\" does not exist");
    MILLRACE_CO_TRY_ASSIGN(const TargetId owner, targets_.owner(name));
    MILLRACE_CO_TRY_ASSIGN(const http::Endpoint endpoint, targets_.endpoint_of(owner.str()));
    if (request.query.get("redirect") == "no") {
        // An exchange that reads the request is ended in order, whatever happens: with waits that must not throw.
        const bool throws = co_await boost::asio::this_coro::throw_if_cancelled();
        co_await boost::asio::this_coro::throw_if_cancelled(false);
        const Result<void> outcome = co_await pass_through(request, response, owner, endpoint);
        co_await boost::asio::this_coro::throw_if_cancelled(throws);
        co_return outcome;
    }
    const std::string separator = request.target.find('?') == std::string::npos ? "?" : "&";
    const std::string target = request.target + separator + "pid=" + state_.proxy_id + "&utm=" + std::to_string(unix_now_ns());
    http::Headers headers{{"Location", endpoint.text() + auth::redirected(request, *state_.node_keys, owner.str(), target)}};
    co_return co_await response.send(request.method == "GET" ? 301 : 307, std::move(headers), "");
}

Task<Result<void>> ObjectApi::pass_through(http::Request& request, http::Response& response, const TargetId& owner, const http::Endpoint& endpoint) {
    std::string target = auth::redirected(request, *state_.node_keys, owner.str(), request.target);
    http::ClientRequest onward{.method = request.method, .target = std::move(target), .headers = forwarded(request.headers)};
    Instant due = steady_now() + kPassThroughMax;
    PassedOn body(request, due);
    if (request.method != "GET" && request.method != "HEAD" && request.size() != 0) onward.body = &body;
    if (request.method == "GET") request.end_with_client();
    if (request.needs_length()) onward.headers.set("Millrace-Needs-Length", "1");
    onward.deadline = due;
    onward.due = [&due] { return due; };
    MILLRACE_CO_TRY_ASSIGN(const std::unique_ptr<http::Exchange> exchange, co_await targets_.client().send(endpoint, onward));
    http::Headers headers = forwarded(exchange->headers);
    Result<void> outcome;
    const std::optional<std::uint64_t> announced = request.method == "HEAD" ? announced_length(exchange->headers) : std::nullopt;
    if (announced) {
        outcome = co_await response.send_head(exchange->status, std::move(headers), *announced);
    } else if (request.method == "HEAD") {
        outcome = co_await response.start(exchange->status, std::move(headers), std::nullopt);
        if (outcome) outcome = co_await response.finish();
    } else {
        outcome = co_await response.start(exchange->status, std::move(headers), exchange->size());
        if (outcome) {
            PassedOn reply(*exchange, due);
            const auto moved = co_await pump(reply, response);
            outcome = moved ? co_await response.finish() : Result<void>(moved.error());
        }
    }
    co_await exchange->close();
    co_return outcome;
}

}  // namespace millrace::scheduler
