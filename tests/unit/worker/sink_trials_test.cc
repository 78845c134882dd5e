// An object whose result its sink does not take: the sink's fault, or its own.
#include "worker/sink_trials.h"

#include <algorithm>

#include "tests/unit/worker/slice_fixture.h"

namespace millrace::worker {
namespace {

TEST(SinkTrials, CountsWhatFailsWhileOthersAreTaken) {
    SinkTrials trials;
    EXPECT_EQ(trials.failed(7, "t2", false), 1u);
    EXPECT_FALSE(trials.runs_alone(7));
    for (std::uint32_t failures = 2; failures < 6; ++failures) {
        EXPECT_FALSE(trials.is_due(7));
        trials.took("t2", "boot");
        EXPECT_TRUE(trials.is_due(7));
        EXPECT_EQ(trials.failed(7, "t2", false), failures);
        EXPECT_TRUE(trials.runs_alone(7));
    }
}

TEST(SinkTrials, ASinkThatTakesNothingIsToBlameItself) {
    SinkTrials trials;
    trials.took("t2", "boot");
    for (int i = 0; i < 100; ++i) EXPECT_EQ(trials.failed(7, "t2", true), 1u);
    trials.took("", "");  // another sink says nothing about this one
    EXPECT_FALSE(trials.is_due(7));
    EXPECT_EQ(trials.failed(7, "t2", false), 1u);
}

TEST(SinkTrials, ASinkThatStartedAnewIsToBlameItself) {
    SinkTrials trials;
    trials.took("t2", "one");
    (void)trials.failed(7, "t2", false);
    trials.took("t2", "one");
    EXPECT_EQ(trials.failed(7, "t2", false), 2u);
    trials.took("t2", "two");
    EXPECT_EQ(trials.failed(7, "t2", false), 1u) << "from here on";
}

TEST(SinkTrials, TheLastObjectIsComparedWithWhatWasTakenBefore) {
    SinkTrials trials;
    (void)trials.failed(7, "", false);
    trials.took("", "");
    EXPECT_EQ(trials.failed(7, "", true), 2u);
    EXPECT_EQ(trials.failed(7, "", true), 3u);
    EXPECT_EQ(trials.failed(7, "", false), 3u) << "others may yet be taken";
}

TEST(SinkTrials, ManyAtOnceSaySomethingAboutTheSink) {
    SinkTrials trials;
    for (std::uint64_t ticket = 0; ticket < 40; ++ticket) (void)trials.failed(ticket, "", false);
    for (int round = 0; round < 10; ++round) {
        trials.took("", "");
        for (std::uint64_t ticket = 0; ticket < 40; ++ticket) EXPECT_EQ(trials.failed(ticket, "", false), 1u);
    }
}

// ---- in a slice

class SliceAtItsSinkTest : public SliceTest {
protected:
    // One round: whatever starts is done, but for these. True when something started.
    bool round(const std::set<std::string>& too_large, std::vector<std::string>& beside) {
        const Names started = start();
        if (started.size() > 1) beside.insert(beside.end(), started.begin(), started.end());
        for (const std::string& name : started) too_large.contains(name) ? fails(name, Blame::sink, Code::no_space) : done(name);
        later(std::chrono::seconds(6));
        return !started.empty();
    }
};

TEST_F(SliceAtItsSinkTest, AResultThatNeverFitsFailsAndTheOthersAreDone) {
    std::vector<std::string> names{"a-large"};
    for (int i = 0; i < 40; ++i) names.push_back("n" + std::to_string(100 + i));
    make_running(small(), names);
    std::vector<std::string> beside;
    while (round({"a-large"}, beside)) {
    }
    EXPECT_LE(std::ranges::count(beside, "a-large"), 2) << "from then on nothing else runs with it";
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().done, 40u);
    EXPECT_EQ(machine_->acknowledged().failed, 1u);
    EXPECT_EQ(ledger_.at("a-large").error.code, Code::no_space);
    EXPECT_EQ(ledger_.at("a-large").attempts, kSinkFailuresMax);
}

TEST_F(SliceAtItsSinkTest, AResultThatNeverFitsFailsThoughNoOthersAreLeft) {
    make_running(small(), {"a-large", "b", "c"});
    std::vector<std::string> beside;
    while (round({"a-large"}, beside)) {
    }
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_TRUE(ledger_.contains("a-large"));
}

TEST_F(SliceAtItsSinkTest, ARetryOfAResultThatNeverFitsFailsAgain) {
    make_running(small(), {"a-large", "b", "c"});
    std::vector<std::string> beside;
    while (round({"a-large"}, beside)) {
    }
    checkpoint();
    ASSERT_EQ(machine_->state(), SliceState::finished);
    order(Desired::run, 2);
    int rounds = 0;
    while (round({"a-large"}, beside)) ASSERT_LT(++rounds, 20) << "nothing else is left that it could be compared with";
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(ledger_.at("a-large").pass, 2u);
}

TEST_F(SliceAtItsSinkTest, AFullDiskIsNobodysFault) {
    const std::vector<std::string> names{"a", "b", "c", "d", "e", "f"};
    make_running(small(), names);
    std::vector<std::string> beside;
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(round({names.begin(), names.end()}, beside));
    EXPECT_EQ(machine_->state(), SliceState::stalled);
    EXPECT_NE(machine_->reason(), "");
    std::vector<std::string> all;
    while (round({}, all)) {
    }
    checkpoint();
    EXPECT_EQ(machine_->state(), SliceState::finished);
    EXPECT_EQ(machine_->acknowledged().done, names.size());
}

TEST_F(SliceAtItsSinkTest, WhatFailedBesideALargeOneIsDone) {
    make_running(small(), {"a-large", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
    // Whoever runs beside the large one finds the disk full, too.
    for (Names started = start(); !started.empty(); started = start()) {
        const bool full = std::ranges::count(started, "a-large") > 0;
        for (const std::string& name : started) full ? fails(name, Blame::sink, Code::no_space) : done(name);
        later(std::chrono::seconds(6));
    }
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().done, 9u);
    EXPECT_EQ(ledger_.size(), 1u);
    EXPECT_TRUE(ledger_.contains("a-large"));
}

TEST_F(SliceAtItsSinkTest, AnOwnerThatIsAwayIsNobodysFault) {
    make_running(small(), {"a", "b", "c", "d", "e", "f", "g", "h"});
    for (int i = 0; i < 50; ++i) {
        for (const std::string& name : start()) name == "a" || name == "b" ? fails(name, Blame::sink, Code::unavailable) : done(name);
        later(std::chrono::seconds(6));
    }
    EXPECT_TRUE(ledger_.empty());
    EXPECT_EQ(run_to_end().size(), 2u);
}

TEST_F(SliceAtItsSinkTest, WhatIsOnTrialRunsAgainAfterAPause) {
    make_running(small(), {"a", "b", "c", "d", "e", "f", "g", "h"});
    std::vector<std::string> beside;
    for (int i = 0; i < 3; ++i) (void)round({"a"}, beside);
    order(Desired::pause);
    EXPECT_TRUE(start().empty());
    order(Desired::run);
    run_to_end();
    checkpoint();
    EXPECT_EQ(machine_->acknowledged().done, 8u);
}

}  // namespace
}  // namespace millrace::worker
