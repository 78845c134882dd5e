// Time: a monotonic instant for decisions (pure machines are handed `now`), wall-clock nanoseconds for records.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>

namespace millrace {

using Instant = std::chrono::steady_clock::time_point;
using Duration = std::chrono::steady_clock::duration;
using std::chrono::milliseconds;

inline Instant steady_now() { return std::chrono::steady_clock::now(); }

// Nanoseconds since 1970, UTC.
std::int64_t unix_now_ns();
// RFC 3339 with milliseconds in UTC, e.g. "2026-01-31T23:59:59.123Z"; "" for 0.
std::string rfc3339(std::int64_t unix_ns);

}  // namespace millrace
