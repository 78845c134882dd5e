// The order of things in a slice: survey, feed, window, dispatch, settling, finishing.
#include "tests/unit/worker/slice_fixture.h"
#include "worker/near_empty.h"

namespace millrace::worker {
namespace {

class SliceMachineTest : public SliceTest {};

// ---- preparing

TEST_F(SliceMachineTest, IsReadyWhenTheTransformIs) {
    make(small(), {"a"});
    EXPECT_EQ(machine_->state(), SliceState::preparing);
    EXPECT_FALSE(machine_->reason().empty());
    machine_->transform_ready(true, "");
    EXPECT_EQ(machine_->state(), SliceState::ready);
    EXPECT_EQ(machine_->reason(), "");
}

TEST_F(SliceMachineTest, NamesThatMayCollideAreCountedBeforeAnythingRuns) {
    SliceOptions options = small();
    options.survey_before_run = true;
    make(options, {"a", "b"});
    machine_->transform_ready(true, "");
    EXPECT_EQ(machine_->state(), SliceState::preparing);
    order(Desired::run);
    EXPECT_TRUE(start().empty());
    machine_->surveyed({.after = "a", .objects = 1, .bytes = 100});
    EXPECT_TRUE(start().empty());
    machine_->surveyed({.after = "b", .objects = 1, .bytes = 100, .done = true});
    EXPECT_EQ(start(), (Names{"a", "b"}));
}

TEST_F(SliceMachineTest, WhatTakesObjectsAwayWaitsUntilTheirCountIsDurable) {
    SliceOptions options = small();
    options.survey_durable_before_run = true;
    make(options, {"a", "b"});
    machine_->transform_ready(true, "");
    order(Desired::run);
    survey();
    EXPECT_TRUE(start().empty());
    EXPECT_EQ(machine_->state(), SliceState::preparing);
    ASSERT_TRUE(machine_->checkpoint_due(now_));
    const CheckpointWork failing = machine_->begin_checkpoint();
    machine_->end_checkpoint(false, "the disk is full", now_);
    EXPECT_TRUE(start().empty());
    later(std::chrono::seconds(10));
    ASSERT_TRUE(machine_->checkpoint_due(now_));
    checkpoint();
    EXPECT_EQ(start(), (Names{"a", "b"}));
    names_ = {"b"};  // a is gone when the process is killed
    restart();
    EXPECT_EQ(start(), (Names{"b"})) << "the count is from before";
    done("b");
    EXPECT_EQ(checkpoint().counters.skipped, 1u);
    EXPECT_EQ(machine_->survey().objects, 2u);
}

TEST_F(SliceMachineTest, RunsBehindTheSurveyOtherwise) {
    make(small(), {"a", "b", "c"});
    machine_->transform_ready(true, "");
    order(Desired::run);
    EXPECT_TRUE(start().empty()) << "nothing is counted yet";
    machine_->surveyed({.after = "b", .objects = 2, .bytes = 200});
    EXPECT_EQ(start(), (Names{"a", "b"}));
    done("a");
    done("b");
    EXPECT_TRUE(start().empty());
    EXPECT_NE(machine_->state(), SliceState::finished);
    machine_->surveyed({.after = "c", .objects = 1, .bytes = 100, .done = true});
    EXPECT_EQ(start(), Names{"c"});
}

TEST_F(SliceMachineTest, PlanOnlyCountsAndIsReady) {
    SliceOptions options = small();
    options.plan_only = true;
    make(options, {"a"});
    machine_->transform_ready(true, "");
    EXPECT_EQ(machine_->state(), SliceState::preparing);
    survey();
    EXPECT_EQ(machine_->state(), SliceState::ready);
    order(Desired::run);
    EXPECT_TRUE(start().empty());
}

TEST_F(SliceMachineTest, NoSurveyWhilePausedOrAfterGivingUp) {
    make(small(), {"a"});
    EXPECT_TRUE(machine_->wants_survey());
    order(Desired::pause);
    EXPECT_FALSE(machine_->wants_survey());
    order(Desired::run);
    EXPECT_TRUE(machine_->wants_survey());
    machine_->give_up("two names are the same");
    EXPECT_FALSE(machine_->wants_survey());
}

TEST_F(SliceMachineTest, OneThatGaveUpIsNeverTakenForPrepared) {
    SliceOptions options = small();
    options.survey_before_run = true;
    make(options, {"a"});
    machine_->transform_ready(true, "");
    order(Desired::prepare);
    machine_->give_up("two names are the same");
    EXPECT_EQ(machine_->state(), SliceState::preparing) << "until that is written down";
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::failed);
}

// ---- window and watermark

TEST_F(SliceMachineTest, WindowIsBounded) {
    make_running(small(), {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"});
    EXPECT_EQ(start(), (Names{"a", "b", "c", "d"})) << "as many as there are workers";
    EXPECT_EQ(machine_->window_size(), 8u);
    for (const char* name : {"b", "c", "d"}) done(name);
    EXPECT_EQ(start(), (Names{"e", "f", "g"}));
    for (const char* name : {"e", "f", "g"}) done(name);
    EXPECT_EQ(start(), Names{"h"}) << "the slowest object holds the window back";
    EXPECT_EQ(machine_->window_size(), 8u);
    done("h");
    done("a");
    EXPECT_EQ(start(), (Names{"i", "j", "k"}));
}

TEST_F(SliceMachineTest, DispatchesAheadAsManyAsThereAreWorkers) {
    SliceOptions options = small();
    options.workers_min = options.workers_start = options.workers_max = 2;
    options.run_ahead_max = 64;
    make_running(options, {"a", "b", "c", "d", "e"});
    EXPECT_EQ(start(), (Names{"a", "b", "c", "d"}));
    done("a");
    EXPECT_EQ(start(), Names{"e"});
}

TEST_F(SliceMachineTest, DispatchesAheadNoFurtherThanItsBound) {
    SliceOptions options = small();
    options.run_ahead_max = 1;
    make_running(options, {"a", "b", "c", "d", "e", "f"});
    EXPECT_EQ(start(), (Names{"a", "b", "c", "d", "e"}));
}

TEST_F(SliceMachineTest, WhatWasNotStartedIsTheNextToRunAndNoAttempt) {
    make_running(small(), {"a", "b", "c", "d", "e"});
    start();
    order(Desired::pause);
    EXPECT_FALSE(machine_->may_start(now_));
    machine_->not_started(take("d"));
    machine_->not_started(take("c"));
    done("a");
    done("b");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::paused);
    order(Desired::run);
    EXPECT_EQ(start(), (Names{"c", "d", "e"}));
    done("c");
    done("d");
    done("e");
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().attempts, 5u);
}

TEST_F(SliceMachineTest, WatermarkWaitsForTheSlowestObject) {
    make_running(small(), {"a", "b", "c", "d"});
    start();
    done("b");
    done("d");
    Progress progress = checkpoint();
    EXPECT_EQ(progress.watermark, "");
    EXPECT_EQ(progress.settled_ahead, (Names{"b", "d"}));
    done("a");
    progress = checkpoint();
    EXPECT_EQ(progress.watermark, "b");
    EXPECT_EQ(progress.settled_ahead, Names{"d"});
    done("c");
    progress = checkpoint();
    EXPECT_EQ(progress.phase, Phase::finished);
    EXPECT_TRUE(progress.settled_ahead.empty());
}

TEST_F(SliceMachineTest, FinishesOnlyWhenThatIsDurable) {
    make_running(small(), {"a"});
    start();
    done("a");
    EXPECT_NE(machine_->state(), SliceState::finished);
    EXPECT_TRUE(machine_->checkpoint_due(now_)) << "at once: there is nothing else to do";
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().done, 1u);
    EXPECT_EQ(machine_->acknowledged().bytes_in, 100u);
    EXPECT_FALSE(machine_->checkpoint_due(now_ + std::chrono::hours(1)));
}

