#include "aistore/bucket_props.h"

#include <gmock/gmock.h>

namespace millrace::aistore {
namespace {

using nlohmann::json;
using testing::HasSubstr;

const wire::BucketEntry kBucket{"one", "bck-7k2m0q9xw4", 4096, 1'795'978'424'810'752'263};

std::string refusal(const json& wanted) {
    const Result<void> checked = check_wanted(wanted, bucket_props(kBucket));
    return checked ? "" : std::string(code_name(checked.error().code)) + ": " + checked.error().context;
}

TEST(BucketProps, EveryPartOfAistoresIsThere) {
    const json props = bucket_props(kBucket);
    for (const char* part : {"backend_bck", "write_policy", "checksum", "extra", "rate_limit", "ec", "chunks", "mirror", "lru", "versioning"}) {
        EXPECT_TRUE(props.contains(part) && props[part].is_object()) << part;
    }
    EXPECT_EQ(props["created"], "1795978424810752263");
    EXPECT_EQ(props["small_object_max"], 4096);
    EXPECT_NE(props["bid"], bucket_props({"one", "bck-another", 4096, 1})["bid"]);
}

TEST(BucketProps, WhatIsSoAnywayMayBeSet) {
    EXPECT_EQ(refusal(nullptr), "");
    EXPECT_EQ(refusal(json::object()), "");
    EXPECT_EQ(refusal({{"versioning", {{"enabled", true}}}, {"checksum", {{"type", "xxhash2"}}}}), "");
    EXPECT_EQ(refusal({{"mirror", {{"enabled", "false"}, {"copies", "1"}}}, {"ec", nullptr}}), "") << "from a command line all are texts";
    EXPECT_EQ(refusal({{"Mirror", {{"Enabled", false}}}}), "") << "keys are compared without case";
}

TEST(BucketProps, AnythingElseIsRefusedAndNamed) {
    EXPECT_THAT(refusal({{"versioning", {{"enabled", false}}}}), HasSubstr("invalid_argument: 'versioning.enabled' is true here and cannot be set to false"));
    EXPECT_THAT(refusal({{"mirror", {{"copies", 2}, {"enabled", true}}}}), HasSubstr("'mirror.copies' is 1 here and cannot be set to 2"));
    EXPECT_THAT(refusal({{"checksum", {{"type", "md5"}}}}), HasSubstr("'checksum.type' is \"xxhash2\" here"));
    EXPECT_THAT(refusal({{"nonsense", 1}}), HasSubstr("there is no property 'nonsense'; known: Renamed, access"));
    EXPECT_THAT(refusal({{"mirror", {{"nonsense", 1}}}}), HasSubstr("there is no property 'mirror.nonsense'; known: burst_buffer, copies, enabled"));
    EXPECT_THAT(refusal({{"mirror", true}}), HasSubstr("cannot be set to true"));
    EXPECT_THAT(refusal("text"), HasSubstr("must be an object"));
}

TEST(BucketProps, AValueMayBeNamedByItsPath) {
    const json props = bucket_props(kBucket);
    EXPECT_TRUE(check_wanted("versioning.enabled", "true", props));
    EXPECT_THAT(check_wanted("versioning.enabled", "off", props).error().context, HasSubstr("cannot be set to \"off\""));
    for (const char* path : {"", ".", "versioning.", "versioning.enabled.more", "no.such"}) {
        EXPECT_THAT(check_wanted(path, "1", props).error().context, HasSubstr("there is no property")) << path;
    }
}

TEST(BucketProps, AllBucketsTogether) {
    wire::Catalog catalog;
    catalog.version = 8;
    catalog.buckets = {kBucket};
    const json all = json::parse(bucket_metadata(catalog, "c-1"));
    EXPECT_EQ(all["version"], "8");
    EXPECT_EQ(all["uuid"], "c-1");
    EXPECT_EQ(all["providers"]["ais"]["@#"]["one"], bucket_props(kBucket));
}

}  // namespace
}  // namespace millrace::aistore
