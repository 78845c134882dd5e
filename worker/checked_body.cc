#include "worker/checked_body.h"

#include <openssl/evp.h>

#include <array>
#include <boost/crc.hpp>
#include <variant>

namespace millrace::worker {
namespace {

using Crc32c = boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true>;

std::string hex_of(std::span<const unsigned char> bytes) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const unsigned char byte : bytes) {
        text += kDigits[byte >> 4];
        text += kDigits[byte & 15];
    }
    return text;
}

// Of libcrypto, by the names that AIStore uses too. Some machines are set up to compute only some of them: hex() is empty then.
class LibraryDigest {
public:
    explicit LibraryDigest(const std::string& kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        const EVP_MD* digest = EVP_get_digestbyname(kind.c_str());
        works_ = context_ && digest != nullptr && EVP_DigestInit_ex(context_.get(), digest, nullptr) == 1;
    }
    void update(std::span<const std::byte> bytes) { works_ = works_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1; }
    std::string hex() {
        std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
        unsigned int count = 0;
        if (!works_ || EVP_DigestFinal_ex(context_.get(), bytes.data(), &count) != 1) return {};
        return hex_of(std::span(bytes).first(count));
    }

private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
    bool works_ = false;
};

class Crc32cDigest {
public:
    void update(std::span<const std::byte> bytes) { crc_.process_bytes(bytes.data(), bytes.size()); }
    std::string hex() const {
        const std::uint32_t value = crc_.checksum();
        const std::array<unsigned char, 4> bytes{static_cast<unsigned char>(value >> 24), static_cast<unsigned char>(value >> 16),
                                                 static_cast<unsigned char>(value >> 8), static_cast<unsigned char>(value)};
        return hex_of(bytes);
    }

private:
    Crc32c crc_;
};

}  // namespace

class CheckedBody::Running {
public:
    explicit Running(const std::string& kind) {
        if (kind != "crc32c") digest_.emplace<LibraryDigest>(kind);
    }
    void update(std::span<const std::byte> bytes) {
        std::visit([bytes](auto& digest) { digest.update(bytes); }, digest_);
    }
    std::string hex() {
        return std::visit([](auto& digest) { return digest.hex(); }, digest_);
    }

private:
    std::variant<Crc32cDigest, LibraryDigest> digest_;
};

CheckedBody::CheckedBody(Source& body, const std::optional<ExpectedContent::Digest>& digest) : body_(body), digest_(digest) {
    if (digest_) running_ = std::make_unique<Running>(digest_->kind);
}

CheckedBody::~CheckedBody() = default;

Task<Result<std::size_t>> CheckedBody::read(std::span<std::byte> buffer) {
    MILLRACE_CO_TRY_ASSIGN(const std::size_t count, co_await body_.read(buffer));
    if (!running_) co_return count;
    running_->update(buffer.first(count));
    if (count == 0) MILLRACE_CO_TRY(compare());
    co_return count;
}

Result<void> CheckedBody::compare() {
    const std::string found = running_->hex();
    running_.reset();
    if (found == digest_->hex) return {};
    if (found.empty()) return fail(Code::invalid_argument, "this machine's OpenSSL does not compute " + digest_->kind + "; send xxhash2");
    return fail(Code::checksum_mismatch, "the content has the " + digest_->kind + " " + found + " instead of " + digest_->hex + "; send it again");
}

}  // namespace millrace::worker
