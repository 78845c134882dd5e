#include "auth/signing_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <algorithm>
#include <array>

#include "core/check.h"

namespace millrace::auth {
namespace {

constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kKeysMax = 16;

struct FreeBio {
    void operator()(BIO* bio) const { ::BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

EVP_PKEY* key_of(const std::shared_ptr<void>& key) { return static_cast<EVP_PKEY*>(key.get()); }
std::shared_ptr<void> own(EVP_PKEY* key) { return {key, [](void* it) { ::EVP_PKEY_free(static_cast<EVP_PKEY*>(it)); }}; }

Bio reading(std::string_view text) { return Bio(::BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string written(const Bio& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

// Never asks for a passphrase at a terminal.
int no_passphrase(char*, int, int, void*) { return -1; }

const unsigned char* octets_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

using Context = std::unique_ptr<EVP_MD_CTX, decltype([](EVP_MD_CTX* context) { ::EVP_MD_CTX_free(context); })>;

}  // namespace

SigningKey SigningKey::generate() {
    EVP_PKEY* key = ::EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
    MILLRACE_CHECK(key != nullptr);
    return SigningKey(own(key));
}

Result<SigningKey> SigningKey::parse(std::string_view pem) {
    const Bio bio = reading(pem);
    std::shared_ptr<void> key = own(::PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
    ::ERR_clear_error();
    if (!key || ::EVP_PKEY_get_id(key_of(key)) != EVP_PKEY_ED25519) {
        return fail(Code::invalid_argument, "not a private Ed25519 key in PEM without a passphrase; 'millrace auth init' makes one");
    }
    return SigningKey(std::move(key));
}

std::string SigningKey::pem() const {
    const Bio bio(::BIO_new(::BIO_s_mem()));
    MILLRACE_CHECK(::PEM_write_bio_PKCS8PrivateKey(bio.get(), key_of(key_), nullptr, nullptr, 0, nullptr, nullptr) == 1);
    return written(bio);
}

std::string SigningKey::public_pem() const {
    const Bio bio(::BIO_new(::BIO_s_mem()));
    MILLRACE_CHECK(::PEM_write_bio_PUBKEY(bio.get(), key_of(key_)) == 1);
    return written(bio);
}

std::string SigningKey::sign(std::string_view message) const {
    const Context context(::EVP_MD_CTX_new());
    std::string signature(kSignatureBytes, '\0');
    std::size_t size = signature.size();
    MILLRACE_CHECK(::EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key_of(key_)) == 1);
    MILLRACE_CHECK(::EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, octets_of(message), message.size()) == 1);
    return signature;
}

Result<VerifyingKeys> VerifyingKeys::parse(std::string_view pem) {
    VerifyingKeys keys;
    const Bio bio = reading(pem);
    while (EVP_PKEY* const read = ::PEM_read_bio_PUBKEY(bio.get(), nullptr, no_passphrase, nullptr)) {
        std::shared_ptr<void> key = own(read);
        if (::EVP_PKEY_get_id(read) != EVP_PKEY_ED25519) return fail(Code::invalid_argument, "holds a key that is not Ed25519; 'millrace auth init' makes one");
        if (keys.keys_.size() == kKeysMax) return fail(Code::invalid_argument, "holds more than " + std::to_string(kKeysMax) + " keys");
        keys.keys_.push_back(std::move(key));
    }
    ::ERR_clear_error();
    if (keys.empty()) return fail(Code::invalid_argument, "holds no public key in PEM; 'millrace auth init' makes one");
    return keys;
}

bool VerifyingKeys::verify(std::string_view message, std::string_view signature) const {
    const auto is_by = [&](const std::shared_ptr<void>& key) -> bool {
        const Context context(::EVP_MD_CTX_new());
        return ::EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_of(key)) == 1 &&
               ::EVP_DigestVerify(context.get(), octets_of(signature), signature.size(), octets_of(message), message.size()) == 1;
    };
    const bool valid = signature.size() == kSignatureBytes && std::ranges::any_of(keys_, is_by);
    ::ERR_clear_error();
    return valid;
}

}  // namespace millrace::auth
