// Small pieces of cryptography, all of OpenSSL: random bytes, HMAC-SHA-256, comparison in constant time; and base64url (RFC 4648, 5, without
// padding) to write bytes in. Pure but for the random bytes. Any thread.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "core/result.h"

namespace millrace::auth {

std::string random_bytes(std::size_t count);
// 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view message);
std::string sha256(std::string_view message);
// Takes as long wherever they differ. Their lengths are no secret.
bool equal_secrets(std::string_view a, std::string_view b);

std::string base64url_encode(std::string_view bytes);
Result<std::string> base64url_decode(std::string_view text);

}  // namespace millrace::auth
