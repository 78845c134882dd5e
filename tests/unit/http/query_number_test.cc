#include "http/query_number.h"

#include <gtest/gtest.h>

namespace millrace::http {
namespace {

Result<std::optional<std::uint64_t>> limit_in(std::string_view text, std::uint64_t least = 1, std::uint64_t most = UINT64_MAX) {
    return query_number(*Query::parse(text), "limit", least, most);
}

TEST(QueryNumber, IsReadWithinItsBounds) {
    EXPECT_EQ(*limit_in("limit=1"), 1u);
    EXPECT_EQ(*limit_in("limit=18446744073709551615"), UINT64_MAX);
    EXPECT_EQ(*limit_in("limit=0", 0), 0u);
    EXPECT_EQ(*limit_in("limit=7", 1, 7), 7u);
    for (const char* absent : {"", "other=1", "limit=", "limit"}) EXPECT_EQ(*limit_in(absent), std::nullopt) << absent;
}

TEST(QueryNumber, AnythingElseIsRefusedByName) {
    for (const char* text : {"limit=0", "limit=-1", "limit=abc", "limit=1x", "limit=+1", "limit=%201", "limit=1.5",
                             "limit=18446744073709551616", "limit=0x10"}) {
        const auto number = limit_in(text);
        ASSERT_FALSE(number) << text;
        EXPECT_EQ(number.error().code, Code::invalid_argument);
        EXPECT_TRUE(number.error().context.starts_with("limit must be a whole number from 1 up, not '")) << number.error().context;
    }
    EXPECT_EQ(limit_in("limit=8", 1, 7).error().context, "limit must be a whole number from 1 to 7, not '8'");
}

}  // namespace
}  // namespace millrace::http
