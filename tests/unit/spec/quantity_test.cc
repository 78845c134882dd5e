#include "spec/quantity.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::spec {
namespace {

TEST(Quantity, Processors) {
    const std::pair<const char*, std::uint32_t> quantities[] = {{"500m", 500}, {"2", 2000}, {"0.5", 500},     {"0", 0},     {".1", 100},
                                                                {"1.5", 1500}, {"1m", 1},   {"0.0001", 1},    {"1e1", 10'000}, {"0.001", 1},
                                                                {"+1", 1000},  {"1k", 1'000'000}};
    for (const auto& [text, millis] : quantities) EXPECT_EQ(parse_cpu_quantity(text).value_or(77), millis) << text;
}

TEST(Quantity, Memory) {
    const std::pair<const char*, std::uint64_t> quantities[] = {
        {"64Mi", 64ull << 20}, {"1Gi", 1ull << 30}, {"128M", 128'000'000}, {"1048576", 1048576}, {"1.5Gi", 3ull << 29}, {"129e6", 129'000'000},
        {"2k", 2000},          {"3Ki", 3072},       {"1T", 1'000'000'000'000}, {"1Ti", 1ull << 40}, {"1500m", 2},       {"1E", 1'000'000'000'000'000'000}};
    for (const auto& [text, bytes] : quantities) EXPECT_EQ(parse_memory_quantity(text).value_or(77), bytes) << text;
}

TEST(Quantity, AnythingElseIsRefused) {
    for (const std::string text : {"", "m", "-1", "-0", "64MiB", "64 Mi", "1K", "nan", "inf", "1e999", "0x10", "1,5", "+-1", "64Mi "}) {
        EXPECT_FALSE(parse_cpu_quantity(text).has_value()) << text;
        EXPECT_FALSE(parse_memory_quantity(text).has_value()) << text;
    }
    EXPECT_FALSE(parse_cpu_quantity("1001").has_value());
    EXPECT_FALSE(parse_memory_quantity("100E").has_value());
}

}  // namespace
}  // namespace millrace::spec
