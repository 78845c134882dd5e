#include "state/crc32c.h"

#include <array>

#ifdef __x86_64__
#include <nmmintrin.h>

#include <cstring>
#endif

namespace millrace::state {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    constexpr std::uint32_t kReversedPolynomial = 0x82f63b78;
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? kReversedPolynomial : 0);
        table[byte] = value;
    }
    return table;
}

}  // namespace

// Neither is instrumented, like the rest of RocksDB: the thread sanitizer does not see how that hands its buffers over.
__attribute__((no_sanitize("thread"))) std::uint32_t crc32c_by_table(std::uint32_t checksum, const char* data, std::size_t bytes) {
    static constexpr std::array<std::uint32_t, 256> kTable = make_table();
    std::uint32_t state = ~checksum;
    for (; bytes > 0; ++data, --bytes) state = (state >> 8) ^ kTable[(state ^ static_cast<unsigned char>(*data)) & 0xff];
    return ~state;
}

}  // namespace millrace::state

#ifdef __x86_64__
namespace rocksdb::crc32c {
namespace {

__attribute__((target("sse4.2"), no_sanitize("thread"))) std::uint32_t by_instruction(std::uint32_t checksum, const char* data, std::size_t bytes) {
    std::uint64_t wide = static_cast<std::uint32_t>(~checksum);
    for (; bytes >= sizeof wide; data += sizeof wide, bytes -= sizeof wide) {
        std::uint64_t eight = 0;
        std::memcpy(&eight, data, sizeof eight);
        wide = _mm_crc32_u64(wide, eight);
    }
    auto narrow = static_cast<std::uint32_t>(wide);
    for (; bytes > 0; ++data, --bytes) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*data));
    return ~narrow;
}

}  // namespace

std::uint32_t Extend(std::uint32_t checksum, const char* data, std::size_t bytes) {
    static const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
    return has_instruction ? by_instruction(checksum, data, bytes) : millrace::state::crc32c_by_table(checksum, data, bytes);
}

}  // namespace rocksdb::crc32c
#endif
