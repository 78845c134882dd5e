#include "core/names.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

TEST(Names, ObjectNamesThatStayInTheirBucketAreAllowed) {
    for (const char* name : {"a", "a/b/c.wav", ".hidden", "..a", "a..b", "a/...", "mit Leerzeichen", "ärger/☃.flac", "a%2fb", "a\\b", "-"}) {
        EXPECT_TRUE(validate_object_name(name)) << name;
    }
    EXPECT_TRUE(validate_object_name(std::string(1024, 'x')));
}

TEST(Names, ObjectNamesThatCouldLeaveTheirBucketAreRefused) {
    for (const char* name : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "../a", "a/.."}) {
        EXPECT_FALSE(validate_object_name(name)) << name;
    }
    EXPECT_FALSE(validate_object_name(std::string(1025, 'x')));
    EXPECT_FALSE(validate_object_name(std::string_view("a\0b", 3)));
    EXPECT_FALSE(validate_object_name("a\nb"));
    EXPECT_FALSE(validate_object_name("a\x7f"));
}

TEST(Names, TheReasonOfARefusalNamesTheRule) {
    EXPECT_NE(validate_object_name("a//b").error().context.find("empty path component"), std::string::npos);
    EXPECT_NE(validate_object_name("a/../b").error().context.find("'..'"), std::string::npos);
    EXPECT_EQ(validate_object_name("").error().code, Code::invalid_argument);
}

TEST(Names, OnlyStrictUtf8IsUtf8) {
    for (const char* text : {"", "plain", "\xc3\xa4", "\xe2\x98\x83", "\xf0\x9f\x8e\xb5", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf"}) {
        EXPECT_TRUE(is_utf8(text)) << text;
    }
    const std::vector<std::string> broken{"\x80", "\xc3", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\xaf",
                                          "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "a\xe2\x98", "\xe2\x28\xa1"};
    for (const std::string& text : broken) EXPECT_FALSE(is_utf8(text)) << testing::PrintToString(text);
}

TEST(Names, BucketNamesAreShortAndPlain) {
    for (const char* name : {"a", "Voices-2", "0.x_y", "9"}) EXPECT_TRUE(validate_bucket_name(name)) << name;
    for (const char* name : {"", "-a", ".a", "_a", "a b", "a/b", "ä"}) EXPECT_FALSE(validate_bucket_name(name)) << name;
    EXPECT_TRUE(validate_bucket_name(std::string(64, 'a')));
    EXPECT_FALSE(validate_bucket_name(std::string(65, 'a')));
}

TEST(Names, TransformNamesFollowAisRule) {
    for (const char* name : {"to-wav", "abcdef", "012345", "a----b"}) EXPECT_TRUE(validate_transform_name(name)) << name;
    for (const char* name : {"short", "-abcdef", "abcdef-", "Abcdef", "abc_def", ""}) EXPECT_FALSE(validate_transform_name(name)) << name;
    EXPECT_TRUE(validate_transform_name(std::string(32, 'a')));
    EXPECT_FALSE(validate_transform_name(std::string(33, 'a')));
}

TEST(Names, UriHasABucketAndPerhapsAnObject) {
    const auto bucket = parse_object_uri("ais://voices");
    ASSERT_TRUE(bucket);
    EXPECT_EQ(bucket->bucket, "voices");
    EXPECT_EQ(bucket->object, "");
    const auto object = parse_object_uri("ais://voices/a/b%20c.wav");
    ASSERT_TRUE(object);
    EXPECT_EQ(object->object, "a/b%20c.wav") << "taken literally";
    EXPECT_EQ(parse_object_uri("ais://voices/")->object, "");
    for (const char* text : {"", "voices", "s3://voices", "ais:/voices", "ais://", "ais:///x"}) EXPECT_FALSE(parse_object_uri(text)) << text;
}

}  // namespace
}  // namespace millrace
