#include "scheduler/desired_catalog.h"

#include <gtest/gtest.h>

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
    EXPECT_EQ(catalog.rename_bucket("a", "no/name").error().code, Code::invalid_argument);
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

}  // namespace
}  // namespace millrace::scheduler
