// Durations and sizes as people write them: "10s", "1m30s", "500ms"; "64KiB", "1GB", "1048576". Pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/clock.h"
#include "core/result.h"

namespace millrace {

// Go's duration syntax with ms, s, m, h (AIStore's specifications use it). Not negative.
Result<milliseconds> parse_duration(std::string_view text);
// The shortest text that parse_duration reads back: "1m30s", "250ms", "0s".
std::string duration_text(milliseconds value);
// Bytes. K, M, G, T and Ki, Mi, Gi, Ti, each with or without B; a bare number is bytes.
Result<std::uint64_t> parse_size(std::string_view text);
// For people: "1.5 MiB", "312 B".
std::string size_text(std::uint64_t bytes);

}  // namespace millrace
