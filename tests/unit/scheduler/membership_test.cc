#include "scheduler/membership.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::scheduler {
namespace {

constexpr auto kSilence = milliseconds(5000);
const Instant kStart = Instant{} + std::chrono::hours(1);

class Cluster : public testing::Test {
protected:
    wire::Hello hello(const std::string& target, const std::string& boot = "b1") {
        return {.target_id = target, .boot_id = boot, .endpoint = "http://" + target};
    }

    Membership membership_{"cluster-1", {"t1", "t2"}, 10, kSilence};
};

TEST_F(Cluster, KnownTargetsAreMembersBeforeTheyAreHeard) {
    EXPECT_EQ(membership_.members().size(), 2u);
    EXPECT_FALSE(membership_.is_online("t1"));
    const wire::ClusterMap map = membership_.map();
    EXPECT_EQ(map.version, 10u);
    EXPECT_TRUE(map.validate());
    EXPECT_EQ(map.targets[0].id, "t1");
    EXPECT_FALSE(map.targets[0].online);
}

TEST_F(Cluster, HelloBringsATargetOnline) {
    ASSERT_TRUE(membership_.hello(hello("t1"), true, kStart));
    EXPECT_TRUE(membership_.is_online("t1"));
    EXPECT_TRUE(membership_.take_changed());
    EXPECT_FALSE(membership_.take_changed()) << "once";
    EXPECT_GT(membership_.version(), 10u);
    EXPECT_EQ(membership_.find("t1")->endpoint, "http://t1");
}

TEST_F(Cluster, ARepeatedHelloChangesNothing) {
    ASSERT_TRUE(membership_.hello(hello("t1"), true, kStart));
    (void)membership_.take_changed();
    const std::uint64_t version = membership_.version();
    ASSERT_TRUE(membership_.hello(hello("t1"), true, kStart + milliseconds(100)));
    EXPECT_EQ(membership_.version(), version);
    EXPECT_FALSE(membership_.take_changed());
}

TEST_F(Cluster, ASealedClusterTakesNoNewTarget) {
    const auto refused = membership_.hello(hello("t3"), true, kStart);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::conflict);
    EXPECT_EQ(membership_.find("t3"), nullptr);
    EXPECT_TRUE(membership_.hello(hello("t3"), false, kStart));
    EXPECT_EQ(membership_.map().targets.size(), 3u);
}

TEST_F(Cluster, ATargetOfAnotherClusterIsRefused) {
    wire::Hello foreign = hello("t1");
    foreign.cluster_id = "cluster-2";
    EXPECT_FALSE(membership_.hello(foreign, false, kStart));
    foreign.cluster_id = "cluster-1";
    EXPECT_TRUE(membership_.hello(foreign, false, kStart));
}

TEST_F(Cluster, AnIncompatibleProtocolIsRefused) {
    wire::Hello newer = hello("t1");
    newer.version = newer.compat_version = wire::kVersion + 1;
    EXPECT_FALSE(membership_.hello(newer, false, kStart));
    newer.compat_version = wire::kVersion;
    EXPECT_TRUE(membership_.hello(newer, false, kStart)) << "newer, but it still speaks ours";
    wire::Hello ancient = hello("t2");
    ancient.version = ancient.compat_version = 0;
    EXPECT_FALSE(membership_.hello(ancient, false, kStart));
}

TEST_F(Cluster, SilenceTakesATargetOfflineAndAHeartbeatBringsItBack) {
    ASSERT_TRUE(membership_.hello(hello("t1"), true, kStart));
    membership_.tick(kStart + kSilence);
    EXPECT_TRUE(membership_.is_online("t1"));
    membership_.tick(kStart + kSilence + milliseconds(1));
    EXPECT_FALSE(membership_.is_online("t1"));
    EXPECT_TRUE(membership_.take_changed());
    EXPECT_NE(membership_.find("t1"), nullptr) << "it still owns its objects";
    EXPECT_TRUE(membership_.heartbeat("t1", {.boot_id = "b1"}, kStart + kSilence * 2));
    EXPECT_TRUE(membership_.is_online("t1"));
}

TEST_F(Cluster, HeartbeatsOfUnknownOrEarlierProcessesDoNotCount) {
    EXPECT_FALSE(membership_.heartbeat("t1", {.boot_id = "b1"}, kStart)) << "it never said hello";
    EXPECT_FALSE(membership_.heartbeat("stranger", {.boot_id = "b1"}, kStart));
    ASSERT_TRUE(membership_.hello(hello("t1", "b2"), true, kStart));
    EXPECT_FALSE(membership_.heartbeat("t1", {.boot_id = "b1"}, kStart + kSilence));
    membership_.tick(kStart + kSilence + milliseconds(1));
    EXPECT_FALSE(membership_.is_online("t1"));
}

