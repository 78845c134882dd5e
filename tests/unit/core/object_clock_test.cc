#include "core/object_clock.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using std::chrono::seconds;

struct ObjectClockTest : ::testing::Test {
    Instant at(int s) const { return begin + seconds(s); }
    bool is_up(int s) const { return clock.deadline(at(s)) <= at(s); }

    const Instant begin = Instant{} + std::chrono::hours(1);
    ObjectClock clock{seconds(10), begin};
};

TEST_F(ObjectClockTest, IsUpWhenNothingMovesForTheTimeAllowed) {
    EXPECT_FALSE(is_up(9));
    EXPECT_TRUE(is_up(10));
}

TEST_F(ObjectClockTest, EachByteLetsItBeginAnew) {
    clock.took(1, at(8));
    EXPECT_FALSE(is_up(17));
    clock.gave(1, at(17));
    EXPECT_FALSE(is_up(26));
    EXPECT_TRUE(is_up(27));
}

TEST_F(ObjectClockTest, WhatWasTakenMayBeThoughtAboutASecondForEachMebibyte) {
    clock.took(700 << 20, at(1));
    EXPECT_FALSE(is_up(710));
    EXPECT_TRUE(is_up(711));
    EXPECT_EQ(clock.allowed(), seconds(710));
}

TEST_F(ObjectClockTest, StandsStillWhileOthersAreWaitedFor) {
    clock.pause(at(5));
    clock.pause(at(6));
    EXPECT_FALSE(is_up(3600));
    EXPECT_GT(clock.deadline(at(3600)), at(3600));
    clock.resume(at(3600));
    EXPECT_FALSE(is_up(7200));  // the other one still does
    clock.resume(at(7200));
    EXPECT_FALSE(is_up(7209));
    EXPECT_TRUE(is_up(7210));
}

TEST_F(ObjectClockTest, WhatMovesForEverIsBounded) {
    int s = 0;
    while (!is_up(s) && s < 1000) clock.gave(1 << 20, at(s++));
    EXPECT_EQ(s, 100);
}

TEST_F(ObjectClockTest, WaitingForOthersIsNotPartOfTheBound) {
    for (int s = 0; s < 1000; ++s) {
        clock.pause(at(s));
        clock.resume(at(s) + milliseconds(950));
        EXPECT_FALSE(is_up(s + 1));
    }
}

TEST_F(ObjectClockTest, LooksAgainInTimeWhenLittleIsLeft) {
    for (int s = 0; s < 100; ++s) clock.gave(1, at(s));
    clock.pause(at(100));
    EXPECT_GE(clock.deadline(at(101)), at(101) + milliseconds(100));
}

TEST_F(ObjectClockTest, ATurnThatComesLateStartsItAgain) {
    clock.took(1, at(5));
    clock.restart(at(1000));
    EXPECT_FALSE(is_up(1009));
    EXPECT_TRUE(is_up(1010));
}

}  // namespace
}  // namespace millrace
