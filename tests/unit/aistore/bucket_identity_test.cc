#include "aistore/bucket_identity.h"

#include <gtest/gtest.h>

namespace millrace::aistore {
namespace {

using nlohmann::json;

Query query(const std::string& text) { return *Query::parse(text); }

TEST(BucketIdentity, APathNamesABucketOfTheUnnamedNamespace) {
    EXPECT_EQ(*bucket_of_path("ais/@#/one/"), "one");
    EXPECT_EQ(*bucket_of_path("ais/@#/one"), "one");
    EXPECT_EQ(*bucket_of_path("one"), "one");
}

TEST(BucketIdentity, WhatIsNoSuchPathIsRefused) {
    for (const char* path : {"", "a b", "ais/one", "/", "ais/@#/"}) EXPECT_FALSE(bucket_of_path(path)) << path;
    EXPECT_EQ(bucket_of_path("ais/@#/a b/").error().code, Code::invalid_argument);
}

TEST(BucketIdentity, OtherProvidersAndNamespacesHaveNoBuckets) {
    EXPECT_TRUE(check_provider(query("provider=ais"), "one"));
    EXPECT_TRUE(check_provider(query(""), "one"));
    EXPECT_TRUE(check_provider(query("provider=ais&namespace=%40%23"), "one"));
    const auto foreign = check_provider(query("provider=aws"), "one");
    EXPECT_EQ(foreign.error().code, Code::not_found);
    EXPECT_TRUE(foreign.error().context.starts_with("bucket \"aws://one\" does not exist")) << foreign.error().context;
    EXPECT_EQ(check_provider(query("provider=ais&namespace=%40u%23n"), "one").error().code, Code::not_found);
    EXPECT_EQ(bucket_of_path("aws/@#/one/").error().code, Code::not_found);
    EXPECT_EQ(bucket_of_path("ais/@u#n/one/").error().code, Code::not_found);
}

TEST(BucketIdentity, AModelNamesABucket) {
    EXPECT_EQ(*bucket_of_model({{"name", "one"}, {"provider", "ais"}, {"namespace", nullptr}}), "one");
    EXPECT_EQ(*bucket_of_model(bucket_model("one")), "one");
    EXPECT_EQ(bucket_of_model({{"name", "one"}, {"provider", "gcp"}}).error().code, Code::not_found);
    EXPECT_EQ(bucket_of_model({{"name", "one"}, {"namespace", {{"uuid", "u"}, {"name", "n"}}}}).error().code, Code::not_found);
    EXPECT_EQ(bucket_of_model({{"name", 7}}).error().code, Code::invalid_argument);
    EXPECT_EQ(bucket_of_model(json("one")).error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace millrace::aistore
