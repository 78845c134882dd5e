#include "aistore/object_page.h"

#include <gtest/gtest.h>

namespace millrace::aistore {
namespace {

using nlohmann::json;

Result<PageRequest> ask(json value, const std::string& query = "") {
    return parse_page_request({"list", "", std::move(value)}, *Query::parse(query), "one");
}

// What the SDK sends when nothing is said.
json plain(json more = json::object()) {
    json value{{"prefix", ""}, {"pagesize", 0}, {"uuid", ""}, {"props", ""}, {"continuation_token", ""}, {"flags", "0"}, {"target", ""}};
    value.update(more);
    return value;
}

scheduler::Listing listing() {
    scheduler::Listing listed;
    static const std::string custom = wire::packed_custom({{"k1", "v1"}, {"k2", "v2"}});
    constexpr std::int64_t kNewYear = 1'767'225'600'000'000'000;
    constexpr std::int64_t kDay = 86'400'000'000'000;
    listed.entries.push_back({{.name = "dir/", .folder = true}, "t1"});
    listed.entries.push_back({{.name = "empty", .version = 1, .written_unix_ns = kNewYear}, "t1"});
    listed.entries.push_back({{.name = "ü/x", .size = 5, .checksum = 0xc5, .version = 9, .written_unix_ns = kNewYear + kDay, .custom = custom}, "t2"});
    listed.next = "ü/x";
    return listed;
}

json decoded(const std::string& bytes) { return json::from_msgpack(bytes); }

TEST(ObjectPage, ARequestWithoutWishesIsForTheLargestPageFromTheStart) {
    const auto page = ask(plain());
    ASSERT_TRUE(page);
    EXPECT_EQ(page->listing.bucket, "one");
    EXPECT_EQ(page->listing.entries_max, 10'000u);
    EXPECT_EQ(page->listing.after, "");
    EXPECT_FALSE(page->listing.folded);
    EXPECT_EQ(page->props, (std::set<std::string>{"name", "size", "cached"}));
}

TEST(ObjectPage, EveryWishIsRead) {
    const auto page = ask(plain({{"prefix", "ü"}, {"pagesize", 7}, {"uuid", "list-1"}, {"props", "name, checksum"}, {"target", "t2"},
                                 {"continuation_token", "b"}, {"start_after", "a"}}));
    ASSERT_TRUE(page);
    EXPECT_EQ(page->listing.prefix, "ü");
    EXPECT_EQ(page->listing.entries_max, 7u);
    EXPECT_EQ(page->listing.target, "t2");
    EXPECT_EQ(page->listing.after, "b");
    EXPECT_EQ(page->uuid, "list-1");
    EXPECT_EQ(page->props, (std::set<std::string>{"name", "checksum"}));
    EXPECT_EQ(ask(plain({{"start_after", "a"}}))->listing.after, "a");
    EXPECT_EQ(ask(plain({{"pagesize", 1'000'000}}))->listing.entries_max, 10'000u);
    EXPECT_EQ(ask(plain({{"pagesize", 0}}))->listing.entries_max, 10'000u);
    EXPECT_EQ(ask(plain({{"pagesize", -5}})).error().code, Code::invalid_argument);
}

TEST(ObjectPage, WithoutAMessageTheQueryCounts) {
    const auto page = ask(nullptr, "prefix=a&pagesize=3&continuation_token=b");
    ASSERT_TRUE(page);
    EXPECT_EQ(page->listing.prefix, "a");
    EXPECT_EQ(page->listing.entries_max, 3u);
    EXPECT_EQ(page->listing.after, "b");
    EXPECT_EQ(ask(nullptr)->listing.entries_max, 1000u);
}

TEST(ObjectPage, FlagsFoldFoldersAndChooseProperties) {
    const auto folded = ask(plain({{"flags", std::to_string(1 << 11)}}));
    EXPECT_TRUE(folded->listing.folded);
    EXPECT_TRUE(ask(plain({{"flags", std::to_string(1 << 11 | 1 << 13)}}))->listing.folded);
    EXPECT_EQ(ask(plain({{"flags", "16"}, {"props", "name,size"}}))->props, std::set<std::string>{"name"});
    EXPECT_EQ(ask(plain({{"flags", "32"}}))->props, (std::set<std::string>{"name", "size"}));
}

TEST(ObjectPage, WhatIsAboutRemoteBucketsIsRefusedByName) {
    for (const auto& [bit, name] : {std::pair(9, "NOT_CACHED"), std::pair(12, "DIFF")}) {
        const auto page = ask(plain({{"flags", std::to_string(1 << bit)}}));
        ASSERT_FALSE(page) << name;
        EXPECT_EQ(page.error().code, Code::invalid_argument);
        EXPECT_NE(page.error().context.find(name), std::string::npos);
    }
}

TEST(ObjectPage, ArchivesAndInventoriesAreRefused) {
    EXPECT_EQ(ask(plain({{"flags", "8"}})).error().code, Code::invalid_argument);
    EXPECT_EQ(ask(plain({{"flags", "32768"}})).error().code, Code::invalid_argument);
    EXPECT_EQ(ask(plain({{"flags", "lots"}})).error().context, "'flags' must be a whole number");
    EXPECT_EQ(ask(plain({{"prefix", 3}})).error().context, "'prefix' must be a text");
    EXPECT_FALSE(ask(plain({{"pagesize", "x"}})));
    EXPECT_FALSE(ask(plain({{"props", 1}})));
}

TEST(ObjectPage, MsgpackHasKeysOfOneLetterAndLeavesOutWhatIsZero) {
    PageRequest request = *ask(plain({{"uuid", "list-1"}}));
    const json page = decoded(msgpack_page(listing(), request));
    EXPECT_EQ(page["UUID"], "list-1");
    EXPECT_EQ(page["ContinuationToken"], "ü/x");
    EXPECT_EQ(page["Flags"], 0);
    EXPECT_EQ(page["Entries"], json::parse(R"([{"n":"dir/","f":256},{"n":"empty","f":64},{"n":"ü/x","f":64,"s":5}])"));
    request.props = {"name", "checksum", "version", "atime", "copies", "location"};
    EXPECT_EQ(decoded(msgpack_page(listing(), request))["Entries"][2],
              json::parse(R"({"n":"ü/x","f":64,"cs":"00000000000000c5","v":"9","a":"02 Jan 26 00:00 UTC","c":1,"t":"t[t2]"})"));
}

TEST(ObjectPage, AnEmptyBucketIsAPageWithoutEntries) {
    const json page = decoded(msgpack_page({}, *ask(plain())));
    EXPECT_EQ(page["Entries"], json::array());
    EXPECT_EQ(page["ContinuationToken"], "");
}

TEST(ObjectPage, JsonHasWholeWordsAndSizesAsText) {
    const auto request = ask(plain({{"uuid", "list-1"}, {"props", "name,size,atime,custom,version"}, {"time_format", "2006-01-02"}}));
    ASSERT_TRUE(request && request->listing.with_custom);
    const json page = json::parse(json_page(listing(), *request));
    EXPECT_EQ(page["entries"][0], (json{{"name", "dir/"}, {"flags", 256}}));
    EXPECT_EQ(page["entries"][1], json::parse(R"({"name":"empty","flags":64,"version":"1","atime":"2026-01-01"})"));
    EXPECT_EQ(page["entries"][2],
              json::parse(R"({"name":"ü/x","flags":64,"size":"5","version":"9","atime":"2026-01-02","custom-md":"[k1:v1 k2:v2]"})"));
    EXPECT_EQ(page["continuation_token"], "ü/x");
    EXPECT_EQ(page["uuid"], "list-1");
    EXPECT_EQ(page["flags"], 0);
}

TEST(ObjectPage, CustomMetadataIsOnlyReadWhereItIsAskedFor) {
    EXPECT_FALSE(ask(plain())->listing.with_custom);
    PageRequest request = *ask(plain({{"props", "name,custom"}}));
    EXPECT_EQ(decoded(msgpack_page(listing(), request))["Entries"][2], json::parse(R"({"n":"ü/x","f":64,"m":"[k1:v1 k2:v2]"})"));
}

TEST(ObjectPage, ARequestInOurOwnWordsIsAnsweredInThem) {
    const json page = json::parse(json_page(listing(), *ask(nullptr, "pagesize=3")));
    EXPECT_EQ(page["entries"][0], (json{{"name", "dir/"}, {"folder", true}}));
    EXPECT_EQ(page["entries"][2], json::parse(R"({"name":"ü/x","size":5,"checksum":"00000000000000c5","version":9,)"
                                              R"("written_at":"2026-01-02T00:00:00.000Z","target":"t2"})"));
}

}  // namespace
}  // namespace millrace::aistore
