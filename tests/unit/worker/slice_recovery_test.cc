// What a slice makes durable, what it runs again after a restart, and the retry of what failed.
#include "tests/unit/worker/slice_fixture.h"

namespace millrace::worker {
namespace {

class SliceRecoveryTest : public SliceTest {};

// ---- checkpoints

TEST_F(SliceRecoveryTest, ACheckpointIsDueAfterTheIntervalOrEnoughObjects) {
    SliceOptions options = small();
    options.checkpoint_objects_max = 3;
    make_running(options, {"a", "b", "c", "d", "e", "f"});
    start();
    checkpoint();
    EXPECT_FALSE(machine_->checkpoint_due(now_)) << "nothing happened since";
    done("a");
    EXPECT_FALSE(machine_->checkpoint_due(now_));
    EXPECT_TRUE(machine_->checkpoint_due(now_ + options.checkpoint_interval));
    EXPECT_EQ(machine_->next_wakeup(), now_ + options.checkpoint_interval);
    done("b");
    done("c");
    EXPECT_TRUE(machine_->checkpoint_due(now_));
    (void)machine_->begin_checkpoint();
    EXPECT_FALSE(machine_->checkpoint_due(now_ + std::chrono::hours(1))) << "one at a time";
}

TEST_F(SliceRecoveryTest, WhatARetrySettlesAheadStaysWithinTheWindowOverRestarts) {
    SliceOptions options = small();
    options.window_objects_max = 4;
    std::vector<std::string> names;
    for (char c = 'a'; c <= 'p'; ++c) names.emplace_back(1, c);
    make_running(options, names);
    for (Names started = start(); !started.empty(); started = start()) {
        for (const std::string& name : started) rejected(name);
    }
    checkpoint();
    for (int i = 0; i < 5; ++i) {
        restart(Desired::run, 2);
        const Names started = start();
        ASSERT_FALSE(started.empty());
        EXPECT_EQ(started.front(), "a") << "it never gets to an end";
        for (const std::string& name : started) {
            if (name != "a") done(name);
        }
        if (!machine_->checkpoint_due(now_ + options.checkpoint_interval)) continue;
        EXPECT_LE(checkpoint().settled_ahead.size(), options.window_objects_max);
    }
    restart(Desired::run, 2);
    EXPECT_EQ(run_to_end().front(), "a");
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().done, names.size());
}

TEST_F(SliceRecoveryTest, OnlyWhatIsDurableIsAcknowledged) {
    make_running(small(), {"a", "b", "c"});
    start();
    done("a");
    const CheckpointWork work = machine_->begin_checkpoint();
    done("b");
    EXPECT_EQ(machine_->acknowledged().done, 0u);
    machine_->end_checkpoint(true, "", now_);
    EXPECT_EQ(machine_->acknowledged().done, 1u) << "b came after the checkpoint had begun";
    EXPECT_EQ(work.progress.counters.done, 1u);
}

TEST_F(SliceRecoveryTest, ACheckpointThatFailsKeepsItsChangesForTheNext) {
    make_running(small(), {"a", "b", "c"});
    start();
    rejected("a");
    (void)machine_->begin_checkpoint();
    rejected("b");
    machine_->end_checkpoint(false, "the disk is full", now_);
    EXPECT_EQ(machine_->acknowledged().failed, 0u);
    EXPECT_FALSE(machine_->checkpoint_due(now_)) << "after a delay";
    later(stall_delay(1));
    EXPECT_TRUE(machine_->checkpoint_due(now_));
    checkpoint();
    EXPECT_TRUE(ledger_.contains("a"));
    EXPECT_TRUE(ledger_.contains("b"));
    EXPECT_EQ(machine_->acknowledged().failed, 2u);
}

TEST_F(SliceRecoveryTest, NothingStartsWhileCheckpointsFail) {
    make_running(small(), {"a", "b", "c", "d", "e", "f", "g"});
    start();
    (void)machine_->begin_checkpoint();
    machine_->end_checkpoint(false, "the disk is full", now_);
    done("a");  // it was in flight, and does not end the stall
    EXPECT_TRUE(start().empty());
    EXPECT_EQ(machine_->state(), SliceState::stalled);
    EXPECT_EQ(machine_->reason(), "the disk is full");
    for (std::uint32_t failures = 1; failures <= 3; ++failures) {
        EXPECT_EQ(machine_->next_wakeup(), now_ + stall_delay(failures)) << "ever less often";
        later(stall_delay(failures));
        ASSERT_TRUE(machine_->checkpoint_due(now_));
        (void)machine_->begin_checkpoint();
        machine_->end_checkpoint(false, "the disk is full", now_);
    }
    later(stall_delay(4));
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::running);
    EXPECT_EQ(machine_->reason(), "");
    EXPECT_FALSE(start().empty());
}

