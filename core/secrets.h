// Small pieces of cryptography, all of OpenSSL: random bytes, hashes, comparison in constant time. Pure but for the random bytes. Any thread.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace millrace {

// That nobody can guess.
std::string random_bytes(std::size_t count);
// 32 bytes.
std::string hmac_sha256(std::string_view key, std::string_view message);
std::string sha256(std::string_view message);
// Takes as long wherever they differ. Their lengths are no secret.
bool equal_secrets(std::string_view a, std::string_view b);

}  // namespace millrace
