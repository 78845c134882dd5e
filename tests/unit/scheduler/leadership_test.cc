#include "scheduler/leadership.h"

#include <gtest/gtest.h>

namespace millrace::scheduler {
namespace {

using Branches = std::vector<std::string>;

// A proxy whose folder is of start 3, when it had made 100 changes.
class ProxyFromAFolder : public testing::Test {
protected:
    wire::Hello remembers(std::uint64_t generation, std::uint64_t age, Branches branches = {}, const std::string& boot = "b-before") const {
        return {.target_id = "t1", .cluster_id = "c-1", .proxy = {"p-1", std::move(branches), generation, age, boot}};
    }
    Leadership leadership_{"p-1", "c-1", "b-now", {.branches = {"br-old"}, .generation = 3, .age = 100}};
};

TEST_F(ProxyFromAFolder, LeadsTargetsThatRememberItAsItWas) {
    EXPECT_TRUE(leadership_.hear(remembers(2, 90, {"br-old"}), 0));
    EXPECT_EQ(leadership_.outdated(), "");
    EXPECT_EQ(leadership_.accepted("br-new").error().code, Code::conflict) << "there is nothing to accept";
}

TEST_F(ProxyFromAFolder, LeadsNobodyOnceATargetRemembersANewerStateOfIt) {
    EXPECT_FALSE(leadership_.hear(remembers(4, 150, {"br-old"}), 0));
    EXPECT_NE(leadership_.outdated().find("millrace cluster accept p-1"), std::string::npos) << leadership_.outdated();
    EXPECT_FALSE(leadership_.hear(remembers(2, 90, {"br-old"}), 0)) << "whoever else comes";
}

// Killed between a catalog and the heartbeat that would have told how old its folder had become.
TEST_F(ProxyFromAFolder, LeadsNobodyOnceATargetHasANewerCatalog) {
    wire::Hello hello = remembers(2, 90, {"br-old"});
    hello.catalog_version = 5;
    EXPECT_TRUE(leadership_.hear(hello, 5));
    EXPECT_FALSE(leadership_.hear(hello, 4));
    EXPECT_NE(leadership_.outdated().find("(catalog 4; known is 5)"), std::string::npos) << leadership_.outdated();
    EXPECT_TRUE(leadership_.accepted("br-new"));
}

TEST_F(ProxyFromAFolder, IsAcceptedAsABranchThatTargetsOfEveryOtherFollow) {
    ASSERT_FALSE(leadership_.hear(remembers(6, 150, {"br-old", "br-2"}), 0));
    ASSERT_FALSE(leadership_.hear(remembers(5, 170, {"br-old", "br-3"}), 0));
    const auto own = leadership_.accepted("br-new");
    ASSERT_TRUE(own.has_value());
    leadership_.accept(*own);
    EXPECT_TRUE(leadership_.hear(remembers(6, 150, {"br-old", "br-2"}), 0));
    EXPECT_TRUE(leadership_.hear(remembers(5, 170, {"br-old", "br-3"}), 0));
    EXPECT_EQ(leadership_.own().branches.back(), "br-new");
    EXPECT_GT(leadership_.own().generation, 6u);
}

TEST_F(ProxyFromAFolder, CountsItsLivesSinceTheCopyWasMade) {
    EXPECT_EQ(leadership_.lives_since_copy(), 1u);
    ASSERT_FALSE(leadership_.hear(remembers(4, 150, {"br-old"}), 0));
    EXPECT_EQ(leadership_.lives_since_copy(), 1u) << "the one before was not accepted";
    ASSERT_FALSE(leadership_.hear(remembers(6, 150, {"br-old", "br-2", "br-3"}), 0));
    ASSERT_FALSE(leadership_.hear(remembers(5, 170, {"br-old", "br-2"}), 0));
    EXPECT_EQ(leadership_.lives_since_copy(), 3u) << "the copy was used twice before";
}

}  // namespace
}  // namespace millrace::scheduler
