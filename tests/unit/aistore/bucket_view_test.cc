#include "aistore/bucket_view.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace millrace::aistore {
namespace {

using nlohmann::json;

TEST(BucketView, ASummaryHasItsCountsAsText) {
    const json sum = json::parse(bucket_summary("one", {.objects = 4, .bytes = 10, .smallest_bytes = 1, .largest_bytes = 5}, 200));
    EXPECT_EQ(sum["name"], "one");
    EXPECT_EQ(sum["provider"], "ais");
    EXPECT_EQ(sum["ObjCount"]["obj_count_present"], "4");
    EXPECT_EQ(sum["TotalSize"]["size_all_present_objs"], "10");
    EXPECT_EQ(sum["TotalSize"]["size_all_remote_objs"], "0");
    EXPECT_EQ(sum["TotalSize"]["total_disks_size"], "200");
    EXPECT_EQ(sum["used_pct"], 5);
    EXPECT_EQ(sum["ObjSize"], json::parse(R"({"obj_min_size":1,"obj_avg_size":2,"obj_max_size":5})"));
    EXPECT_EQ(json::parse(bucket_summary("one", {}, 0))["ObjSize"]["obj_avg_size"], 0);
}

TEST(BucketView, TheIdOfASummaryKeepsItsPrefix) {
    for (const char* prefix : {"", "a/b", "ü ?#%/", "."}) {
        const auto kept = summary_prefix(summary_id(prefix));
        ASSERT_TRUE(kept) << prefix;
        EXPECT_EQ(*kept, prefix);
        EXPECT_EQ(summary_id(prefix).find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string::npos);
    }
    EXPECT_NE(summary_id("a"), summary_id("a"));
}

TEST(BucketView, AnIdOfSomethingElseIsNotFound) {
    for (const char* id : {"job-1", "summary-1-6", "summary-1-!!", "other-61"}) EXPECT_EQ(summary_prefix(id).error().code, Code::not_found) << id;
}

TEST(BucketView, BucketsAreListedByName) {
    wire::Catalog catalog;
    catalog.buckets = {{"b", "bck-1", 1, 2}, {"a", "bck-2", 1, 2}};
    const json list = json::parse(bucket_list(bucket_names(catalog, "")));
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list[0], json::parse(R"({"name":"a","provider":"ais","namespace":{"uuid":"","name":""}})"));
    EXPECT_EQ(bucket_names(catalog, "b"), std::vector<std::string>{"b"});
    EXPECT_EQ(bucket_list(bucket_names(catalog, "c")), "[]");
}

}  // namespace
}  // namespace millrace::aistore
