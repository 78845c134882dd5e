#include <gmock/gmock.h>

#include <set>

#include "cli/load.h"
#include "cli/size_mix.h"
#include "fake_cluster.h"

namespace millrace::cli {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

constexpr const char* kCluster = R"({"targets": [{"id": "t1", "endpoint": ")";

// A proxy that is its own only target.
class Cluster {
public:
    explicit Cluster(std::map<std::string, Scripted> replies)
        : node_([this, replies = std::move(replies)](const Seen& seen, http::Response& response) -> Task<void> {
              Scripted reply{200, ""};
              if (seen.target == "/v1/cluster") reply.body = kCluster + node_.url() + R"(", "online": true}]})";
              if (const auto found = replies.find(seen.method + " " + seen.target); found != replies.end()) reply = found->second;
              return answer(response, reply.status, reply.headers, reply.body);
          }) {}
    FakeNode* operator->() { return &node_; }

private:
    FakeNode node_;
};

TEST(SizeMix, IsOneSizeOrSharesOfSeveral) {
    const auto one = SizeMix::parse("4KiB");
    ASSERT_TRUE(one) << one.error().context;
    EXPECT_EQ(one->size_of(17, 1), 4096u);
    const auto mix = SizeMix::parse("1KiB:9,1MiB:1");
    ASSERT_TRUE(mix) << mix.error().context;
    int large = 0;
    for (std::uint64_t number = 0; number < 10'000; ++number) large += mix->size_of(number, 7) == 1 << 20 ? 1 : 0;
    EXPECT_NEAR(large, 1000, 100);
    EXPECT_EQ(mix->size_of(5, 7), mix->size_of(5, 7));
}

TEST(SizeMix, SaysWhatItIsNot) {
    for (const char* text : {"", "4KiB,", "4KiB:", "4KiB:0", "4KiB:x", "many", "1KiB:1:2"}) EXPECT_FALSE(SizeMix::parse(text)) << text;
}

TEST(LoadResult, PercentilesAreThoseOfTheSortedTimes) {
    LoadResult result;
    EXPECT_EQ(result.percentile_ms(0.5), 0);
    for (std::uint32_t time = 100; time >= 1; --time) result.latencies_us.push_back(time * 1000);
    EXPECT_EQ(result.percentile_ms(0.5), 50);
    EXPECT_EQ(result.percentile_ms(0.99), 99);
    EXPECT_EQ(result.percentile_ms(1), 100);
    EXPECT_EQ(result.percentile_ms(0), 1);
}

TEST(Bench, PutsAsManyAsWereAskedForUnderNamesThatCount) {
    Cluster cluster({});
    const Outcome outcome = cluster->run({"bench", "put", "ais://b/in/", "--count", "3", "--size", "10", "--json"});
    ASSERT_EQ(outcome.status, kExitDone) << outcome.err;
    const json document = json::parse(outcome.out);
    EXPECT_EQ(document["objects"], 3);
    EXPECT_EQ(document["bytes"], 30);
    EXPECT_EQ(document["errors"], 0);
    EXPECT_GT(document["latency_ms"]["max"].get<double>(), 0);
    std::set<std::string> puts;
    for (const Seen& seen : cluster->seen()) {
        if (seen.method == "PUT") puts.insert(seen.target);
    }
    EXPECT_EQ(puts, (std::set<std::string>{"/v1/objects/b/in/000000000", "/v1/objects/b/in/000000001", "/v1/objects/b/in/000000002"}));
}

TEST(Bench, AMixFetchesAndStoresBesideWhatItFetches) {
    Cluster cluster({{"GET /v1/buckets/b?pagesize=10000", {200, R"({"entries": [{"name": "x"}], "continuation_token": ""})"}}});
    const Outcome outcome = cluster->run({"bench", "mixed", "ais://b", "--put-share", "30", "--count", "200", "--size", "10", "--json"});
    ASSERT_EQ(outcome.status, kExitDone) << outcome.err;
    int puts = 0;
    int gets = 0;
    for (const Seen& seen : cluster->seen()) {
        if (seen.method == "PUT" && seen.target.starts_with("/v1/objects/b/mixed-1/")) ++puts;
        if (seen.method == "GET" && seen.target == "/v1/objects/b/x") ++gets;
    }
    EXPECT_EQ(puts + gets, 200);
    EXPECT_NEAR(puts, 60, 25);
}

TEST(Bench, CountsWhatFailsAndNamesTheFirst) {
    Cluster cluster({{"GET /v1/buckets/b?pagesize=10000", {200, R"({"entries": [{"name": "x"}], "continuation_token": ""})"}},
                     {"GET /v1/objects/b/x?etl_name=squeeze", {422, R"({"code": "rejected", "detail": "no squeezing today"})"}}});
    const Outcome outcome = cluster->run({"bench", "inline", "ais://b", "--etl", "squeeze", "--count", "5"});
    EXPECT_EQ(outcome.status, kExitFailedObjects);
    EXPECT_THAT(outcome.err, HasSubstr("5 operations failed; the first: no squeezing today"));
}

TEST(Bench, AnEmptyBucketSaysWhatToDo) {
    Cluster cluster({{"GET /v1/buckets/b?pagesize=10000", {200, R"({"entries": [], "continuation_token": ""})"}}});
    const Outcome outcome = cluster->run({"bench", "get", "ais://b"});
    EXPECT_EQ(outcome.status, kExitNotFound);
    EXPECT_THAT(outcome.err, HasSubstr("first: millrace bench put ais://b"));
}

TEST(Bench, BadNumbersAreUsageErrors) {
    Cluster cluster({});
    for (const char* duration : {"soon", "-1s"}) EXPECT_EQ(cluster->run({"bench", "put", "ais://b", "--duration", duration}).status, kExitUsage);
    EXPECT_EQ(cluster->run({"bench", "put", "ais://b", "--size", "4KiB:0"}).status, kExitUsage);
    EXPECT_EQ(cluster->run({"bench", "put", "ais://b", "--concurrency", "0"}).status, kExitUsage);
    EXPECT_EQ(cluster->run({"bench", "job", "ais://b", "ais://c"}).status, kExitUsage);
}

}  // namespace
}  // namespace millrace::cli
