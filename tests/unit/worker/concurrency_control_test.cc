#include "worker/concurrency_control.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

namespace millrace::worker {
namespace {

const Instant kStart = Instant{} + std::chrono::hours(1);

// A transform whose throughput grows up to `best` objects at once and then no more. Each object takes 20 ms.
class Transform {
public:
    explicit Transform(double best) : best_(best) {}

    void run(ConcurrencyControl& control, Duration duration) {
        const Instant end = now_ + duration;
        while (now_ < end) {
            const double rate = std::min<double>(control.limit(), best_) / 0.020;
            now_ += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1.0 / rate));
            control.succeeded(now_);
        }
    }

    Instant now() const { return now_; }

private:
    double best_;
    Instant now_ = kStart;
};

TEST(ConcurrencyControl, StaysBetweenFloorAndCeiling) {
    EXPECT_EQ(ConcurrencyControl(2, 1, 8).limit(), 2u);
    EXPECT_EQ(ConcurrencyControl(2, 100, 8).limit(), 8u);
    EXPECT_EQ(ConcurrencyControl(0, 0, 0).limit(), 1u) << "never none";
    EXPECT_EQ(ConcurrencyControl(8, 8, 2).limit(), 8u);
}

TEST(ConcurrencyControl, IsFixedWhenFloorAndCeilingAreTheSame) {
    ConcurrencyControl control(5, 5, 5);
    Transform transform(100);
    transform.run(control, std::chrono::seconds(10));
    EXPECT_EQ(control.limit(), 5u);
    control.overloaded(transform.now());
    EXPECT_EQ(control.limit(), 5u);
}

TEST(ConcurrencyControl, ClimbsWhileThatBringsThroughput) {
    ConcurrencyControl control(1, 2, 32);
    Transform transform(24);
    transform.run(control, std::chrono::seconds(60));
    EXPECT_GE(control.limit(), 16u);
}

TEST(ConcurrencyControl, DoesNotRunAwayWhenMoreBringsNothing) {
    ConcurrencyControl control(1, 2, 32);
    Transform transform(4);
    std::uint32_t most = 0;
    for (int i = 0; i < 100; ++i) {
        transform.run(control, milliseconds(500));
        most = std::max(most, control.limit());
    }
    EXPECT_LE(most, 8u);
    EXPECT_GE(control.limit(), 2u);
}

TEST(ConcurrencyControl, DoublesAtFirst) {
    ConcurrencyControl control(1, 4, 64);
    Transform transform(64);
    transform.run(control, milliseconds(1000));
    EXPECT_EQ(control.limit(), 64u);
}

// Each doubling brings a tenth, each small step next to nothing: what saves a little for every object that runs beside another.
TEST(ConcurrencyControl, StaysWhereManySmallStepsPay) {
    ConcurrencyControl control(1, 4, 64);
    Instant now = kStart;
    std::uint32_t least = 64;
    for (int i = 0; i < 200'000; ++i) {
        const double rate = 5000 * std::pow(1.1, std::log2(control.limit()));
        now += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(1.0 / rate));
        control.succeeded(now);
        if (i > 10'000) least = std::min(least, control.limit());
    }
    EXPECT_GE(least, 40u);
}

TEST(ConcurrencyControl, HalvesOnOverloadButNotTwiceAtOnce) {
    ConcurrencyControl control(1, 16, 32);
    control.overloaded(kStart);
    EXPECT_EQ(control.limit(), 8u);
    for (int i = 0; i < 10; ++i) control.overloaded(kStart + milliseconds(10 * i));
    EXPECT_EQ(control.limit(), 8u) << "all of one burst";
    control.overloaded(kStart + milliseconds(1000));
    EXPECT_EQ(control.limit(), 4u);
    for (int i = 2; i < 10; ++i) control.overloaded(kStart + milliseconds(1000 * i));
    EXPECT_EQ(control.limit(), 1u);
}

TEST(ConcurrencyControl, RecoversAfterAnOverload) {
    ConcurrencyControl control(1, 16, 16);
    Transform transform(16);
    transform.run(control, milliseconds(100));
    control.overloaded(transform.now());
    ASSERT_EQ(control.limit(), 8u);
    transform.run(control, std::chrono::seconds(30));
    EXPECT_GE(control.limit(), 12u);
}

}  // namespace
}  // namespace millrace::worker