TEST_F(Cluster, AClockThatIsOffIsAProblemUntilItIsRight) {
    using ::testing::HasSubstr;
    using std::chrono::minutes;
    using std::chrono::seconds;
    const minutes noon(1000);
    ASSERT_TRUE(membership_.hello(hello("t1"), true, kStart));
    const auto problem_at = [&](milliseconds there) {
        membership_.compare_clocks("t1", there, noon);
        return clock_problem("t1", *membership_.find("t1"));
    };
    EXPECT_EQ(problem_at(noon + seconds(29)), "");
    EXPECT_THAT(problem_at(noon + minutes(1440)), HasSubstr("the clock of target t1 is about 24h ahead of the proxy's"));
    EXPECT_THAT(problem_at(noon - seconds(31)), HasSubstr("about 1m behind the proxy's"));
    EXPECT_EQ(problem_at(noon - seconds(5)), "");
    membership_.compare_clocks("unknown", noon, noon);
    membership_.compare_clocks("t1", noon + minutes(1440), noon);
    membership_.goodbye("t1", {"b1"});
    EXPECT_EQ(clock_problem("t1", *membership_.find("t1")), "") << "nobody knows how it goes by now";
}

TEST_F(Cluster, GoodbyeCountsOnlyFromTheRunningProcess) {
    ASSERT_TRUE(membership_.hello(hello("t1", "b2"), true, kStart));
    membership_.goodbye("t1", {"b1"});
    EXPECT_TRUE(membership_.is_online("t1")) << "late, from the process before";
    membership_.goodbye("t1", {"b2"});
    EXPECT_FALSE(membership_.is_online("t1"));
}

TEST_F(Cluster, ARestartForgetsWhatTheOldProcessReported) {
    ASSERT_TRUE(membership_.hello(hello("t1", "b1"), true, kStart));
    membership_.find("t1")->transforms = {{.name = "to-wav", .state = "running"}};
    membership_.find("t1")->transforms_of_catalog = 3;
    ASSERT_TRUE(membership_.hello(hello("t1", "b2"), true, kStart + milliseconds(1250)));
    EXPECT_TRUE(membership_.find("t1")->transforms.empty());
    EXPECT_EQ(membership_.find("t1")->transforms_of_catalog, 0u);
    EXPECT_TRUE(membership_.is_online("t1"));
}

// ---- copies

class Copies : public Cluster {
protected:
    wire::Hello says(const std::string& boot, std::uint64_t generation, std::uint64_t age, std::vector<std::string> branches = {}) {
        wire::Hello message = hello("t1", boot);
        message.lineage = {.store_id = "store-1", .branches = std::move(branches), .generation = generation, .age = age, .boot_id = boot};
        return message;
    }
    // Start 3 of the target, with 200 changes; it is gone again.
    void SetUp() override {
        ASSERT_TRUE(membership_.hello(says("b3", 3, 100), true, kStart));
        ASSERT_TRUE(membership_.heartbeat("t1", {.boot_id = "b3", .age = 200}, kStart));
        membership_.goodbye("t1", {"b3"});
        (void)membership_.take_known_changed();
    }
    std::string problem() { return membership_.find("t1")->problem; }
    bool says_what_to_do() { return problem().find("millrace cluster accept t1") != std::string::npos; }
};

TEST_F(Copies, AnOlderFolderDoesNotJoinAndTheReasonSaysWhatToDo) {
    const auto joined = membership_.hello(says("c1", 3, 100), true, kStart);
    ASSERT_FALSE(joined);
    EXPECT_EQ(joined.error().code, Code::conflict);
    EXPECT_FALSE(membership_.is_online("t1"));
    EXPECT_TRUE(says_what_to_do()) << problem();
    EXPECT_TRUE(membership_.hello(says("b4", 4, 200), true, kStart)) << "the newest folder is brought back";
    EXPECT_EQ(problem(), "");
}

TEST_F(Copies, AnEmptyFolderDoesNotJoin) {
    wire::Hello empty = says("c1", 1, 5);
    empty.lineage.store_id = "store-2";
    EXPECT_FALSE(membership_.hello(empty, true, kStart));
    EXPECT_TRUE(says_what_to_do()) << problem();
}

TEST_F(Copies, AFolderIsKnownFromItsFirstHello) {
    const auto says_t2 = [&](const std::string& boot, const std::string& store, std::uint64_t generation) {
        wire::Hello message = hello("t2", boot);
        message.lineage = {.store_id = store, .branches = {}, .generation = generation, .age = 1, .boot_id = boot};
        return membership_.hello(message, true, kStart);
    };
    ASSERT_TRUE(says_t2("b1", "store-2", 1));
    EXPECT_TRUE(membership_.take_known_changed());
    membership_.goodbye("t2", {"b1"});
    EXPECT_FALSE(says_t2("c1", "store-3", 1)) << "an empty one in its place";
    EXPECT_TRUE(says_t2("b2", "store-2", 1)) << "it was killed before it could write down that somebody knows it";
}

TEST_F(Copies, WhatIsRememberedSurvivesTheProxy) {
    const auto known = membership_.known();
    Membership restarted("cluster-1", {"t1", "t2"}, 10, kSilence, known);
    EXPECT_FALSE(restarted.hello(says("c1", 3, 100), true, kStart));
    EXPECT_TRUE(restarted.hello(says("b4", 4, 200), true, kStart));
}

