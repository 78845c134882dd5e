#include "core/hash.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <cinttypes>
#include <cstdio>

namespace millrace {

std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed) { return XXH64(bytes.data(), bytes.size(), seed); }

struct Checksum::State {
    XXH64_state_t xxh;
};

Checksum::Checksum() : state_(std::make_unique<State>()) { XXH64_reset(&state_->xxh, 0); }
Checksum::~Checksum() = default;
Checksum::Checksum(Checksum&&) noexcept = default;
Checksum& Checksum::operator=(Checksum&&) noexcept = default;

void Checksum::update(std::span<const std::byte> bytes) { XXH64_update(&state_->xxh, bytes.data(), bytes.size()); }
std::uint64_t Checksum::value() const { return XXH64_digest(&state_->xxh); }

std::string checksum_text(std::uint64_t value) {
    char text[17];
    std::snprintf(text, sizeof text, "%016" PRIx64, value);
    return text;
}

}  // namespace millrace
