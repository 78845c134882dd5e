#include "worker/object_headers.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

std::string text_of(const http::Headers& headers, std::string_view name) { return std::string(headers.find(name).value_or("none")); }

TEST(ObjectHeaders, CustomMetadataIsReadAsAIStoreWritesIt) {
    const auto custom = custom_metadata({{"Ais-Custom-Md", "a=1,  b = x=y ,c="}});
    ASSERT_TRUE(custom);
    EXPECT_EQ(*custom, (CustomMetadata{{"a", "1"}, {"b ", " x=y"}, {"c", ""}}));
    EXPECT_EQ(custom_text({{"a", "1"}, {"b", "x=y"}}), "a=1, b=x=y");
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

TEST(ObjectHeaders, ANameThatAHeaderWouldChangeIsLeftOut) {
    for (const auto& [name, shown] : {std::pair("a b#c?.txt", "a b#c?.txt"), std::pair(" a", "none"), std::pair("a ", "none"), std::pair("ä", "none")}) {
        http::Headers headers;
        add_place_headers(headers, TargetId("t-1"), "b", name);
        EXPECT_EQ(text_of(headers, "Ais-Name"), shown);
        EXPECT_EQ(text_of(headers, "Ais-Location"), "t[t-1]");
    }
}

TEST(ObjectHeaders, OnlyOneKindOfChecksumIsUnderstood) {
    EXPECT_EQ(**expected_checksum({{"Ais-Checksum-Type", "xxhash2"}, {"Ais-Checksum-Value", "00000000000000ff"}}), 255u);
    EXPECT_EQ(**expected_checksum({{"Ais-Checksum-Value", "00000000000000ff"}}), 255u);
    EXPECT_EQ(*expected_checksum({{"Ais-Checksum-Type", "none"}, {"Ais-Checksum-Value", "x"}}), std::nullopt);
    EXPECT_EQ(*expected_checksum({{"Ais-Checksum-Type", "xxhash2"}}), std::nullopt);
    for (const char* value : {"ff", "00000000000000fg", "00000000000000ff0"}) {
        EXPECT_EQ(expected_checksum({{"Ais-Checksum-Value", value}}).error().code, Code::invalid_argument);
    }
    EXPECT_EQ(expected_checksum({{"Ais-Checksum-Type", "md5"}}).error().code, Code::invalid_argument);
}

}  // namespace
}  // namespace millrace::worker
