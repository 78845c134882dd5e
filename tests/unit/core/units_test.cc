#include "core/units.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

TEST(Units, DurationsAreReadInGosSyntax) {
    EXPECT_EQ(*parse_duration("500ms"), milliseconds(500));
    EXPECT_EQ(*parse_duration("10s"), milliseconds(10'000));
    EXPECT_EQ(*parse_duration("1m30s"), milliseconds(90'000));
    EXPECT_EQ(*parse_duration("1.5h"), milliseconds(5'400'000));
    EXPECT_EQ(*parse_duration("0"), milliseconds(0));
    EXPECT_EQ(*parse_duration("0s"), milliseconds(0));
}

TEST(Units, FractionsOfASecondAreRoundedToTheNearestMillisecond) {
    EXPECT_EQ(*parse_duration("1.001s"), milliseconds(1001));
    EXPECT_EQ(*parse_duration("4.35s"), milliseconds(4350));
}

TEST(Units, WhatIsNoDurationIsRefused) {
    for (const char* text : {"", "10", "s", "-1s", "1x", "10 s", "1s ", "1e3s", "nans", "nan", "infs", "1ms2", "99999999999h"}) {
        const auto parsed = parse_duration(text);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Code::invalid_argument);
    }
}

TEST(Units, DurationTextReadsBack) {
    EXPECT_EQ(duration_text(milliseconds(90'000)), "1m30s");
    EXPECT_EQ(duration_text(milliseconds(250)), "250ms");
    EXPECT_EQ(duration_text(milliseconds(0)), "0s");
    EXPECT_EQ(duration_text(milliseconds(3'600'001)), "1h1ms");
    std::mt19937_64 random(1);
    for (int i = 0; i < 1000; ++i) {
        const milliseconds value(static_cast<std::int64_t>(random() % 1'000'000'000));
        EXPECT_EQ(*parse_duration(duration_text(value)), value);
    }
}

TEST(Units, SizesAreDecimalOrBinary) {
    EXPECT_EQ(*parse_size("1048576"), 1048576u);
    EXPECT_EQ(*parse_size("64KiB"), 65536u);
    EXPECT_EQ(*parse_size("64Ki"), 65536u);
    EXPECT_EQ(*parse_size("64K"), 64000u);
    EXPECT_EQ(*parse_size("1GB"), 1'000'000'000u);
    EXPECT_EQ(*parse_size("2TiB"), 2ull << 40);
    EXPECT_EQ(*parse_size("0"), 0u);
}

TEST(Units, WhatIsNoSizeIsRefused) {
    for (const char* text : {"", "K", "-1", "1.5K", "1 K", "1KiBs", "18446744073709551616", "18446744073709551615K", "0x10"}) {
        EXPECT_FALSE(parse_size(text)) << text;
    }
}

TEST(Units, SizesForPeople) {
    EXPECT_EQ(size_text(312), "312 B");
    EXPECT_EQ(size_text(1536), "1.5 KiB");
    EXPECT_EQ(size_text(1ull << 20), "1.0 MiB");
    EXPECT_EQ(size_text(5ull << 50), "5120.0 TiB");
}

}  // namespace
}  // namespace millrace
