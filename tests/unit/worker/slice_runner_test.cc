// A slice at work, in simulated time.
#include <gmock/gmock.h>

#include "tests/unit/worker/runner_fixture.h"

namespace millrace::worker {
namespace {

using testing::HasSubstr;

class Runner : public RunnerFixture {};

TEST_F(Runner, IsFinishedWhenEveryObjectIsSettledAndThatIsWrittenDown) {
    start();
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(status_.counters.bytes_in, 7 * kObjects);
    EXPECT_EQ(status_.counters, written_down());
    EXPECT_EQ(objects_.runs.size(), kObjects);
    EXPECT_EQ(most_runs(), 1);
}

TEST_F(Runner, WhatWasStoredAfterTheSubmitIsNotPartOfIt) {
    order_.created_seq_end -= 3;
    start();
    run_for(seconds(5));
    EXPECT_EQ(status_.counters.done, kObjects - 3);
    EXPECT_EQ(objects_.runs.size(), kObjects - 3);
}

TEST_F(Runner, WaitsForItsTransformAndSaysWhy) {
    transform_.state = fail(Code::unavailable, "transform 'to-wav' is starting");
    start();
    run_for(seconds(2));
    EXPECT_NE(status_.state, SliceState::running);
    EXPECT_THAT(status_.reason, HasSubstr("is starting"));
    EXPECT_TRUE(objects_.runs.empty());
    transform_.state = {};
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished) << "it looks again by itself";
}

TEST_F(Runner, ATransformThatWasGivenUpFailsTheSlice) {
    transform_.state = fail(Code::conflict, "transform 'to-wav' was given up");
    start();
    run_for(seconds(2));
    EXPECT_EQ(status_.state, SliceState::failed);
    EXPECT_THAT(status_.reason, HasSubstr("was given up"));
    transform_.state = {};
    run_for(seconds(2));
    EXPECT_EQ(status_.state, SliceState::failed) << "until somebody orders it again";
}

TEST_F(Runner, WhileCheckpointsFailNothingIsReportedAndNothingRunsTwice) {
    objects_.takes = milliseconds(500);
    start();
    run_for(milliseconds(300));
    disk_.faults.full = true;
    run_for(seconds(20));
    EXPECT_EQ(status_.state, SliceState::stalled);
    EXPECT_THAT(status_.reason, HasSubstr("the disk is full"));
    EXPECT_EQ(status_.counters.done, 0u);
    disk_.faults.full = false;
    run_for(seconds(120));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(most_runs(), 1);
}

TEST_F(Runner, OutputsElsewhereAreAskedForBeforeTheyCount) {
    objects_.result.moved_to = TargetId("t2");
    objects_.result.boot_id = "b-1";
    start();
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_GT(syncs_, 0);
    EXPECT_EQ(most_runs(), 1);
    EXPECT_EQ(status_.counters.bytes_moved, 5 * kObjects);
}

TEST_F(Runner, WhatATargetThatStartedAnewMayHaveLostRunsAgain) {
    objects_.result.moved_to = TargetId("t2");
    objects_.result.boot_id = "b-1";
    boot_id_of_sink_ = "b-2";
    start();
    run_for(seconds(30));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(most_runs(), 2);
}

TEST_F(Runner, APauseInterruptsWhatRunsAndItGoesOnAfterwards) {
    objects_.takes = seconds(10);
    start();
    run_for(milliseconds(500));
    EXPECT_EQ(status_.state, SliceState::running);
    order(Desired::pause);
    run_for(seconds(2));
    EXPECT_EQ(status_.state, SliceState::paused) << "nobody waits ten seconds";
    EXPECT_EQ(status_.revision, 2u);
    EXPECT_EQ(status_.counters.settled(), 0u);
    objects_.takes = milliseconds(2);
    order(Desired::run);
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
}

TEST_F(Runner, ARestartGoesOnFromTheCheckpoint) {
    objects_.takes = seconds(4);
    config_.window_objects_max = 1;
    spec_.num_workers = 1;
    start();
    run_for(seconds(14));
    const SliceCounters before = written_down();
    EXPECT_GT(before.done, 0u);
    EXPECT_LT(before.done, kObjects);
    stop(seconds(5));
    objects_.runs.clear();
    objects_.takes = milliseconds(2);
    ++order_.incarnation;
    start();
    run_for(seconds(20));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(objects_.runs.size(), kObjects - before.done) << "what was settled does not run again";
}

}  // namespace
}  // namespace millrace::worker
