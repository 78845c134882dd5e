#include "core/units.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

namespace millrace {

Result<milliseconds> parse_duration(std::string_view text) {
    const Error bad = fail(Code::invalid_argument, "'" + std::string(text) + "' is not a duration such as 500ms, 10s or 1m30s");
    if (text == "0") return milliseconds(0);
    if (text.empty()) return bad;
    double total_ms = 0;
    while (!text.empty()) {
        double number = 0;
        const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
        if (parsed.ec != std::errc{} || number < 0) return bad;
        text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
        double unit_ms = 0;
        std::size_t unit_length = 1;
        if (text.starts_with("ms")) {
            unit_ms = 1;
            unit_length = 2;
        } else if (text.starts_with("s")) {
            unit_ms = 1000;
        } else if (text.starts_with("m")) {
            unit_ms = 60'000;
        } else if (text.starts_with("h")) {
            unit_ms = 3'600'000;
        } else if (text.starts_with("d")) {
            unit_ms = 86'400'000;
        } else {
            return bad;
        }
        text.remove_prefix(unit_length);
        total_ms += number * unit_ms;
    }
    if (!(total_ms <= 1e12)) return bad;  // "nan" is a number to from_chars
    return milliseconds(std::llround(total_ms));
}

std::string duration_text(milliseconds value) {
    std::int64_t ms = value.count();
    if (ms == 0) return "0s";
    std::string text;
    const auto take = [&](std::int64_t unit, const char* name) {
        if (ms >= unit) text += std::to_string(ms / unit) + name;
        ms %= unit;
    };
    take(3'600'000, "h");
    take(60'000, "m");
    take(1000, "s");
    take(1, "ms");
    return text;
}

Result<std::uint64_t> parse_size(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, std::uint64_t>, 19> kUnits{{
        {"", 1}, {"B", 1}, {"K", 1000}, {"KB", 1000}, {"Ki", 1ull << 10}, {"KiB", 1ull << 10}, {"k", 1000},
        {"M", 1000'000}, {"MB", 1000'000}, {"Mi", 1ull << 20}, {"MiB", 1ull << 20},
        {"G", 1000'000'000}, {"GB", 1000'000'000}, {"Gi", 1ull << 30}, {"GiB", 1ull << 30},
        {"T", 1000'000'000'000}, {"TB", 1000'000'000'000}, {"Ti", 1ull << 40}, {"TiB", 1ull << 40},
    }};
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    const std::string_view unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
    if (parsed.ec == std::errc{}) {
        for (const auto& [name, factor] : kUnits) {
            if (unit == name && number <= std::numeric_limits<std::uint64_t>::max() / factor) return number * factor;
        }
    }
    return fail(Code::invalid_argument, "'" + std::string(text) + "' is not a size such as 4096, 64KiB or 1GB");
}

std::string size_text(std::uint64_t bytes) {
    static constexpr std::array<const char*, 5> kUnits{"B", "KiB", "MiB", "GiB", "TiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
    return text;
}

}  // namespace millrace
