// The key with which tokens are signed (Ed25519, RFC 8032), and its public half with which nodes check them. OpenSSL does the work; files are
// PEM, as `openssl pkey` reads and writes them. Any thread.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace millrace::auth {

// Whoever has it can make tokens. It stays with the operator: no node needs it.
class SigningKey {
public:
    static SigningKey generate();
    // Code::invalid_argument for what is no private Ed25519 key.
    static Result<SigningKey> parse(std::string_view pem);
    std::string pem() const;
    std::string public_pem() const;
    std::string sign(std::string_view message) const;  // 64 bytes

private:
    explicit SigningKey(std::shared_ptr<void> key) : key_(std::move(key)) {}
    std::shared_ptr<void> key_;
};

class VerifyingKeys {
public:
    VerifyingKeys() = default;
    // One public key or several, one after the other: while one is replaced by another, both are believed.
    static Result<VerifyingKeys> parse(std::string_view pem);
    bool empty() const { return keys_.empty(); }
    bool verify(std::string_view message, std::string_view signature) const;

private:
    std::vector<std::shared_ptr<void>> keys_;
};

}  // namespace millrace::auth
