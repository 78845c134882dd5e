#include "scheduler/desired_catalog.h"

#include <gtest/gtest.h>

#include "core/names.h"

namespace millrace::scheduler {
namespace {

TEST(DesiredCatalog, ARenamedBucketKeepsItsUid) {
    DesiredCatalog catalog{wire::Catalog{}};
    ASSERT_TRUE(catalog.create_bucket("old", 100, 7));
    const std::string uid = catalog.bucket("old")->uid;
    const std::uint64_t version = catalog.wire().version;
    ASSERT_TRUE(catalog.rename_bucket("old", "new"));
    EXPECT_EQ(catalog.wire().version, version + 1);
    EXPECT_EQ(catalog.bucket("old"), nullptr);
    ASSERT_NE(catalog.bucket("new"), nullptr);
    EXPECT_EQ(catalog.bucket("new")->uid, uid);
    EXPECT_EQ(catalog.bucket("new")->small_object_bytes_max, 100u);
    EXPECT_TRUE(catalog.wire().destroyed_uids.empty());
    EXPECT_TRUE(catalog.create_bucket("old", 100, 8)) << "the name is free";
}

TEST(DesiredCatalog, ARenamingThatCannotBeChangesNothing) {
    DesiredCatalog catalog{wire::Catalog{}};
    ASSERT_TRUE(catalog.create_bucket("a", 100, 7));
    ASSERT_TRUE(catalog.create_bucket("b", 100, 7));
    const std::uint64_t version = catalog.wire().version;
    EXPECT_EQ(catalog.rename_bucket("nobody", "c").error().code, Code::not_found);
    EXPECT_EQ(catalog.rename_bucket("a", "b").error().code, Code::already_exists);
    EXPECT_EQ(catalog.rename_bucket("a", "a").error().code, Code::already_exists);
    for (const char* name : {"no/name", "a..b", "a.."}) {
        EXPECT_EQ(catalog.rename_bucket("a", name).error().code, Code::invalid_argument) << name;
        EXPECT_EQ(catalog.create_bucket(name, 100, 7).error().code, Code::invalid_argument) << name;
    }
    EXPECT_EQ(catalog.wire().version, version);
}

TEST(DesiredCatalog, TheImageOfATransformIsTheFirstThatATargetRan) {
    DesiredCatalog catalog{wire::Catalog{}};
    ASSERT_TRUE(catalog.add_transform("to-upper", "{}"));
    const std::uint64_t version = catalog.wire().version;
    ASSERT_TRUE(catalog.set_image("to-upper", ""));
    EXPECT_EQ(catalog.wire().version, version) << "not a container, or not known yet";
    ASSERT_TRUE(catalog.set_image("to-upper", "sha256:a"));
    EXPECT_EQ(catalog.wire().version, version + 1);
    ASSERT_TRUE(catalog.set_image("to-upper", "sha256:b"));
    EXPECT_EQ(catalog.transform("to-upper")->image, "sha256:a");
    EXPECT_EQ(catalog.wire().version, version + 1);
    ASSERT_TRUE(catalog.set_specification("to-upper", "{\"version\":\"2\"}"));
    EXPECT_EQ(catalog.transform("to-upper")->image, "") << "it is looked up again";
    EXPECT_EQ(catalog.wire().version, version + 2);
    EXPECT_EQ(catalog.set_image("nobody", "sha256:a").error().code, Code::not_found);
    EXPECT_EQ(catalog.set_specification("nobody", "{}").error().code, Code::not_found);
}

TEST(DesiredCatalogLimits, WhatTargetsWouldRefuseIsRefused) {
    DesiredCatalog catalog{wire::Catalog{}};
    EXPECT_EQ(catalog.create_bucket("huge", kSmallObjectBytesMax + 1, 1).error().code, Code::invalid_argument);
    EXPECT_TRUE(catalog.create_bucket("large", kSmallObjectBytesMax, 1));
    EXPECT_EQ(catalog.add_transform("to-wav-of-all", std::string(kSpecBytesMax + 1, ' ')).error().code, Code::invalid_argument);
    EXPECT_EQ(catalog.wire().buckets.size(), 1u);
    EXPECT_EQ(catalog.wire().version, 1u);
}

TEST(DestroyedUids, GoOnceEveryMemberHasAppliedTheirCatalog) {
    DesiredCatalog catalog{wire::Catalog{.version = 5, .destroyed_uids = {"u-old"}}};
    ASSERT_TRUE(catalog.create_bucket("one", 1, 1));   // 6
    ASSERT_TRUE(catalog.destroy_bucket("one"));        // 7
    ASSERT_TRUE(catalog.create_bucket("two", 1, 1));   // 8
    EXPECT_FALSE(catalog.drop_destroyed(4)) << "a target that was away may still have the bucket";
    EXPECT_TRUE(catalog.drop_destroyed(6));
    EXPECT_EQ(catalog.wire().destroyed_uids.size(), 1u) << "not of version 7";
    DesiredCatalog restarted(catalog.wire(), catalog.destroyed_at());
    EXPECT_FALSE(restarted.drop_destroyed(6));
    EXPECT_TRUE(restarted.drop_destroyed(7));
    EXPECT_TRUE(restarted.wire().destroyed_uids.empty());
    EXPECT_EQ(restarted.wire().version, 8u);
}

TEST(DesiredCatalogOvertakes, TheNewerCatalogOfTargetsComesBackBeyondAllNumbers) {
    DesiredCatalog catalog{wire::Catalog{.version = 3}};
    const wire::Catalog newer{.version = 9, .buckets = {{"kept", "u-1", 1, 1}}, .destroyed_uids = {"u-0"}, .transforms = {}};
    catalog.overtake(newer, 12, 1);
    EXPECT_NE(catalog.bucket("kept"), nullptr);
    EXPECT_GT(catalog.wire().version, 12u);
    const std::uint64_t version = catalog.wire().version;
    catalog.overtake(wire::Catalog{}, 0, 1);
    EXPECT_NE(catalog.bucket("kept"), nullptr) << "what is newer stays";
    EXPECT_GT(catalog.wire().version, version);
    DesiredCatalog once{wire::Catalog{.version = 3}};
    DesiredCatalog twice{wire::Catalog{.version = 3}};
    once.overtake(wire::Catalog{}, 0, 1);
    twice.overtake(wire::Catalog{}, 0, 2);
    EXPECT_GT(twice.wire().version, once.wire().version) << "a life of the same copy that nobody here has heard of";
}

}  // namespace
}  // namespace millrace::scheduler