TEST_F(SliceRecoveryTest, APausedSliceSaysWhyItCannotComeToRest) {
    make_running(small(), {"a", "b", "c", "d", "e"});
    start();
    order(Desired::pause);
    for (const char* name : {"a", "b", "c", "d"}) done(name);
    (void)machine_->begin_checkpoint();
    machine_->end_checkpoint(false, "the disk is full", now_);
    EXPECT_EQ(machine_->state(), SliceState::running);
    EXPECT_EQ(machine_->reason(), "the disk is full");
}

// ---- feeds that take their time

TEST_F(SliceRecoveryTest, TheAnswerToAFeedIsVoidAfterARewind) {
    SliceOptions options = small();
    options.window_objects_max = 2;
    make_running(options, {"a", "b", "c", "d"});
    EXPECT_EQ(start(), (Names{"a", "b"}));
    done("a");
    done("b");
    const auto request = machine_->next_feed(now_);
    ASSERT_TRUE(request);
    EXPECT_EQ(request->after, "b");
    EXPECT_TRUE(machine_->awaits(*request));
    order(Desired::pause);
    EXPECT_TRUE(machine_->awaits(*request)) << "it is of use when the slice goes on";
    order(Desired::run);
    machine_->rewind({});
    EXPECT_FALSE(machine_->awaits(*request));
    EXPECT_EQ(start(), (Names{"a", "b"}));
}

TEST_F(SliceRecoveryTest, TheAnswerToAFeedIsVoidInAnotherPhase) {
    make_running(small(), {"a", "b"});
    const auto request = machine_->next_feed(now_);
    ASSERT_TRUE(request);
    run_to_end();
    checkpoint();
    EXPECT_FALSE(machine_->awaits(*request));
    order(Desired::run, 2);
    EXPECT_FALSE(machine_->awaits(*request));
}

// ---- restarts

TEST_F(SliceRecoveryTest, ARestoredSliceRunsOnlyWhatWasNotDurable) {
    make_running(small(), {"a", "b", "c", "d", "e", "f"});
    start();
    done("a");
    done("c");
    checkpoint();
    done("b");  // not durable
    restart();
    EXPECT_EQ(run_to_end(), (Names{"b", "d", "e", "f"}));
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().done, 6u);
    EXPECT_EQ(machine_->state(), SliceState::finished);
}

TEST_F(SliceRecoveryTest, WhatWasSettledAheadStaysSettledWhenItIsDeleted) {
    make_running(small(), {"a", "b", "c"});
    start();
    done("b");
    checkpoint();
    names_.erase("b");
    restart();
    EXPECT_EQ(run_to_end(), (Names{"a", "c"}));
    const Progress progress = checkpoint();
    EXPECT_EQ(progress.counters.done, 3u);
    EXPECT_EQ(progress.counters.skipped, 0u);
}

TEST_F(SliceRecoveryTest, ACheckpointAfterARestartKeepsWhatWasSettledAhead) {
    make_running(small(), {"a", "b", "c", "d"});
    start();
    done("b");
    done("d");
    checkpoint();
    restart();
    const Progress progress = checkpoint();  // before anything was fed
    EXPECT_EQ(progress.settled_ahead, (Names{"b", "d"}));
    EXPECT_EQ(progress.counters.done, 2u);
}

TEST_F(SliceRecoveryTest, AFinishedSliceStaysFinished) {
    make_running(small(), {"a"});
    run_to_end();
    checkpoint();
    restart();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_TRUE(start().empty());
}

TEST_F(SliceRecoveryTest, AFailedSliceStaysFailed) {
    SliceOptions options = small();
    options.failures_max = 0;
    make_running(options, {"a"});
    start();
    rejected("a");
    checkpoint();
    restart();
    EXPECT_EQ(machine_->state(), SliceState::failed);
}

TEST_F(SliceRecoveryTest, RewindRunsAgainWhatWasNotDurable) {
    make_running(small(), {"a", "b", "c", "d", "e"});
    start();
    done("a");
    const Progress durable = checkpoint();
    done("b");
    rejected("c");
    done("d");
    (void)machine_->begin_checkpoint();
    machine_->end_checkpoint(false, "t2 lost outputs", now_);
    machine_->rewind(durable);
    EXPECT_EQ(run_to_end(), (Names{"b", "c", "d", "e"}));
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().done, 5u);
    EXPECT_TRUE(ledger_.empty()) << "c failed before the rewind, not after";
}

TEST_F(SliceRecoveryTest, RewindKeepsWhatWasCounted) {
    make(small(), {"a", "b"});
    machine_->transform_ready(true, "");
    order(Desired::run);
    survey();
    machine_->rewind(Progress{});
    EXPECT_TRUE(machine_->survey().done);
    EXPECT_EQ(machine_->survey().objects, 2u);
}

