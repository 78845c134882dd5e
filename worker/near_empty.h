// When a result has so little in it that somebody should look: several filters end well and write nothing. Pure.
#pragma once
#include <cstdint>

namespace millrace::worker {

inline constexpr std::uint64_t kLargeObjectBytesMin = 64 * 1024;  // of this size, and larger, a result is expected to have some, too
inline constexpr std::uint64_t kShrinkMax = 1000;

// Nothing, of an object that is not empty itself; or less than a thousandth of a large one. A transform that counts or sums up
// makes such results on purpose.
inline bool is_near_empty(std::uint64_t bytes_in, std::uint64_t bytes_out) {
    if (bytes_in > 0 && bytes_out == 0) return true;
    return bytes_in >= kLargeObjectBytesMin && bytes_out < bytes_in / kShrinkMax;
}

}  // namespace millrace::worker