TEST_F(SliceMachineTest, AnEmptySelectionFinishes) {
    make_running(small(), {});
    EXPECT_TRUE(start().empty());
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
}

TEST_F(SliceMachineTest, WhatWasCountedButIsGoneIsSkipped) {
    make_running(small(), {"a", "b", "c"});
    names_ = {"a"};  // deleted before their turn
    run_to_end();
    const Progress progress = checkpoint();
    EXPECT_EQ(progress.counters.done, 1u);
    EXPECT_EQ(progress.counters.skipped, 2u);
    EXPECT_EQ(progress.counters.settled(), progress.survey.objects);
}

TEST_F(SliceMachineTest, WhatIsGoneWhenItIsReadIsSkipped) {
    make_running(small(), {"a", "b"});
    start();
    fails("a", Blame::source, Code::not_found);
    done("b");
    const Progress progress = checkpoint();
    EXPECT_EQ(progress.counters.skipped, 1u);
    EXPECT_EQ(progress.counters.settled(), 2u);
    EXPECT_TRUE(ledger_.empty());
}

TEST_F(SliceMachineTest, WhatIsListedAndGoneHasFailed) {
    SliceOptions options = small();
    options.listed = true;
    make_running(options, {"a"});
    start();
    fails("a", Blame::source, Code::not_found);
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().failed, 1u);
    EXPECT_TRUE(ledger_.contains("a"));
}

