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

}  // namespace
}  // namespace millrace::scheduler
