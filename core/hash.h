// XXH64: object checksums (AIStore's "xxhash2") and rendezvous weights.
#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace millrace {

std::uint64_t xxh64(std::string_view bytes, std::uint64_t seed = 0);

// A running XXH64 with seed 0.
class Checksum {
public:
    Checksum();
    ~Checksum();
    Checksum(Checksum&&) noexcept;
    Checksum& operator=(Checksum&&) noexcept;

    void update(std::span<const std::byte> bytes);
    std::uint64_t value() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

// 16 lower-case hex digits, most significant first.
std::string checksum_text(std::uint64_t value);

}  // namespace millrace
