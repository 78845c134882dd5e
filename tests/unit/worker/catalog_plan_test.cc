#include "worker/catalog_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/names.h"

namespace millrace::worker {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

wire::BucketEntry bucket(const std::string& name, const std::string& uid) { return {name, uid, 1000, 1}; }

std::vector<std::string> names_of(const std::vector<wire::BucketEntry>& buckets) {
    std::vector<std::string> names;
    for (const wire::BucketEntry& entry : buckets) names.push_back(entry.name);
    return names;
}

TEST(CatalogPlan, OnlyWhatWasDestroyedGoes) {
    CatalogPlan plan({.version = 1, .buckets = {bucket("a", "u1"), bucket("b", "u2")}}, {.version = 2, .destroyed_uids = {"u1"}});
    EXPECT_THAT(plan.destructions(), ElementsAre("u1"));
    plan.destroyed("u1", "a", {});
    EXPECT_TRUE(plan.knows_otherwise());
    EXPECT_THAT(names_of(plan.known().buckets), ElementsAre("b")) << "nothing says that it was destroyed";
    EXPECT_THAT(plan.renamings(), IsEmpty());
}

TEST(CatalogPlan, WhatCouldNotBeDestroyedIsStillKnownAndIsTheProblem) {
    CatalogPlan plan({.version = 1, .buckets = {bucket("a", "u1")}}, {.version = 2, .buckets = {bucket("a", "u2")}, .destroyed_uids = {"u1"}});
    plan.destroyed("u1", "a", fail(Code::io, "the disk says no"));
    EXPECT_FALSE(plan.knows_otherwise());
    EXPECT_THAT(plan.renamings(), IsEmpty()) << "it does not make way: it is to go";
    EXPECT_THAT(plan.creations(), IsEmpty());
    ASSERT_EQ(plan.problems().size(), 2u);
    EXPECT_EQ(plan.problems()[1].reason, "another bucket still has the name here");
}

TEST(CatalogPlan, NamesAreExchangedInOneStep) {
    CatalogPlan plan({.version = 1, .buckets = {bucket("a", "u1"), bucket("b", "u2")}},
                     {.version = 2, .buckets = {bucket("b", "u1"), bucket("a", "u2")}});
    const auto renamings = plan.renamings();
    ASSERT_EQ(renamings.size(), 2u);
    plan.renamed(renamings, {});
    EXPECT_TRUE(plan.knows_otherwise());
    EXPECT_THAT(names_of(plan.creations()), ElementsAre("b", "a"));
    EXPECT_THAT(plan.problems(), IsEmpty());
}

TEST(CatalogPlan, WhatCouldNotBeRenamedKeepsItsNameAndNobodyGetsIt) {
    CatalogPlan plan({.version = 1, .buckets = {bucket("a", "u1")}}, {.version = 2, .buckets = {bucket("b", "u1"), bucket("a", "u2")}});
    plan.renamed(plan.renamings(), fail(Code::io, "the disk says no"));
    EXPECT_FALSE(plan.knows_otherwise());
    EXPECT_THAT(plan.creations(), IsEmpty());
    ASSERT_EQ(plan.problems().size(), 2u);
    EXPECT_EQ(plan.problems()[0], (wire::CatalogProblem{"b", "bucket 'a' could not be renamed: the disk says no"}));
    EXPECT_EQ(plan.problems()[1], (wire::CatalogProblem{"a", "another bucket still has the name here"}));
}

TEST(CatalogPlan, ABucketThatNobodyKnowsMakesWayForOneOfItsName) {
    CatalogPlan plan({.version = 1, .buckets = {bucket("a", "u1"), bucket("b", "u2")}}, {.version = 2, .buckets = {bucket("a", "u3")}});
    const auto renamings = plan.renamings();
    ASSERT_EQ(renamings.size(), 1u) << "the other is in nobody's way";
    EXPECT_EQ(renamings[0].to, "lost-u1");
    plan.renamed(renamings, {});
    EXPECT_THAT(names_of(plan.creations()), ElementsAre("a"));
}

TEST(CatalogPlan, ABucketIsKnownBeforeItIsCreated) {
    CatalogPlan plan({.version = 1, .buckets = {bucket("a", "u1")}}, {.version = 2, .buckets = {bucket("a", "u1"), bucket("b", "u2")}});
    EXPECT_THAT(plan.renamings(), IsEmpty());
    EXPECT_FALSE(plan.knows_otherwise());
    EXPECT_THAT(names_of(plan.creations()), ElementsAre("a", "b"));
    EXPECT_TRUE(plan.knows_otherwise());
    EXPECT_THAT(names_of(plan.known().buckets), ElementsAre("a", "b"));
    EXPECT_EQ(plan.known().version, 1u) << "the catalog is not applied yet";

    CatalogPlan again(plan.known(), plan.wanted());
    EXPECT_THAT(names_of(again.creations()), ElementsAre("a", "b"));
    EXPECT_FALSE(again.knows_otherwise());
}

TEST(CatalogPlan, AnEntryThatCannotBeHoldsUpNoOther) {
    CatalogPlan plan({}, {.version = 2, .buckets = {{"bad", "u1", kSmallObjectBytesMax + 1, 1}, bucket("good", "u2"), bucket("full", "u3")},
                          .transforms = {{"to-wav", "{}", true}, {"NO", "{}", true}}});
    EXPECT_THAT(names_of(plan.creations()), ElementsAre("good", "full"));
    plan.created(bucket("good", "u2"), {});
    plan.created(bucket("full", "u3"), fail(Code::no_space, "the disk is full"));
    plan.finish();
    EXPECT_EQ(plan.known().version, 2u);
    EXPECT_THAT(names_of(plan.known().buckets), ElementsAre("good", "full")) << "the disk may have it all the same";
    EXPECT_EQ(plan.known().transforms.size(), 1u);
    std::vector<std::string> named;
    for (const wire::CatalogProblem& problem : plan.problems()) named.push_back(problem.name);
    EXPECT_THAT(named, ElementsAre("bad", "full", "NO"));
}

}  // namespace
}  // namespace millrace::worker
