#include "scheduler/membership.h"

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
    ASSERT_TRUE(membership_.hello(hello("t1", "b2"), true, kStart + milliseconds(1)));
    EXPECT_TRUE(membership_.find("t1")->transforms.empty());
    EXPECT_EQ(membership_.find("t1")->transforms_of_catalog, 0u);
    EXPECT_TRUE(membership_.is_online("t1"));
}

}  // namespace
}  // namespace millrace::scheduler