// ---- retry

TEST_F(SliceRecoveryTest, ARetryRunsTheLedgerAndNothingElse) {
    make_running(small(), {"a", "b", "c", "d"});
    start();
    rejected("a");
    done("b");
    rejected("c");
    done("d");
    checkpoint();
    order(Desired::run, 2);
    EXPECT_NE(machine_->state(), SliceState::finished);
    EXPECT_EQ(start(), (Names{"a", "c"}));
    done("a");
    rejected("c");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().done, 3u);
    EXPECT_EQ(machine_->acknowledged().failed, 1u);
    EXPECT_FALSE(ledger_.contains("a"));
    EXPECT_EQ(ledger_.at("c").pass, 2u);
    order(Desired::run, 3);
    EXPECT_EQ(start(), Names{"c"});
}

TEST_F(SliceRecoveryTest, ARetryCanMoveAnObjectFromQuarantineToFailed) {
    make_running(small(), {"a"});
    start();
    fails("a", Blame::transform, Code::crashed);
    start();
    fails("a", Blame::transform, Code::crashed);
    checkpoint();
    ASSERT_EQ(machine_->acknowledged().quarantined, 1u);
    order(Desired::run, 2);
    start();
    rejected("a");
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().quarantined, 0u);
    EXPECT_EQ(machine_->acknowledged().failed, 1u);
    EXPECT_FALSE(ledger_.at("a").quarantined);
}

TEST_F(SliceRecoveryTest, AnObjectThatIsGoneWhenItIsRetriedIsSkipped) {
    make_running(small(), {"a"});
    start();
    rejected("a");
    checkpoint();
    order(Desired::run, 2);
    start();
    fails("a", Blame::source, Code::not_found);
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().failed, 0u);
    EXPECT_EQ(machine_->acknowledged().skipped, 1u);
    EXPECT_TRUE(ledger_.empty());
}

TEST_F(SliceRecoveryTest, ARetryAskedForInTheMiddleFollowsTheSelection) {
    make_running(small(), {"a", "b", "c", "d", "e"});
    start();
    rejected("a");
    order(Desired::pause);
    for (const char* name : {"b", "c", "d"}) done(name);
    checkpoint();
    order(Desired::run, 2);
    EXPECT_EQ(start(), Names{"e"});
    rejected("e");  // in pass 2: not again
    checkpoint();
    EXPECT_EQ(start(), Names{"a"});
    done("a");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(ledger_.size(), 1u);
}

TEST_F(SliceRecoveryTest, ARetryWaitsUntilTheLedgerIsWritten) {
    make_running(small(), {"a", "b"});
    start();
    rejected("a");
    order(Desired::run, 2);  // before the row of a was written
    rejected("b");
    EXPECT_TRUE(start().empty());
    EXPECT_TRUE(machine_->checkpoint_due(now_)) << "at once: the retry waits for it";
    checkpoint();
    EXPECT_EQ(start(), (Names{"a", "b"})) << "b was started before the retry was asked for";
    done("a");
    done("b");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
}

TEST_F(SliceRecoveryTest, ARetryGoesOnAfterARestart) {
    make_running(small(), {"a", "b", "c"});
    start();
    for (const char* name : {"a", "b", "c"}) rejected(name);
    checkpoint();
    order(Desired::run, 2);
    start();
    done("a");
    rejected("b");
    checkpoint();
    restart(Desired::run, 2);
    EXPECT_EQ(run_to_end(), Names{"c"});
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().done, 2u);
    EXPECT_EQ(machine_->acknowledged().failed, 1u);
}

TEST_F(SliceRecoveryTest, ARetryThatWasOrderedBeforeARestartHappensAfterIt) {
    make_running(small(), {"a"});
    start();
    rejected("a");
    checkpoint();
    restart(Desired::run, 2);
    EXPECT_EQ(start(), Names{"a"});
}

TEST_F(SliceRecoveryTest, TheCheckpointOfTheFirstEndDoesNotFinishARetry) {
    make_running(small(), {"a"});
    start();
    rejected("a");
    const CheckpointWork first_end = machine_->begin_checkpoint();
    order(Desired::run, 2);
    EXPECT_TRUE(start().empty()) << "the row of a is not written yet";
    write(first_end);
    machine_->end_checkpoint(true, "", now_);
    EXPECT_NE(machine_->state(), SliceState::finished);
    EXPECT_EQ(start(), Names{"a"});
    const CheckpointWork in_between = machine_->begin_checkpoint();
    done("a");
    write(in_between);
    machine_->end_checkpoint(true, "", now_);
    EXPECT_NE(machine_->state(), SliceState::finished) << "that a is done is not durable";
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().done, 1u);
}

}  // namespace
}  // namespace millrace::worker
