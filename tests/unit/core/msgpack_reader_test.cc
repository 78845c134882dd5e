#include "core/msgpack_reader.h"

#include <gtest/gtest.h>

#include <map>
#include <msgpack.hpp>
#include <string>
#include <tuple>
#include <vector>

namespace millrace {
namespace {

template <class Value>
std::string packed(const Value& value) {
    msgpack::sbuffer buffer;
    msgpack::pack(buffer, value);
    return {buffer.data(), buffer.size()};
}

TEST(MsgpackReader, ReadsNumbersOfEveryWidth) {
    for (const std::uint64_t value : {0ull, 127ull, 128ull, 255ull, 256ull, 65'535ull, 65'536ull, 1ull << 32, ~0ull}) {
        const std::string bytes = packed(value);
        MsgpackReader reader(bytes);
        EXPECT_EQ(reader.count(), value);
        EXPECT_TRUE(reader.is_complete()) << value;
    }
    for (const std::int64_t value : {0ll, 5ll, -1ll, -32ll, -33ll, -129ll, -40'000ll, -(1ll << 40), 1ll << 62}) {
        const std::string bytes = packed(value);
        MsgpackReader reader(bytes);
        EXPECT_EQ(reader.number(), value);
        EXPECT_TRUE(reader.is_complete()) << value;
    }
}

TEST(MsgpackReader, GivesTextsAsViewsAndCollectionsByTheirCount) {
    for (const std::size_t size : {0u, 31u, 32u, 255u, 256u, 70'000u}) {
        const std::string bytes = packed(std::vector<std::string>{std::string(size, 'x')});
        MsgpackReader reader(bytes);
        EXPECT_EQ(reader.array(), 1u);
        const std::string_view text = reader.text();
        EXPECT_EQ(text.size(), size);
        EXPECT_GE(text.data(), bytes.data());
        EXPECT_TRUE(reader.is_complete());
    }
    const std::string many = packed(std::vector<int>(70'000));
    EXPECT_EQ(MsgpackReader(many).array(), 70'000u);
    const std::string some = packed(std::map<std::string, int>{{"a", 1}, {"b", 2}});
    EXPECT_EQ(MsgpackReader(some).map(), 2u);
}

TEST(MsgpackReader, PassesOverWhateverItIs) {
    const std::map<std::string, std::vector<std::tuple<double, bool, std::string>>> nested{{"a", {{1.5, true, "x"}}}, {"b", {}}};
    const std::string bytes = packed(nested) + packed(7);
    MsgpackReader reader(bytes);
    EXPECT_EQ(reader.skip(), packed(nested));
    EXPECT_EQ(reader.count(), 7u);
    EXPECT_TRUE(reader.is_complete());
    for (const std::string& kind : {std::string("\xc0"), std::string("\xd6\x01xxxx"), std::string("\xc7\x02\x01xx"), std::string("\xca\0\0\0\0", 5)}) {
        MsgpackReader one(kind);
        EXPECT_EQ(one.skip(), kind);
        EXPECT_TRUE(one.is_complete());
    }
}

TEST(MsgpackReader, WhatIsOfAnotherKindOrCutOffFailsForGood) {
    const std::string text = packed(std::string("x")) + packed(1);
    MsgpackReader reader(text);
    EXPECT_EQ(reader.count(), 0u);
    EXPECT_FALSE(reader.ok());
    EXPECT_EQ(reader.count(), 0u);
    EXPECT_FALSE(reader.is_complete());
    EXPECT_FALSE(reader.nil());
    const std::string minus = packed(-1);
    MsgpackReader negative(minus);
    EXPECT_EQ(negative.count(), 0u);
    EXPECT_FALSE(negative.ok());
    const std::string whole = packed(std::map<std::string, std::string>{{"key", std::string(300, 'v')}});
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) {
        MsgpackReader cut(std::string_view(whole).substr(0, bytes));
        EXPECT_EQ(cut.skip(), "");
        EXPECT_FALSE(cut.ok()) << bytes;
    }
}

TEST(MsgpackReader, ACountThatNothingFollowsEndsAtOnce) {
    MsgpackReader reader("\xdd\xff\xff\xff\xff");
    EXPECT_EQ(reader.skip(), "");
    EXPECT_FALSE(reader.ok());
}

}  // namespace
}  // namespace millrace
