#include "core/secrets.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include <array>

#include "core/check.h"

namespace millrace {
namespace {

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string text_of_digest(const std::array<unsigned char, EVP_MAX_MD_SIZE>& digest, unsigned int size) {
    return {reinterpret_cast<const char*>(digest.data()), size};
}

}  // namespace

std::string random_bytes(std::size_t count) {
    std::string bytes(count, '\0');
    MILLRACE_CHECK(::RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) == 1);
    return bytes;
}

std::string hmac_sha256(std::string_view key, std::string_view message) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    MILLRACE_CHECK(::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(message), message.size(), digest.data(), &size) != nullptr);
    return text_of_digest(digest, size);
}

std::string sha256(std::string_view message) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned int size = 0;
    MILLRACE_CHECK(::EVP_Digest(message.data(), message.size(), digest.data(), &size, ::EVP_sha256(), nullptr) == 1);
    return text_of_digest(digest, size);
}

bool equal_secrets(std::string_view a, std::string_view b) { return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace millrace
