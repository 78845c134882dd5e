#include "spec/quantity.h"

#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace millrace::spec {
namespace {

constexpr std::uint32_t kCpuMillisMax = 1'000'000;
constexpr double kMemoryBytesMax = 9e18;

// Doubles carry 53 bits: exact for every amount of memory below 8 PiB.
std::optional<double> parse_quantity(std::string_view text) {
    static constexpr std::array<std::pair<std::string_view, double>, 14> kUnits{{
        {"", 1}, {"m", 1e-3}, {"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}, {"P", 1e15}, {"E", 1e18},
        {"Ki", 1024.0}, {"Mi", 1048576.0}, {"Gi", 1073741824.0}, {"Ti", 1099511627776.0}, {"Pi", 0x1p50}, {"Ei", 0x1p60},
    }};
    double number = 0;
    if (text.starts_with('+')) text.remove_prefix(1);
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::general);
    if (parsed.ec != std::errc{} || !std::isfinite(number) || std::signbit(number)) return std::nullopt;
    const std::string_view unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
    for (const auto& [name, factor] : kUnits) {
        if (unit == name) return number * factor;
    }
    return std::nullopt;
}

}  // namespace

Result<std::uint32_t> parse_cpu_quantity(std::string_view text) {
    const std::optional<double> processors = parse_quantity(text);
    // 0.001 is no double: what is a hair above a whole number of thousandths is that number.
    const double millis = processors ? std::ceil(*processors * 1000 - 1e-6) : -1;
    if (!(millis >= 0) || millis > kCpuMillisMax) {
        return fail(Code::invalid_argument, "'" + std::string(text) + "' is not a number of processors such as 500m, 0.5 or 2 (at most 1000)");
    }
    return static_cast<std::uint32_t>(millis);
}

Result<std::uint64_t> parse_memory_quantity(std::string_view text) {
    const std::optional<double> bytes = parse_quantity(text);
    if (!bytes || *bytes > kMemoryBytesMax) {
        return fail(Code::invalid_argument, "'" + std::string(text) + "' is not an amount of memory such as 64Mi, 1.5Gi, 128M or 1048576");
    }
    return static_cast<std::uint64_t>(std::ceil(*bytes));
}

}  // namespace millrace::spec
