#include "core/uri.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

TEST(Uri, OnlyUnreservedCharactersStayAsTheyAre) {
    EXPECT_EQ(percent_encode("aZ09-._~"), "aZ09-._~");
    EXPECT_EQ(percent_encode("a b/c?d#e%"), "a%20b%2Fc%3Fd%23e%25");
    EXPECT_EQ(percent_encode("\xc3\xa4"), "%C3%A4");
    EXPECT_EQ(encode_object_path("a b/c?.wav"), "a%20b/c%3F.wav");
}

TEST(Uri, DecodingUndoesEncodingForAllBytes) {
    std::mt19937_64 random(1);
    for (int round = 0; round < 1000; ++round) {
        std::string text;
        for (std::uint64_t i = random() % 20; i > 0; --i) text += static_cast<char>(random());
        EXPECT_EQ(*percent_decode(percent_encode(text)), text);
        EXPECT_EQ(*percent_decode(encode_object_path(text)), text);
    }
}

TEST(Uri, APercentNeedsTwoHexDigits) {
    EXPECT_EQ(*percent_decode("%41%62%2f"), "Ab/");
    for (const char* text : {"%", "%4", "a%", "%zz", "%4g", "%%41"}) EXPECT_FALSE(percent_decode(text)) << text;
}

TEST(Query, KeepsOrderAndDecodes) {
    const auto query = Query::parse("b=1&a=x%26y&flag&=empty&b=2");
    ASSERT_TRUE(query);
    EXPECT_EQ(query->get("b"), "1") << "the first of two";
    EXPECT_EQ(query->get("a"), "x&y");
    EXPECT_EQ(query->get("flag", "fallback"), "") << "it is there, without a value";
    EXPECT_EQ(query->get("missing", "fallback"), "fallback");
    EXPECT_FALSE(query->find("missing"));
    EXPECT_EQ(query->items().size(), 5u);
}

TEST(Query, PlusIsASpaceUnlessItIsEncoded) { EXPECT_EQ(Query::parse("a=1+2%2B3")->get("a"), "1 2+3"); }

TEST(Query, EmptyPairsAreIgnored) {
    EXPECT_TRUE(Query::parse("")->items().empty());
    EXPECT_EQ(Query::parse("&&a=1&")->items().size(), 1u);
    EXPECT_EQ(Query::parse("a==")->get("a"), "=");
}

TEST(Query, NumberOfPartsHasALimit) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "a=1&";
    EXPECT_TRUE(Query::parse(text));
    EXPECT_FALSE(Query::parse(text + "b"));
}

TEST(Query, BadEncodingIsAnError) { EXPECT_FALSE(Query::parse("a=%")); }

TEST(Query, TextReadsBack) {
    Query query;
    query.add("a b", "c&d=e");
    query.add("x", "");
    EXPECT_EQ(query.text(), "a%20b=c%26d%3De&x=");
    EXPECT_EQ(Query::parse(query.text())->items(), query.items());
}

}  // namespace
}  // namespace millrace
