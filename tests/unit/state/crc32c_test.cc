#include "state/crc32c.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <random>
#include <string>

namespace {

// Bit by bit, as it is defined.
std::uint32_t defined(std::string_view bytes) {
    std::uint32_t state = ~0u;
    for (const char byte : bytes) {
        state ^= static_cast<unsigned char>(byte);
        for (int bit = 0; bit < 8; ++bit) state = (state >> 1) ^ ((state & 1) != 0 ? 0x82f63b78u : 0u);
    }
    return ~state;
}

std::uint32_t extended(std::uint32_t checksum, std::string_view bytes) { return rocksdb::crc32c::Extend(checksum, bytes.data(), bytes.size()); }

// RFC 3720, appendix B.4.
TEST(Crc32c, OfKnownBytes) {
    EXPECT_EQ(extended(0, ""), 0u);
    EXPECT_EQ(extended(0, "123456789"), 0xe3069283u);
    EXPECT_EQ(extended(0, std::string(32, '\0')), 0x8a9136aau);
    EXPECT_EQ(extended(0, std::string(32, '\xff')), 0x62a8ab43u);
}

TEST(Crc32c, OfAnyLengthFromAnyAddressInAnyParts) {
    std::mt19937 randomness(1);
    std::string bytes(300, '\0');
    for (char& byte : bytes) byte = static_cast<char>(randomness());
    for (std::size_t first = 0; first < 16; ++first) {
        for (std::size_t length = 0; first + length <= bytes.size(); length += 7) {
            const std::string_view whole = std::string_view(bytes).substr(first, length);
            EXPECT_EQ(extended(0, whole), defined(whole));
            EXPECT_EQ(extended(extended(0, whole.substr(0, length / 3)), whole.substr(length / 3)), defined(whole));
            EXPECT_EQ(millrace::state::crc32c_by_table(extended(0, whole.substr(0, length / 3)), whole.data() + length / 3, length - length / 3),
                      defined(whole));
        }
    }
}

#ifdef __x86_64__
// Else it would be dead code.
TEST(Crc32c, IsWhatTheLibraryCalls) {
    const void* found = ::dlsym(RTLD_DEFAULT, "_ZN7rocksdb6crc32c6ExtendEjPKcm");
    EXPECT_EQ(found, reinterpret_cast<const void*>(&rocksdb::crc32c::Extend));
}
#endif

}  // namespace