// ---- failures

TEST_F(SliceMachineTest, RejectedObjectsFailAtOnceWithALedgerRow) {
    make_running(small(), {"a", "b"});
    start();
    rejected("a");
    done("b");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().failed, 1u);
    EXPECT_EQ(ledger_.at("a").attempts, 1u);
    EXPECT_EQ(ledger_.at("a").error.code, Code::rejected);
    EXPECT_EQ(ledger_.at("a").stderr_tail, "tail");
}

TEST_F(SliceMachineTest, TransientFailuresAreTriedAgainLaterUpToTheLimit) {
    make_running(small(), {"a"});
    for (int attempt = 1; attempt <= 2; ++attempt) {
        ASSERT_EQ(start(), Names{"a"});
        fails("a", Blame::transform, Code::transient);
        EXPECT_TRUE(start().empty()) << "after a delay";
        if (machine_->checkpoint_due(now_)) checkpoint();
        EXPECT_GT(machine_->next_wakeup(), now_);
        EXPECT_LE(machine_->next_wakeup(), now_ + std::chrono::seconds(1));
        later(std::chrono::seconds(10));
    }
    ASSERT_EQ(start(), Names{"a"});
    fails("a", Blame::transform, Code::transient);
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().failed, 1u);
    EXPECT_EQ(machine_->acknowledged().attempts, 3u);
    EXPECT_EQ(ledger_.at("a").attempts, 3u);
}

TEST_F(SliceMachineTest, SuspectsOfACrashRunAgainOneAtATime) {
    make_running(small(), {"a", "b", "c"});
    start();
    for (const char* name : {"a", "b", "c"}) fails(name, Blame::transform, Code::crashed);
    EXPECT_EQ(start(), Names{"a"});
    EXPECT_TRUE(isolated("a"));
    EXPECT_TRUE(start().empty());
    done("a");
    EXPECT_EQ(start(), Names{"b"});
    fails("b", Blame::transform, Code::crashed);
    EXPECT_EQ(start(), Names{"c"});
    done("c");
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().done, 2u);
    EXPECT_EQ(machine_->acknowledged().quarantined, 1u);
    EXPECT_TRUE(ledger_.at("b").quarantined);
}

TEST_F(SliceMachineTest, FailuresThatLandAfterANewOrderDoNotCountTowardsItsLimit) {
    SliceOptions options = small();
    options.failures_max = 0;
    make_running(options, {"a", "b"});
    start();
    rejected("a");
    EXPECT_FALSE(machine_->may_start(now_));
    order(Desired::run, 2);
    rejected("b");
    EXPECT_TRUE(machine_->may_start(now_));
}

TEST_F(SliceMachineTest, WhatTimesOutBesideOthersIsTriedAloneUntilThatIsInVain) {
    SliceOptions options = small();
    options.attempts_max = 1;
    options.shares_server = true;
    options.workers_min = options.workers_start = options.workers_max = 1;
    std::vector<std::string> names;
    for (char name = 'a'; name <= 'z'; ++name) names.emplace_back(1, name);
    make_running(options, names);
    std::size_t alone = 0;
    for (Names started = start(); !started.empty(); started = start()) {
        for (const std::string& name : started) {
            alone += isolated(name) ? 1 : 0;
            fails(name, Blame::transform, Code::timed_out);
        }
    }
    EXPECT_EQ(machine_->window_size(), 0u);
    EXPECT_GE(alone, 16u);
    EXPECT_LT(alone, names.size());
}

