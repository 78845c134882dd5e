#include "core/json.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace {
namespace {

std::string repeated(const std::string& text, std::size_t times) {
    std::string whole;
    for (std::size_t i = 0; i < times; ++i) whole += text;
    return whole;
}

TEST(Json, IsParsed) {
    const auto parsed = parse_json(R"({"a": [1, "}]\"[", null]})");
    ASSERT_TRUE(parsed);
    EXPECT_EQ((*parsed)["a"][1], "}]\"[");
}

TEST(Json, ErrorNamesThePlace) {
    const auto parsed = parse_json("{\"a\": nul}");
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Code::invalid_argument);
    EXPECT_EQ(parsed.error().context, "not valid JSON at byte 10");
    for (const char* text : {"", "{", "[1,]", "\"", "\"\\", "1e99999", "\"\xff\"", "{\"a\":1}}", "nan"}) EXPECT_FALSE(parse_json(text)) << text;
    EXPECT_TRUE(json_or_null("{").is_null());
}

TEST(Json, NestingHasALimit) {
    for (const std::string open : {"[", "{\"a\":", "[{\"a\":"}) {
        EXPECT_FALSE(parse_json(repeated(open, 100'000))) << open;
    }
    EXPECT_FALSE(parse_json(repeated("[", 3'000'000)));
    EXPECT_FALSE(parse_json(repeated("[", 100'000) + repeated("]", 100'000)));
    EXPECT_TRUE(parse_json(repeated("[", 64) + repeated("]", 64)));
    EXPECT_FALSE(parse_json(repeated("[", 65) + repeated("]", 65)));
    EXPECT_TRUE(parse_json("[" + repeated("[],", 1000) + "\"" + repeated("[", 1000) + "\"]"));  // side by side, and in a text
}

TEST(Json, NumberOfValuesHasALimit) {
    EXPECT_TRUE(parse_json("[1,2,3]", {.values_max = 4}));
    const auto parsed = parse_json("[1,2,3,4]", {.values_max = 4});
    ASSERT_FALSE(parsed);
    EXPECT_EQ(parsed.error().code, Code::too_large);
    EXPECT_FALSE(parse_json("[" + repeated("[],", 2'000'000) + "[]]"));
}

}  // namespace
}  // namespace millrace
