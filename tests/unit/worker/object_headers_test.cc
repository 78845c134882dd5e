#include "worker/object_headers.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::worker {
namespace {

std::string text_of(const http::Headers& headers, std::string_view name) { return std::string(headers.find(name).value_or("none")); }

TEST(ObjectHeaders, CustomMetadataIsReadAsAIStoreWritesIt) {
    const auto custom = custom_metadata({{"Ais-Custom-Md", "a=1,  b = x=y ,c="}});
    ASSERT_TRUE(custom);
    EXPECT_EQ(*custom, (CustomMetadata{{"a", "1"}, {"b ", " x=y"}, {"c", ""}}));
    EXPECT_EQ(custom_metadata({{"ais-custom-md", "a=1"}, {"Ais-Custom-Md", "b=2, c=3"}}), (CustomMetadata{{"a", "1"}, {"b", "2"}, {"c", "3"}}));
    EXPECT_EQ(custom_metadata({}), CustomMetadata());
    EXPECT_EQ(custom_metadata({{"Ais-Custom-Md", "a"}}).error().code, Code::invalid_argument);
    EXPECT_EQ(custom_metadata({{"Ais-Custom-Md", "a=1, , b=2"}}).error().code, Code::invalid_argument);
}

TEST(ObjectHeaders, TheExactFormKeepsEveryKeyAndValue) {
    const CustomMetadata custom{{"a, b", "c=d & e"}, {"ü+", " +%20 "}};
    const auto back = custom_metadata({{"Millrace-Custom-Md", exact_custom_text(custom)}, {"Ais-Custom-Md", "another=one"}});
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, custom);
    EXPECT_EQ(custom_metadata({{"Millrace-Custom-Md", "a=%"}}).error().code, Code::invalid_argument);
}

TEST(ObjectHeaders, EachPairOfCustomMetadataIsAHeader) {
    store::ObjectInfo info;
    info.custom = {{"a", "1, 2"}, {"b", "x=y"}};
    std::vector<std::string> pairs;
    for (const auto& [name, value] : object_headers(info, TargetId("t-1"))) {
        if (name == "Ais-Custom-Md") pairs.push_back(value);
    }
    EXPECT_EQ(pairs, (std::vector<std::string>{"a=1, 2", "b=x=y"}));
}

TEST(ObjectHeaders, ANameThatAHeaderWouldChangeIsLeftOut) {
    for (const auto& [name, shown] : {std::pair("a b#c?.txt", "a b#c?.txt"), std::pair(" a", "none"), std::pair("a ", "none"), std::pair("ä", "none")}) {
        http::Headers headers;
        add_place_headers(headers, TargetId("t-1"), "b", name);
        EXPECT_EQ(text_of(headers, "Ais-Name"), shown);
        EXPECT_EQ(text_of(headers, "Ais-Location"), "t[t-1]");
    }
}

TEST(ObjectHeaders, OfAListOfPropertiesOnlyThoseAreAnswered) {
    store::ObjectInfo info;
    info.parts = store::Parts{3, 5};
    info.custom = {{"k", "v"}};
    const auto answered = [&](const std::string& list) {
        http::Headers headers = object_headers(info, TargetId("t-1"));
        add_place_headers(headers, TargetId("t-1"), "b", "x");
        EXPECT_TRUE(keep_properties(headers, list)) << list;
        return headers;
    };
    for (const char* name : {"ETag", "Last-Modified", "Ais-Version", "Ais-Location", "Ais-Chunks-Count", "Ais-Name", "Content-Type"}) {
        EXPECT_NE(text_of(answered(""), name), "none") << name << ": without a list all is answered";
    }
    const http::Headers few = answered(" chunked,version ,etag");
    EXPECT_EQ(text_of(few, "Ais-Chunks-Count"), "3");
    EXPECT_EQ(text_of(few, "Ais-Chunks-Max-Chunk-Size"), "5");
    EXPECT_EQ(text_of(few, "Ais-Version"), "1");
    EXPECT_NE(text_of(few, "ETag"), "none");
    for (const char* name : {"Last-Modified", "Ais-Checksum-Type", "Ais-Checksum-Value", "Ais-Location", "Ais-Custom-Md", "Ais-Mirror-Copies", "Ais-Atime"}) {
        EXPECT_EQ(text_of(few, name), "none") << name;
    }
    for (const char* name : {"Ais-Name", "Ais-Bucket-Name", "Ais-Present", "Content-Type"}) EXPECT_NE(text_of(few, name), "none") << name;
    EXPECT_EQ(text_of(answered("name,size"), "ETag"), "none");
    http::Headers headers = object_headers(info, TargetId("t-1"));
    EXPECT_EQ(keep_properties(headers, "size,colour").error().code, Code::invalid_argument);
    info.parts.reset();
    EXPECT_EQ(text_of(answered("chunked"), "Ais-Chunks-Count"), "none") << "an object in one piece";
}

TEST(ObjectHeaders, AChecksumIsOfAKnownKindAndHasItsLength) {
    const auto expected = [](const std::string& kind, const std::string& value) {
        return expected_content({{"Ais-Checksum-Type", kind}, {"Ais-Checksum-Value", value}});
    };
    EXPECT_EQ(expected_content({{"Ais-Checksum-Value", "00000000000000ff"}})->checksum, 255u);
    for (const char* kind : {"xxhash", "xxhash2"}) {
        EXPECT_EQ(expected(kind, "00000000000000FF")->checksum, 255u);
        EXPECT_FALSE(expected(kind, "00000000000000ff")->digest);
    }
    for (const auto& [kind, digits] : {std::pair("crc32c", 8), std::pair("md5", 32), std::pair("sha256", 64), std::pair("sha512", 128)}) {
        const auto known = expected(kind, std::string(digits, 'A'));
        ASSERT_TRUE(known && known->digest) << kind;
        EXPECT_EQ(known->digest->kind, kind);
        EXPECT_EQ(known->digest->hex, std::string(digits, 'a'));
        EXPECT_FALSE(known->checksum);
        EXPECT_EQ(expected(kind, std::string(digits - 1, 'a')).error().code, Code::invalid_argument) << kind;
        EXPECT_FALSE(expected(kind, "")->digest) << "a kind without a value says nothing";
    }
    const auto nothing = expected("none", "x");
    EXPECT_TRUE(nothing && !nothing->checksum && !nothing->digest);
    for (const char* value : {"ff", "00000000000000fg", "00000000000000ff0"}) {
        EXPECT_EQ(expected_content({{"Ais-Checksum-Value", value}}).error().code, Code::invalid_argument);
    }
    EXPECT_EQ(expected("sha1", std::string(40, 'a')).error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace millrace::worker