TEST_F(SliceMachineTest, OthersGoOnBesideASuspect) {
    make_running(small(), {"a", "b", "c", "d", "e", "f"});
    start();
    fails("a", Blame::transform, Code::crashed);
    EXPECT_EQ(start(), (Names{"e", "a"}));
}

TEST_F(SliceMachineTest, AnObstacleStallsTheSliceAndTheAttemptDoesNotCount) {
    make_running(small(), {"a", "b", "c"});
    start();
    for (const char* name : {"a", "b", "c"}) fails(name, Blame::sink, Code::no_space);
    EXPECT_EQ(machine_->state(), SliceState::stalled);
    EXPECT_FALSE(machine_->reason().empty());
    EXPECT_TRUE(start().empty());
    if (machine_->checkpoint_due(now_)) checkpoint();
    EXPECT_EQ(machine_->next_wakeup(), now_ + stall_delay(1)) << "three met the same obstacle";
    later(stall_delay(1));
    EXPECT_EQ(start(), Names{"a"}) << "one probe";
    EXPECT_TRUE(start().empty());
    fails("a", Blame::sink, Code::no_space);
    EXPECT_EQ(machine_->next_wakeup(), now_ + stall_delay(2)) << "it waits longer";
    later(stall_delay(2));
    EXPECT_EQ(start(), Names{"b"}) << "another one";
    done("b");
    EXPECT_EQ(machine_->state(), SliceState::running);
    EXPECT_EQ(start(), Names{"a"}) << "alone, now that the sink has taken something";
    done("a");
    EXPECT_EQ(start(), Names{"c"});
    EXPECT_EQ(checkpoint().counters.attempts, 2u);
}

TEST_F(SliceMachineTest, ANewOrderEndsAStall) {
    make_running(small(), {"a"});
    start();
    fails("a", Blame::sink, Code::unavailable);
    EXPECT_TRUE(start().empty());
    order(Desired::run);
    EXPECT_EQ(start(), Names{"a"});
}

TEST_F(SliceMachineTest, AFeedThatFailsIsAskedForAgainAfterAStall) {
    make_running(small(), {"a"});
    machine_->feed_failed(fail(Code::io, "the index cannot be read"), now_);
    EXPECT_FALSE(machine_->next_feed(now_));
    EXPECT_EQ(machine_->state(), SliceState::stalled);
    later(stall_delay(1));
    EXPECT_EQ(start(), Names{"a"});
}

TEST_F(SliceMachineTest, NothingRunsWhileTheTransformDoesNot) {
    make_running(small(), {"a"});
    machine_->transform_ready(false, "it starts");
    EXPECT_TRUE(start().empty());
    EXPECT_EQ(machine_->state(), SliceState::stalled);
    EXPECT_EQ(machine_->reason(), "it starts");
    machine_->transform_ready(true, "");
    EXPECT_EQ(start(), Names{"a"});
}

TEST_F(SliceMachineTest, NeverAsksToBeWokenInThePast) {
    make_running(small(), {"a", "b"});
    start();
    checkpoint();
    fails("a", Blame::sink, Code::unavailable);
    later(stall_delay(1));
    EXPECT_TRUE(start().empty()) << "b is still out: it is the probe";
    EXPECT_GT(machine_->next_wakeup(), now_) << "the stall is over, what b brings decides";
    fails("b", Blame::transform, Code::transient);
    machine_->transform_ready(false, "it died");
    later(std::chrono::seconds(60));
    EXPECT_TRUE(start().empty());
    if (machine_->checkpoint_due(now_)) checkpoint();
    EXPECT_GT(machine_->next_wakeup(), now_) << "a retry that is due, but cannot run";
}

// ---- pause, stop, failure limits

TEST_F(SliceMachineTest, PausesWhenWhatRunsHasEndedAndIsDurable) {
    make_running(small(), {"a", "b", "c", "d", "e"});
    start();
    order(Desired::pause);
    EXPECT_TRUE(start().empty());
    for (const char* name : {"a", "b", "c", "d"}) {
        EXPECT_EQ(machine_->state(), SliceState::running);
        done(name);
    }
    EXPECT_EQ(machine_->state(), SliceState::running) << "not durable yet";
    EXPECT_TRUE(machine_->checkpoint_due(now_));
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::paused);
    order(Desired::run);
    EXPECT_EQ(run_to_end(), Names{"e"});
}

