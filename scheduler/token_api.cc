#include <nlohmann/json.hpp>

#include "auth/token.h"
#include "core/json.h"
#include "core/json_members.h"
#include "scheduler/proxy_api.h"

namespace millrace::scheduler {
using http::Access;

namespace {

using nlohmann::json;
constexpr std::size_t kBodyBytesMax = 64 << 10;
constexpr std::size_t kNameBytesMax = 200;

std::int64_t now_unix() { return unix_now_ns() / 1'000'000'000; }

// {"token": ID} or {"subject": WHO}; "expires": the token's, in Unix seconds, so that it is remembered no longer than needed.
Result<wire::RevokedEntry> read_entry(const json& body) {
    wire::RevokedEntry entry{.token = text_of(body, "token"), .subject = text_of(body, "subject")};
    if (entry.token.empty() == entry.subject.empty()) {
        return fail(Code::invalid_argument, "say which token by its id, {\"token\": \"t-…\"}, or whose, {\"subject\": \"alice\"}");
    }
    const std::size_t length = std::max(entry.token.size(), entry.subject.size());
    if (length > kNameBytesMax) return fail(Code::invalid_argument, "no token and no subject has such a long name");
    const std::int64_t now = now_unix();
    const std::int64_t longest = now + auth::kTokenSecondsMax + auth::kClockSecondsOff;
    const auto told = static_cast<std::int64_t>(std::min<std::uint64_t>(count_of(body, "expires"), static_cast<std::uint64_t>(longest)));
    entry.until_unix = entry.subject.empty() && told > now ? told + auth::kClockSecondsOff : longest;
    if (!entry.subject.empty()) entry.issued_until_unix = now;
    return entry;
}

}  // namespace

void TokenApi::add_routes(http::Router& router) {
    using Parameters = http::PathParameters;
    router.add("GET", "/v1/tokens/revoked", Access::manage, [this](http::Request&, http::Response& response, const Parameters&) { return list(response); });
    router.add("POST", "/v1/tokens/revoked", Access::manage, [this](http::Request& request, http::Response& response, const Parameters&) {
        return revoke(request, response);
    });
}

Task<Result<void>> TokenApi::list(http::Response& response) {
    json rows = json::array();
    for (const wire::RevokedEntry& entry : state_.catalog.wire().revoked) {
        json row{{"until", rfc3339(entry.until_unix * 1'000'000'000)}};
        if (!entry.token.empty()) row["token"] = entry.token;
        if (!entry.subject.empty()) {
            row["subject"] = entry.subject;
            row["issued_until"] = rfc3339(entry.issued_until_unix * 1'000'000'000);
        }
        rows.push_back(std::move(row));
    }
    co_return co_await response.send_json(200, json_text(rows));
}

Task<Result<void>> TokenApi::revoke(http::Request& request, http::Response& response) {
    MILLRACE_CO_TRY_ASSIGN(const std::string body, co_await request.read_all(kBodyBytesMax));
    MILLRACE_CO_TRY_ASSIGN(const json document, parse_json(body));
    MILLRACE_CO_TRY_ASSIGN(wire::RevokedEntry entry, read_entry(document));
    request.deed = "revoke " + (entry.token.empty() ? entry.subject : entry.token);
    MILLRACE_CO_TRY(co_await catalog_.revoke(std::move(entry)));
    co_return co_await response.send(200, {}, "");
}

}  // namespace millrace::scheduler