TEST_F(Copies, AcceptedACopyJoinsUnderANewBranchAndTheOriginalDoesNot) {
    EXPECT_EQ(membership_.accept("t1", "br-1").error().code, Code::conflict) << "nobody waits";
    EXPECT_EQ(membership_.accept("t9", "br-1").error().code, Code::not_found);
    ASSERT_FALSE(membership_.hello(says("c1", 3, 100), true, kStart));
    ASSERT_TRUE(membership_.accept("t1", "br-1"));
    EXPECT_TRUE(membership_.take_known_changed());
    ASSERT_TRUE(membership_.hello(says("c1", 3, 100), true, kStart));
    EXPECT_EQ(membership_.find("t1")->known.new_branch, "br-1") << "it is told until it says it";
    ASSERT_TRUE(membership_.hello(says("c1", 3, 100, {"br-1"}), true, kStart));
    EXPECT_EQ(membership_.find("t1")->known.new_branch, "");
    ASSERT_TRUE(membership_.heartbeat("t1", {.boot_id = "c1", .age = 110}, kStart));
    membership_.goodbye("t1", {"c1"});
    EXPECT_FALSE(membership_.hello(says("b4", 4, 200), true, kStart)) << "the original, found again";
    EXPECT_TRUE(membership_.hello(says("c2", 4, 110, {"br-1"}), true, kStart));
}

TEST_F(Copies, OfTwoProcessesOfOneIdTheFirstStays) {
    ASSERT_TRUE(membership_.hello(says("b4", 4, 200), true, kStart));
    Instant now = kStart;
    const auto second = [&] {
        auto message = says("c1", 4, 200);
        message.endpoint = "http://elsewhere";
        return membership_.hello(message, true, now);
    };
    EXPECT_EQ(second().error().code, Code::unavailable) << "the first may be about to be found dead";
    for (int i = 0; i < 12; ++i) {
        now += milliseconds(500);
        ASSERT_TRUE(membership_.heartbeat("t1", {.boot_id = "b4", .age = 200}, now));
        EXPECT_FALSE(second());
    }
    EXPECT_FALSE(problem().empty());
    EXPECT_EQ(membership_.find("t1")->endpoint, "http://t1");
    now += std::chrono::seconds(11);
    ASSERT_TRUE(membership_.heartbeat("t1", {.boot_id = "b4", .age = 200}, now));
    membership_.tick(now);
    EXPECT_EQ(problem(), "") << "the second is gone";
}

TEST_F(Copies, AProcessIsFollowedByItsSuccessorAsSoonAsItIsSilent) {
    ASSERT_TRUE(membership_.hello(says("b4", 4, 200), true, kStart));
    wire::Hello successor = says("b5", 5, 210);
    successor.endpoint = "http://elsewhere";
    EXPECT_FALSE(membership_.hello(successor, true, kStart + milliseconds(500)));
    EXPECT_TRUE(membership_.hello(successor, true, kStart + milliseconds(1250)));
}

TEST_F(Copies, ThatBothListenEverywhereDoesNotSayThatTheFirstIsGone) {
    wire::Hello first = says("b4", 4, 200);
    first.endpoint = "http://0.0.0.0:9000";
    ASSERT_TRUE(membership_.hello(first, true, kStart));
    wire::Hello second = says("b5", 5, 210);
    second.endpoint = first.endpoint;
    EXPECT_EQ(membership_.hello(second, true, kStart + milliseconds(100)).error().code, Code::unavailable);
}

TEST_F(Copies, AProcessThatListensWhereTheOneBeforeDidFollowsItAtOnce) {
    ASSERT_TRUE(membership_.hello(says("b4", 4, 200), true, kStart));
    ASSERT_TRUE(membership_.heartbeat("t1", {.boot_id = "b4", .age = 205}, kStart));
    EXPECT_FALSE(membership_.hello(says("c1", 4, 200), true, kStart + milliseconds(100))) << "a copy is one wherever it listens";
    EXPECT_TRUE(membership_.hello(says("b5", 5, 210), true, kStart + milliseconds(100)));
    EXPECT_TRUE(membership_.is_online("t1"));
}

TEST_F(Copies, RecordsFromBeforeThereWereGenerationsAreAccepted) {
    Membership old("cluster-1", {"t1", "t2"}, 10, kSilence);
    EXPECT_TRUE(old.hello(says("b4", 4, 200), true, kStart));
    EXPECT_TRUE(old.hello(hello("t2"), true, kStart)) << "a target that says nothing of its folder";
}

TEST_F(Copies, StrangersAreNamedAndForgotten) {
    EXPECT_FALSE(membership_.hello(hello("t3"), true, kStart));
    ASSERT_EQ(membership_.strangers().size(), 1u);
    EXPECT_FALSE(membership_.strangers().at("t3").reason.empty());
    membership_.tick(kStart + std::chrono::seconds(11));
    EXPECT_TRUE(membership_.strangers().empty());
}

}  // namespace
}  // namespace millrace::scheduler