TEST_F(SliceMachineTest, StopsLikewise) {
    make_running(small(), {"a", "b"});
    start();
    order(Desired::stop);
    done("a");
    done("b");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished) << "there was nothing left to stop";
    make_running(small(), {"a", "b", "c", "d", "e"});
    start();
    order(Desired::stop);
    for (const char* name : {"a", "b", "c", "d"}) done(name);
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::stopped);
}

TEST_F(SliceMachineTest, AStaleEpochStopsIt) {
    make_running(small(), {"a", "b"});
    start();
    fails("a", Blame::sink, Code::stale_epoch);
    EXPECT_TRUE(start().empty());
    done("b");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::stopped);
}

TEST_F(SliceMachineTest, AStaleEpochOfAnEarlierOrderDoesNotStopTheNewOne) {
    make_running(small(), {"a", "b"});
    start();
    order(Desired::stop);
    order(Desired::run);  // resumed before what ran had ended
    fails("a", Blame::sink, Code::stale_epoch);
    EXPECT_EQ(start(), Names{"a"}) << "again, under the new epoch";
    done("a");
    done("b");
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
}

TEST_F(SliceMachineTest, GivesUpAfterMoreFailuresThanAllowed) {
    SliceOptions options = small();
    options.failures_max = 1;
    make_running(options, {"a", "b", "c", "d", "e"});
    start();
    rejected("a");
    EXPECT_EQ(machine_->reason(), "");
    rejected("b");
    EXPECT_NE(machine_->reason().find("more than 1 objects failed"), std::string::npos);
    EXPECT_TRUE(start().empty());
    done("c");
    done("d");
    EXPECT_NE(machine_->state(), SliceState::failed) << "not durable yet";
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::failed);
    EXPECT_EQ(machine_->acknowledged().done, 2u) << "what is done stays done";
}

TEST_F(SliceMachineTest, AFreshOrderForgivesTheFailuresSoFar) {
    SliceOptions options = small();
    options.failures_max = 0;
    make_running(options, {"a", "b", "c", "d", "e", "f"});
    start();
    rejected("a");
    for (const char* name : {"b", "c", "d"}) done(name);
    checkpoint();
    ASSERT_EQ(machine_->state(), SliceState::failed);
    order(Desired::run, 1, false);
    EXPECT_EQ(machine_->state(), SliceState::failed) << "an order that is repeated changes nothing";
    order(Desired::run);
    EXPECT_EQ(start(), (Names{"e", "f"}));
    done("e");
    EXPECT_EQ(machine_->reason(), "");
    rejected("f");
    EXPECT_FALSE(machine_->reason().empty());
}

TEST_F(SliceMachineTest, AFreshOrderToPrepareClearsAFailureToo) {
    SliceOptions options = small();
    options.survey_before_run = true;
    make(options, {"a", "b"});
    machine_->transform_ready(true, "");
    machine_->give_up("a and b would get the same name");
    checkpoint();
    ASSERT_EQ(machine_->state(), SliceState::failed);
    names_ = {"a"};
    order(Desired::prepare);
    EXPECT_EQ(machine_->state(), SliceState::preparing);
    ASSERT_TRUE(machine_->wants_survey());
    survey();
    EXPECT_EQ(machine_->state(), SliceState::ready);
}

// ---- results with next to nothing in them

TEST(NearEmpty, IsNothingOfSomethingOrNextToNothingOfMuch) {
    EXPECT_FALSE(is_near_empty(0, 0));
    EXPECT_TRUE(is_near_empty(1, 0));
    EXPECT_FALSE(is_near_empty(1000, 1));
    EXPECT_TRUE(is_near_empty(kLargeObjectBytesMin, kLargeObjectBytesMin / kShrinkMax - 1));
    EXPECT_FALSE(is_near_empty(kLargeObjectBytesMin, kLargeObjectBytesMin / kShrinkMax));
}

}  // namespace
}  // namespace millrace::worker
