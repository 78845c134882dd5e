#include "worker/slice_reporter.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using wire::SliceState;

class Reporting : public testing::Test {
protected:
    std::optional<wire::SliceStatus> due(Duration later = {}) {
        now_ += later;
        return reporter_.due(current_, now_);
    }
    void acknowledge(const wire::SliceStatus& status) { reporter_.acknowledged({status.job, status.incarnation, status.seq}); }

    Instant now_ = Instant{} + std::chrono::hours(1);
    wire::SliceStatus current_{.revision = 1, .state = SliceState::running};
    SliceReporter reporter_{"job-1", 7};
};

TEST_F(Reporting, TheFirstStatusIsDueAtOnce) {
    const auto first = due();
    ASSERT_TRUE(first);
    EXPECT_EQ(first->job, "job-1");
    EXPECT_EQ(first->incarnation, 7u);
    EXPECT_EQ(first->seq, 1u);
}

TEST_F(Reporting, WhatIsAcknowledgedIsNotSaidAgain) {
    acknowledge(*due());
    EXPECT_FALSE(due(std::chrono::hours(1)));
    EXPECT_EQ(reporter_.next_wakeup(), Instant::max());
}

TEST_F(Reporting, WhatIsNotAcknowledgedIsRepeatedEverySecond) {
    const auto first = due();
    EXPECT_FALSE(due(milliseconds(999)));
    EXPECT_EQ(reporter_.next_wakeup(), now_ + milliseconds(1));
    const auto second = due(milliseconds(1));
    ASSERT_TRUE(second);
    EXPECT_GT(second->seq, first->seq);
    acknowledge(*first);
    EXPECT_TRUE(due(milliseconds(1000))) << "only the older one was acknowledged";
}

TEST_F(Reporting, ProgressIsThrottledAndChangesOfStateAreNot) {
    acknowledge(*due());
    current_.counters.done = 1;
    EXPECT_FALSE(due());
    EXPECT_EQ(reporter_.next_wakeup(), now_ + milliseconds(200));
    current_.state = SliceState::finished;
    const auto finished = due();
    ASSERT_TRUE(finished);
    EXPECT_EQ(finished->counters.done, 1u);
    current_.counters.done = 2;
    EXPECT_FALSE(due(milliseconds(199)));
    EXPECT_TRUE(due(milliseconds(1)));
}

TEST_F(Reporting, HowManyAreInFlightIsNotNews) {
    acknowledge(*due());
    current_.in_flight = 5;
    EXPECT_FALSE(due(milliseconds(500)));
}

TEST_F(Reporting, AcknowledgementsOfAnotherIncarnationDoNotCount) {
    (void)due();
    reporter_.acknowledged({"job-1", 6, 100});
    EXPECT_TRUE(due(milliseconds(1000)));
}

TEST_F(Reporting, StartingOverSaysItAgainAtOnce) {
    acknowledge(*due());
    reporter_.start_over();
    EXPECT_TRUE(due());
}

TEST_F(Reporting, ALateAcknowledgementDoesNotUndoStartingOver) {
    const auto first = due();
    reporter_.start_over();
    acknowledge(*first);  // from the proxy that is gone
    EXPECT_TRUE(due());
}

// ---- directives

TEST(Directives, ANewJobIsAdoptedWithItsSpec) {
    wire::Directive directive{.job = "j", .revision = 1};
    EXPECT_EQ(judge_directive(directive, std::nullopt), DirectiveAction::ask_for_spec);
    directive.has_spec = true;
    EXPECT_EQ(judge_directive(directive, std::nullopt), DirectiveAction::adopt);
}

TEST(Directives, OnlyANewerRevisionIsCarriedOut) {
    const wire::Directive directive{.job = "j", .revision = 5};
    EXPECT_EQ(judge_directive(directive, KnownOrder{.revision = 4}), DirectiveAction::adopt);
    EXPECT_EQ(judge_directive(directive, KnownOrder{.revision = 5}), DirectiveAction::acknowledge);
    EXPECT_EQ(judge_directive(directive, KnownOrder{.revision = 6}), DirectiveAction::acknowledge);
}

TEST(Directives, TwoOrdersOfOneNumberAreFromTwoLivesOfTheProxy) {
    const wire::Directive directive{.job = "j", .revision = 5, .desired = wire::Desired::run, .epoch = 2};
    EXPECT_EQ(judge_directive(directive, KnownOrder{5, wire::Desired::run, 2}), DirectiveAction::acknowledge);
    EXPECT_EQ(judge_directive(directive, KnownOrder{5, wire::Desired::pause, 2}), DirectiveAction::contradict);
    EXPECT_EQ(judge_directive(directive, KnownOrder{5, wire::Desired::run, 3}), DirectiveAction::contradict);
}

TEST(Directives, ForgettingIsDoneOnceAndIsNoErrorTwice) {
    const wire::Directive directive{.job = "j", .revision = 5, .desired = wire::Desired::forget};
    EXPECT_EQ(judge_directive(directive, KnownOrder{.revision = 4}), DirectiveAction::forget);
    EXPECT_EQ(judge_directive(directive, std::nullopt), DirectiveAction::forget);
    EXPECT_EQ(judge_directive(directive, KnownOrder{.revision = 5}), DirectiveAction::acknowledge) << "late: the job was ordered anew";
}

}  // namespace
}  // namespace millrace::worker
