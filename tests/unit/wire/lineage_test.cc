#include "wire/lineage.h"

#include <gtest/gtest.h>

namespace millrace::wire {
namespace {

// A folder as it is copied, and the process that runs from it.
struct Node {
    OwnLineage folder;
    std::uint64_t age = 100;
    std::string boot;

    void start(const std::string& boot_id) {
        folder = next_start(folder, age);
        boot = boot_id;
    }
    Lineage says() const { return {"store-1", folder.branches, folder.generation, folder.age, boot}; }
    // What the other side remembers after it has met this process, which has written some more since.
    Lineage met() {
        folder.met = true;
        age += 10;
        Lineage known = says();
        known.age = age;
        return known;
    }
};

TEST(Lineage, AStartAfterAStartIsTheSameNode) {
    Node node;
    node.start("b1");
    Lineage known = node.met();
    EXPECT_EQ(compare(known, node.says()), Kinship::same) << "the same process";
    node.start("b2");
    EXPECT_EQ(compare(known, node.says()), Kinship::same);
    EXPECT_EQ(compare({}, node.says()), Kinship::same) << "nothing is known";
    EXPECT_EQ(compare(known, {}), Kinship::same) << "a Millrace from before says nothing";
}

TEST(Lineage, AStartThatNobodyCameToKnowDoesNotCount) {
    Node node;
    node.start("b1");
    const Lineage known = node.met();
    for (const char* boot : {"b2", "b3", "b4"}) node.start(boot);
    EXPECT_EQ(node.says().generation, known.generation + 1);
    EXPECT_EQ(compare(known, node.says()), Kinship::same);
}

TEST(Lineage, AnOlderCopyIsOneHoweverOftenItIsStarted) {
    Node node;
    node.start("b1");
    (void)node.met();
    Node copy = node;
    node.start("b2");
    const Lineage known = node.met();
    for (const char* boot : {"c1", "c2", "c3", "c4"}) {
        copy.age += 50;  // what it writes while nobody knows it
        copy.start(boot);
        EXPECT_NE(compare(known, copy.says()), Kinship::same) << boot;
    }
}

TEST(Lineage, ACopyOfARunningFolderIsOlderOnceMoreWasWritten) {
    Node node;
    node.start("b1");
    (void)node.met();
    Node copy = node;
    const Lineage known = node.met();
    copy.start("c1");
    EXPECT_EQ(compare(known, copy.says()), Kinship::older_copy) << "although its generation is the next";
}

TEST(Lineage, ACopyThatIsStartedBesideTheOriginalIsATwin) {
    Node node;
    node.start("b1");
    (void)node.met();
    Node copy = node;
    node.start("b2");
    node.folder.met = true;
    Lineage known = node.says();
    copy.start("c1");
    EXPECT_EQ(compare(known, copy.says()), Kinship::twin);
}

TEST(Lineage, AnotherFolderIsAnotherFolder) {
    Node node;
    node.start("b1");
    const Lineage known = node.met();
    Lineage empty = node.says();
    empty.store_id = "store-2";
    empty.boot_id = "c1";
    EXPECT_EQ(compare(known, empty), Kinship::other_folder);
    EXPECT_NE(describe(Kinship::other_folder, "target t1", known, empty).find("store-2"), std::string::npos);
}

TEST(Lineage, OnceACopyWasAcceptedTheOriginalIsTheOther) {
    Node node;
    node.start("b1");
    (void)node.met();
    Node copy = node;
    node.start("b2");
    Lineage known = node.met();
    copy.start("c1");
    ASSERT_NE(compare(known, copy.says()), Kinship::same);
    known = copy.says();  // accepted as it is, and given a branch
    add_branch(copy.folder.branches, "br-1");
    copy.start("c2");
    EXPECT_EQ(compare(known, copy.says()), Kinship::same) << "its branch grew from what is known";
    known = copy.met();
    node.start("b3");
    node.age += 1000;
    node.start("b4");
    EXPECT_EQ(compare(known, node.says()), Kinship::other_branch);
}

TEST(Lineage, BranchesAreBounded) {
    std::vector<std::string> branches;
    for (std::size_t i = 0; i < kBranchesMax + 10; ++i) add_branch(branches, "br-" + std::to_string(i));
    EXPECT_EQ(branches.size(), kBranchesMax);
    EXPECT_EQ(branches.back(), "br-" + std::to_string(kBranchesMax + 9));
    Lineage lineage;
    lineage.branches = branches;
    EXPECT_TRUE(lineage.validate());
    lineage.branches.push_back("one more");
    EXPECT_FALSE(lineage.validate());
}

}  // namespace
}  // namespace millrace::wire
