#include "scheduler/progress_rate.h"

#include <gtest/gtest.h>

namespace millrace::scheduler {
namespace {

const Instant kStart = Instant{} + std::chrono::hours(1);

TEST(ProgressRate, NeedsTwoSamples) {
    ProgressRate rate;
    EXPECT_EQ(rate.objects_per_second(), 0);
    rate.observe(10, 1000, kStart);
    EXPECT_EQ(rate.objects_per_second(), 0);
    EXPECT_EQ(rate.seconds_left(5, 500), std::nullopt);
    EXPECT_EQ(rate.seconds_left(0, 0), 0);
}

TEST(ProgressRate, IsWhatHappenedPerSecond) {
    ProgressRate rate;
    for (std::uint64_t second = 0; second <= 5; ++second) rate.observe(second * 20, second * 2000, kStart + std::chrono::seconds(second));
    EXPECT_DOUBLE_EQ(rate.objects_per_second(), 20);
    EXPECT_DOUBLE_EQ(rate.bytes_per_second(), 2000);
}

TEST(ProgressRate, TheSlowerOfObjectsAndBytesDecides) {
    ProgressRate rate;
    rate.observe(0, 0, kStart);
    rate.observe(100, 1000, kStart + std::chrono::seconds(1));
    EXPECT_DOUBLE_EQ(*rate.seconds_left(200, 10), 2);
    EXPECT_DOUBLE_EQ(*rate.seconds_left(1, 10'000), 10);
}

TEST(ProgressRate, WithoutBytesObjectsDecide) {
    ProgressRate rate;
    rate.observe(0, 0, kStart);
    rate.observe(10, 0, kStart + std::chrono::seconds(1));
    EXPECT_DOUBLE_EQ(*rate.seconds_left(20, 5000), 2);
}

TEST(ProgressRate, ForgetsWhatIsLongAgo) {
    ProgressRate rate;
    rate.observe(0, 0, kStart);
    for (int i = 0; i <= 40; ++i) rate.observe(100'000 + static_cast<std::uint64_t>(i), 0, kStart + std::chrono::seconds(60 + i));
    EXPECT_NEAR(rate.objects_per_second(), 1, 0.2);
}

TEST(ProgressRate, ARetryStartsAnew) {
    ProgressRate rate;
    rate.observe(0, 0, kStart);
    rate.observe(100, 1000, kStart + std::chrono::seconds(1));
    rate.observe(50, 1000, kStart + std::chrono::seconds(2));
    EXPECT_EQ(rate.objects_per_second(), 0);
}

TEST(ProgressRate, ManyObservationsAMomentApartAreOneSample) {
    ProgressRate rate;
    for (std::uint64_t ms = 0; ms <= 2000; ++ms) rate.observe(ms, ms, kStart + milliseconds(ms));
    EXPECT_NEAR(rate.objects_per_second(), 1000, 1);
}

}  // namespace
}  // namespace millrace::scheduler
