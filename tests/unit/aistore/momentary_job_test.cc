#include "aistore/momentary_job.h"

#include <gtest/gtest.h>

#include <cctype>

namespace millrace::aistore {
namespace {

using nlohmann::json;

constexpr std::int64_t kNow = 1'795'978'424'810'752'263;

bool is_clients_id(const std::string& id) {
    const bool allowed = id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == id.npos;
    return allowed && id.size() >= 9 && id.size() < 32 && std::isalpha(static_cast<unsigned char>(id.front())) != 0;
}

TEST(MomentaryJob, TheIdOfARenamingSaysWhatAndWhen) {
    const std::string id = momentary_id({"move-bck", "bck-7k2m0q9xw4", kNow});
    EXPECT_TRUE(is_clients_id(id)) << id;
    const auto job = parse_momentary_id(id);
    ASSERT_TRUE(job);
    EXPECT_EQ(job->kind, "move-bck");
    EXPECT_EQ(job->bucket_uid, "bck-7k2m0q9xw4");
    EXPECT_EQ(momentary_status(id, *job), (json{{"kind", "move-bck"}, {"uuid", id}, {"err", ""}, {"end_time", kNow}, {"aborted", false}}));
    const json snap = momentary_snapshot(id, *job, "one");
    EXPECT_EQ(snap["bck"]["name"], "one");
    EXPECT_EQ(snap["is_idle"], true);
    EXPECT_EQ(snap["end-time"], snap["start-time"]);
}

TEST(MomentaryJob, WhatHasNothingToDoIsOverAtOnce) {
    for (const char* kind : {"lru", "rebalance", "resilver", "cleanup-store"}) {
        EXPECT_TRUE(has_nothing_to_do(kind));
        const std::string id = momentary_id({kind, "", kNow});
        EXPECT_TRUE(is_clients_id(id)) << id;
        const auto job = parse_momentary_id(id);
        ASSERT_TRUE(job) << id;
        EXPECT_EQ(job->kind, kind);
        EXPECT_EQ(job->at_unix_ns, kNow);
        EXPECT_EQ(momentary_snapshot(id, *job, "")["bck"]["name"], "");
    }
    EXPECT_FALSE(has_nothing_to_do("etl-bck"));
}

TEST(MomentaryJob, OtherIdsAreNotTaken) {
    for (const char* other : {"job-1", "job-7k2m0q9xw4", "move-x", "move-x-1", "move--0dn7x7sy8ccvw", "lru", "lru-", "lru-dn7x7sy8ccv!",
                              "copy-bck-dn7x7sy8ccvw", ""}) {
        EXPECT_FALSE(parse_momentary_id(other)) << other;
    }
}

}  // namespace
}  // namespace millrace::aistore
