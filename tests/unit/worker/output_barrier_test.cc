#include "worker/remote_outputs.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

TEST(RemoteOutputs, BarrierAsksForTheProcessesThatTookSome) {
    RemoteOutputs outputs;
    EXPECT_TRUE(outputs.took("t-a", "b-1"));
    EXPECT_TRUE(outputs.took("t-a", "b-1"));
    EXPECT_TRUE(outputs.took("t-b", "b-2"));
    EXPECT_EQ(outputs.begin_barrier(), (RemoteOutputs::ByTarget{{"t-a", "b-1"}, {"t-b", "b-2"}}));
    outputs.end_barrier(true);
    EXPECT_TRUE(outputs.begin_barrier().empty());
}

TEST(RemoteOutputs, TargetThatStartedAnewInBetweenIsNoticed) {
    RemoteOutputs outputs;
    EXPECT_TRUE(outputs.took("t-a", "b-1"));
    EXPECT_FALSE(outputs.took("t-a", "b-2"));
    EXPECT_EQ(outputs.begin_barrier().at("t-a"), "b-1");
}

TEST(RemoteOutputs, FailedBarrierKeepsTheOlderProcessOverTheNewer) {
    RemoteOutputs outputs;
    outputs.took("t-a", "b-1");
    outputs.begin_barrier();
    EXPECT_TRUE(outputs.took("t-a", "b-2")) << "while the barrier runs the target is started anew";
    outputs.took("t-b", "b-3");
    outputs.end_barrier(false);
    EXPECT_EQ(outputs.begin_barrier(), (RemoteOutputs::ByTarget{{"t-a", "b-1"}, {"t-b", "b-3"}}));
}

TEST(RemoteOutputs, WhatIsTakenDuringABarrierIsForTheNext) {
    RemoteOutputs outputs;
    outputs.took("t-a", "b-1");
    outputs.begin_barrier();
    outputs.took("t-a", "b-1");
    outputs.end_barrier(true);
    EXPECT_EQ(outputs.begin_barrier().at("t-a"), "b-1");
}

TEST(RemoteOutputs, AfterARewindNothingIsAskedFor) {
    RemoteOutputs outputs;
    outputs.took("t-a", "b-1");
    outputs.begin_barrier();
    outputs.took("t-a", "b-2");
    outputs.end_barrier(false);
    outputs.clear();
    EXPECT_TRUE(outputs.begin_barrier().empty());
    EXPECT_TRUE(outputs.took("t-a", "b-2"));
}

}  // namespace
}  // namespace millrace::worker
