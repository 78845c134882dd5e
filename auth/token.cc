#include "auth/token.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base64.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/json_members.h"
#include "core/secrets.h"

namespace millrace::auth {
namespace {

using nlohmann::json;

constexpr std::size_t kSubjectMax = 200;
constexpr std::size_t kIdMax = 64;
constexpr std::size_t kGrantsMax = 100;
constexpr JsonBounds kBounds{.levels_max = 4, .values_max = 1000};

Error not_believed(std::string why) { return fail(Code::permission, std::move(why)); }
Error no_token() { return not_believed("this is not a token of Millrace: 'millrace auth issue' makes one"); }

bool is_printable(std::string_view text, std::size_t max) {
    return !text.empty() && text.size() <= max && std::ranges::all_of(text, [](char c) { return c > ' ' && c < 127; });
}

std::string at(std::int64_t unix_seconds) { return rfc3339(unix_seconds * 1'000'000'000); }

Result<void> check(const Token& token) {
    const auto wrong = [](const char* what) { return fail(Code::invalid_argument, what); };
    if (!is_printable(token.subject, kSubjectMax)) return wrong("the subject of a token is 1 to 200 printable characters without blanks");
    if (!is_printable(token.id, kIdMax)) return wrong("the id of a token is 1 to 64 printable characters without blanks");
    if (token.grants.list().empty() || token.grants.list().size() > kGrantsMax) return wrong("a token has 1 to 100 grants");
    const std::int64_t life = token.expires_unix - token.issued_unix;
    if (token.issued_unix < 0 || life <= 0 || life > kTokenSecondsMax) return wrong("a token lives for 1 second to 366 days");
    return {};
}

Result<json> part_of(std::string_view text) {
    const auto bytes = base64url_decode(text);
    if (!bytes) return no_token();
    auto document = parse_json(*bytes, kBounds);
    if (!document || !document->is_object()) return no_token();
    return std::move(*document);
}

Result<std::int64_t> time_of(const json& claims, const char* key) {
    const json& value = member(claims, key);
    constexpr std::int64_t kLatest = 253'402'300'799;  // year 9999
    if (!value.is_number_integer() || value.get<std::int64_t>() < 0 || value.get<std::int64_t>() > kLatest) return no_token();
    return value.get<std::int64_t>();
}

struct Pieces {
    std::string_view header, claims, signature;
    std::string_view is_signed;
};

Result<Pieces> split(std::string_view text) {
    if (text.size() > kTokenBytesMax) return not_believed("a token has at most " + std::to_string(kTokenBytesMax) + " bytes");
    const std::size_t first = text.find('.');
    const std::size_t last = text.rfind('.');
    if (first == text.npos || first == last || text.find('.', first + 1) != last) return no_token();
    return Pieces{text.substr(0, first), text.substr(first + 1, last - first - 1), text.substr(last + 1), text.substr(0, last)};
}

}  // namespace

Result<std::string> sign_token(const Token& token, const SigningKey& key) {
    MILLRACE_TRY(check(token));
    json grants = json::array();
    for (const Grant& grant : token.grants.list()) grants.push_back(grant.text());
    const json header{{"alg", "EdDSA"}, {"typ", "JWT"}};
    const json claims{{"sub", token.subject}, {"jti", token.id}, {"iat", token.issued_unix}, {"exp", token.expires_unix},
                      {"grants", std::move(grants)}};
    const std::string is_signed = base64url_encode(json_text(header)) + "." + base64url_encode(json_text(claims));
    return is_signed + "." + base64url_encode(key.sign(is_signed));
}

Result<Token> read_token(std::string_view text) {
    MILLRACE_TRY_ASSIGN(const Pieces pieces, split(text));
    MILLRACE_TRY_ASSIGN(const json header, part_of(pieces.header));
    if (text_of(header, "alg") != "EdDSA") return not_believed("this token is not signed as those of Millrace are (EdDSA): 'millrace auth issue' makes one");
    MILLRACE_TRY_ASSIGN(const json claims, part_of(pieces.claims));
    Token token{.id = text_of(claims, "jti"), .subject = text_of(claims, "sub")};
    MILLRACE_TRY_ASSIGN(token.issued_unix, time_of(claims, "iat"));
    MILLRACE_TRY_ASSIGN(token.expires_unix, time_of(claims, "exp"));
    std::vector<Grant> grants;
    for (const json& entry : items_of(claims, "grants")) {
        // A right of a later version is one that this node knows nothing to do with.
        if (auto grant = Grant::parse(text_of(entry))) grants.push_back(std::move(*grant));
    }
    token.grants = Grants(std::move(grants));
    if (auto usable = check(token); !usable) return not_believed(usable.error().context);
    return token;
}

Result<void> check_time(const Token& token, std::int64_t now_unix) {
    const std::string clock = " (it is " + at(now_unix) + " by the clock of this node)";
    if (token.expires_unix <= now_unix) return not_believed("the token of " + token.subject + " expired at " +
                             at(token.expires_unix) + clock + ": issue another");
    if (token.issued_unix > now_unix + kClockSecondsOff) {
        return not_believed("the token of " + token.subject + " begins at " + at(token.issued_unix) + clock + ": set the clocks right");
    }
    return {};
}

Result<Token> verify_token(std::string_view text, const VerifyingKeys& keys, std::int64_t now_unix) {
    MILLRACE_TRY_ASSIGN(const Pieces pieces, split(text));
    const auto signature = base64url_decode(pieces.signature);
    if (!signature) return no_token();
    MILLRACE_TRY_ASSIGN(Token token, read_token(text));
    const bool is_ours = keys.verify(pieces.is_signed, *signature);
    if (!is_ours) return not_believed("the token is not signed with a key that this node believes (auth_key in its configuration)");
    MILLRACE_TRY(check_time(token, now_unix));
    return token;
}

}  // namespace millrace::auth
