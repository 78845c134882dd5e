// What a user shows: a JSON Web Token (RFC 7519) signed with Ed25519 ("EdDSA", RFC 8037). Checked by any node alone. Pure.
//
//   {"alg":"EdDSA","typ":"JWT"}.{"sub":"alice","jti":"t-…","iat":…,"exp":…,"grants":["read:audio-*","run"]}.SIGNATURE
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "auth/grants.h"
#include "auth/signing_key.h"

namespace millrace::auth {

inline constexpr std::size_t kTokenBytesMax = 8 * 1024;
inline constexpr std::int64_t kTokenSecondsMax = 366 * 24 * 3600;  // so that what is revoked need not be remembered for ever
inline constexpr std::int64_t kClockSecondsOff = 60;               // of a node's clock and the issuer's, at most

struct Token {
    std::string id;       // what it is revoked by
    std::string subject;  // whose it is
    std::int64_t issued_unix = 0;
    std::int64_t expires_unix = 0;
    Grants grants;
};

// Code::invalid_argument for a subject that is empty or no printable text, no grants, or a life that is none or too long.
Result<std::string> sign_token(const Token& token, const SigningKey& key);
// What it says, whoever signed it.
Result<Token> read_token(std::string_view text);
// Code::permission: whose signature it is not, that it has expired, or begins later by this node's clock.
Result<Token> verify_token(std::string_view text, const VerifyingKeys& keys, std::int64_t now_unix);
// The same of one that was read and verified before.
Result<void> check_time(const Token& token, std::int64_t now_unix);

}  // namespace millrace::auth
