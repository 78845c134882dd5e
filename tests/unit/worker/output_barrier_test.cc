#include "worker/output_barrier.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using ByTarget = OutputBarrier::ByTarget;

TEST(OutputBarrier, AsksForTheProcessesThatTookSome) {
    OutputBarrier barrier;
    barrier.took("t-a", "b-1");
    barrier.took("t-a", "b-1");
    barrier.took("t-b", "b-2");
    EXPECT_EQ(barrier.begin(), (ByTarget{{"t-a", "b-1"}, {"t-b", "b-2"}}));
    EXPECT_TRUE(barrier.answered("t-a", "b-1"));
    barrier.end(true);
    EXPECT_TRUE(barrier.begin().empty());
    EXPECT_FALSE(barrier.must_rewind());
}

TEST(OutputBarrier, ATargetThatStartedAnewBetweenTwoOutputsIsNoticed) {
    OutputBarrier barrier;
    barrier.took("t-a", "b-1");
    barrier.took("t-a", "b-2");
    EXPECT_TRUE(barrier.must_rewind());
    EXPECT_EQ(barrier.begin().at("t-a"), "b-1");
}

TEST(OutputBarrier, AnAnswerOfAnotherProcessIsNone) {
    OutputBarrier barrier;
    barrier.took("t-a", "b-1");
    (void)barrier.begin();
    const Result<void> answered = barrier.answered("t-a", "b-2");
    ASSERT_FALSE(answered);
    EXPECT_EQ(answered.error().code, Code::unavailable);
    EXPECT_TRUE(barrier.must_rewind());
}

TEST(OutputBarrier, AFailedOneKeepsTheOlderProcessOverTheNewer) {
    OutputBarrier barrier;
    barrier.took("t-a", "b-1");
    (void)barrier.begin();
    barrier.took("t-a", "b-2");
    EXPECT_FALSE(barrier.must_rewind()) << "while the barrier runs the target is started anew";
    barrier.took("t-b", "b-3");
    barrier.end(false);
    EXPECT_EQ(barrier.begin(), (ByTarget{{"t-a", "b-1"}, {"t-b", "b-3"}}));
}

TEST(OutputBarrier, WhatIsTakenDuringOneIsForTheNext) {
    OutputBarrier barrier;
    barrier.took("t-a", "b-1");
    (void)barrier.begin();
    barrier.took("t-a", "b-1");
    barrier.end(true);
    EXPECT_EQ(barrier.begin().at("t-a"), "b-1");
}

TEST(OutputBarrier, AfterARewindNothingIsAskedFor) {
    OutputBarrier barrier;
    barrier.took("t-a", "b-1");
    (void)barrier.begin();
    (void)barrier.answered("t-a", "b-2");
    barrier.end(false);
    barrier.rewound();
    EXPECT_FALSE(barrier.must_rewind());
    EXPECT_TRUE(barrier.begin().empty());
    barrier.took("t-a", "b-2");
    EXPECT_FALSE(barrier.must_rewind());
}

}  // namespace
}  // namespace millrace::worker
