// What strangers show to come in: tokens, grants, proofs of nodes, tickets of redirects, codes to join with.
#include <array>
#include <string>

#include "auth/node_proof.h"
#include "auth/token.h"
#include "core/base64.h"
#include "core/check.h"
#include "tests/fuzz/fuzz.h"
#include "wire/join_code.h"

using namespace millrace;
using namespace millrace::auth;

namespace {

constexpr std::int64_t kNow = 1'800'000'000;
constexpr std::string_view kHeader = R"({"alg":"EdDSA","typ":"JWT"})";

const SigningKey& issuer() {
    static const SigningKey key = SigningKey::generate();
    return key;
}

// The nodes of a cluster: the proxy, and two targets that know each other.
struct Nodes {
    Nodes() {
        const std::string secret(kNodeKeyBytes, 's');
        a.set(key_of_target(secret, "a"), {{"b", key_towards(key_of_target(secret, "b"), "a")}});
        b.set(key_of_target(secret, "b"), {{"a", key_towards(key_of_target(secret, "a"), "b")}});
    }
    KeysOfProxy proxy{std::string(kNodeKeyBytes, 's')};
    KeysOfTarget a{"a"};
    KeysOfTarget b{"b"};
};

const Nodes& nodes() {
    static const Nodes them;
    return them;
}

void check_token(const Token& token) {
    MILLRACE_CHECK(!token.grants.list().empty() && !token.subject.empty());
    MILLRACE_CHECK(token.expires_unix > token.issued_unix && token.expires_unix - token.issued_unix <= kTokenSecondsMax);
}

// What it says counts only with its issuer's signature, of which this is the document.
void try_document(std::string_view document) {
    const std::string unsigned_text = base64url_encode(kHeader) + '.' + base64url_encode(document);
    const auto read = read_token(unsigned_text + '.' + base64url_encode(std::string(64, 'x')));
    if (!read) return;
    check_token(*read);
    static const VerifyingKeys keys = VerifyingKeys::parse(issuer().public_pem()).value();
    MILLRACE_CHECK(!verify_token(unsigned_text + '.' + base64url_encode(std::string(64, 'x')), keys, read->issued_unix));
    MILLRACE_CHECK(verify_token(unsigned_text + '.' + base64url_encode(issuer().sign(unsigned_text)), keys, read->issued_unix));
}

void try_grant(std::string_view bytes) {
    const auto grant = Grant::parse(bytes);
    if (!grant) return;
    const auto again = Grant::parse(grant->text());
    MILLRACE_CHECK(again && again->right == grant->right && again->buckets == grant->buckets);
    (void)Grants({*grant}).may(Right::read, bytes);
}

// Nobody can make one up, and one is good for what it was made for. "TARGET\nSUBJECT"
void try_ticket(std::string_view bytes) {
    const auto forged = check_ticket(nodes().a, "GET", bytes, kNow);
    MILLRACE_CHECK(!forged || !forged->has_value());
    const std::size_t end = bytes.find('\n');
    if (end == bytes.npos) return;
    const std::string target(bytes.substr(0, end));
    const std::string subject(bytes.substr(end + 1));
    const std::string made = with_ticket(nodes().b, "a", "GET", target, subject, kNow);
    const auto seen = check_ticket(nodes().a, "GET", made, kNow);
    MILLRACE_CHECK(seen && *seen == subject);
    MILLRACE_CHECK(!check_ticket(nodes().a, "PUT", made, kNow));
    MILLRACE_CHECK(!check_ticket(nodes().a, "GET", made, kNow + kTicketSeconds + 1));
    MILLRACE_CHECK(!check_ticket(nodes().b, "GET", made, kNow));
}

void try_proof(std::string_view bytes) {
    for (const NodeKeys* const keys : std::array<const NodeKeys*, 2>{&nodes().a, &nodes().proxy}) MILLRACE_CHECK(!check_proof(*keys, bytes, "GET", "/", kNow));
    const std::string made = make_proof(nodes().proxy, "b", "GET", bytes, kNow);
    MILLRACE_CHECK(check_proof(nodes().b, made, "GET", bytes, kNow));
    MILLRACE_CHECK(!check_proof(nodes().a, made, "GET", bytes, kNow));
}

void try_join_code(std::string_view bytes) {
    (void)wire::parse_join_code(bytes);
    const auto code = wire::parse_join_code(base64url_encode(bytes));
    if (!code) return;
    const auto again = wire::parse_join_code(wire::to_text(*code));
    if (!again) return;  // it may have become too long
    MILLRACE_CHECK(again->token == code->token && again->proxy_key == code->proxy_key && again->control == code->control && again->http == code->http);
}

}  // namespace

void fuzz(std::string_view bytes) {
    switch (take_byte(bytes) % 7) {
        case 0: return try_document(bytes);
        case 1: return try_grant(bytes);
        case 2: return try_ticket(bytes);
        case 3: return try_proof(bytes);
        case 4: return try_join_code(bytes);
        case 5: (void)VerifyingKeys::parse(bytes); return;
        default: (void)read_token(bytes);
    }
}
