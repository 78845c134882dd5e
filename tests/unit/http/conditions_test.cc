// RFC 9110, section 13, line by line.
#include "http/conditions.h"

#include <gtest/gtest.h>

namespace millrace::http {
namespace {

using Verdict = Conditions::Verdict;

constexpr std::int64_t kNow = 1'796'000'000;
constexpr const char* kBefore = "Sun, 06 Nov 1994 08:49:36 GMT";
constexpr const char* kThen = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* kAfter = "Sun, 06 Nov 1994 08:49:38 GMT";
const Validators kCurrent{"\"a\"", 784'111'777};

Verdict verdict(const Headers& headers, bool reads, const Validators* current = &kCurrent) { return Conditions(headers, kNow).judge(current, reads).verdict; }
Verdict read(const Headers& headers, const Validators* current = &kCurrent) { return verdict(headers, true, current); }
Verdict change(const Headers& headers, const Validators* current = &kCurrent) { return verdict(headers, false, current); }

TEST(Conditions, NoneIsFulfilled) {
    EXPECT_EQ(read({}), Verdict::go_on);
    EXPECT_EQ(change({}, nullptr), Verdict::go_on);
    EXPECT_FALSE(Conditions(Headers{{"If-Range", "\"a\""}, {"Range", "bytes=0-"}}, kNow).any());
    EXPECT_TRUE(Conditions(Headers{{"if-match", "*"}}, kNow).any());
}

TEST(Conditions, IfMatchComparesStrongly) {
    for (const char* tags : {"\"a\"", "*", " * ", "\"b\", \"a\"", "\"b\",\"a\" , \"c\"", ",, \"a\",", "W/\"a\", \"a\""}) {
        EXPECT_EQ(read({{"If-Match", tags}}), Verdict::go_on) << tags;
        EXPECT_EQ(change({{"If-Match", tags}}), Verdict::go_on) << tags;
    }
    for (const char* tags : {"\"b\"", "W/\"a\"", "a", "\"a", "a\"", "", "\"a\" \"a\"", "\"a\"x", "*, \"a\"", "w/\"a\"", "\"\"", "\"A\""}) {
        EXPECT_EQ(read({{"If-Match", tags}}), Verdict::failed) << tags;
        EXPECT_EQ(change({{"If-Match", tags}}), Verdict::failed) << tags;
    }
    EXPECT_EQ(read({{"If-Match", "\"b\""}, {"If-Match", "\"a\""}}), Verdict::go_on) << "several lines are one list";
    EXPECT_EQ(change({{"If-Match", "*"}}, nullptr), Verdict::failed);
    EXPECT_EQ(change({{"If-Match", "\"a\""}}, nullptr), Verdict::failed);
}

TEST(Conditions, TagsMayHoldCommas) {
    const Validators current{"\"a,b\"", std::nullopt};
    EXPECT_EQ(read({{"If-Match", "\"x\", \"a,b\""}}, &current), Verdict::go_on);
    EXPECT_EQ(read({{"If-Match", "\"a\", \"b\""}}, &current), Verdict::failed);
}

TEST(Conditions, IfNoneMatchComparesWeakly) {
    for (const char* tags : {"\"a\"", "W/\"a\"", "*", "\"b\", W/\"a\""}) {
        EXPECT_EQ(read({{"If-None-Match", tags}}), Verdict::not_modified) << tags;
        EXPECT_EQ(change({{"If-None-Match", tags}}), Verdict::failed) << tags;
    }
    EXPECT_EQ(read({{"If-None-Match", "\"b\""}}), Verdict::go_on);
    EXPECT_EQ(change({{"If-None-Match", "\"b\""}}), Verdict::go_on);
    EXPECT_EQ(change({{"If-None-Match", "*"}}, nullptr), Verdict::go_on);
    EXPECT_EQ(change({{"If-None-Match", "\"a\""}}, nullptr), Verdict::go_on);
    for (const char* tags : {"a", "", "\"a"}) {
        EXPECT_EQ(read({{"If-None-Match", tags}}), Verdict::go_on) << tags;
        EXPECT_EQ(change({{"If-None-Match", tags}}), Verdict::failed) << tags << ": nothing is changed against what nobody can read";
    }
}

TEST(Conditions, DatesAreComparedBySeconds) {
    EXPECT_EQ(read({{"If-Modified-Since", kBefore}}), Verdict::go_on);
    EXPECT_EQ(read({{"If-Modified-Since", kThen}}), Verdict::not_modified);
    EXPECT_EQ(read({{"If-Modified-Since", kAfter}}), Verdict::not_modified);
    EXPECT_EQ(read({{"If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"}}), Verdict::not_modified);
    EXPECT_EQ(read({{"If-Modified-Since", "Sun Nov  6 08:49:37 1994"}}), Verdict::not_modified);
    EXPECT_EQ(read({{"If-Unmodified-Since", kBefore}}), Verdict::failed);
    EXPECT_EQ(read({{"If-Unmodified-Since", kThen}}), Verdict::go_on);
    EXPECT_EQ(change({{"If-Unmodified-Since", kBefore}}), Verdict::failed);
    EXPECT_EQ(change({{"If-Unmodified-Since", kAfter}}), Verdict::go_on);
}

TEST(Conditions, DatesThatMeanNothingAreIgnored) {
    EXPECT_EQ(change({{"If-Modified-Since", kAfter}}), Verdict::go_on) << "it is about reading";
    EXPECT_EQ(read({{"If-Modified-Since", "yesterday"}}), Verdict::go_on);
    EXPECT_EQ(read({{"If-Unmodified-Since", "0"}}), Verdict::go_on);
    EXPECT_EQ(read({{"If-Modified-Since", kAfter}, {"If-Modified-Since", kAfter}}), Verdict::go_on) << "two are none";
    const Validators undated{"\"a\"", std::nullopt};
    EXPECT_EQ(read({{"If-Modified-Since", kAfter}}, &undated), Verdict::go_on);
    EXPECT_EQ(read({{"If-Unmodified-Since", kBefore}}, &undated), Verdict::go_on);
    EXPECT_EQ(change({{"If-Unmodified-Since", kBefore}}, nullptr), Verdict::go_on);
}

TEST(Conditions, TagsCountBeforeDatesAndMatchingBeforeNotMatching) {
    EXPECT_EQ(read({{"If-Match", "\"a\""}, {"If-Unmodified-Since", kBefore}}), Verdict::go_on);
    EXPECT_EQ(read({{"If-None-Match", "\"b\""}, {"If-Modified-Since", kAfter}}), Verdict::go_on);
    EXPECT_EQ(read({{"If-None-Match", "\"a\""}, {"If-Modified-Since", kBefore}}), Verdict::not_modified);
    EXPECT_EQ(read({{"If-None-Match", "x"}, {"If-Modified-Since", kAfter}}), Verdict::go_on) << "present, though nobody can read it";
    EXPECT_EQ(read({{"If-Match", "\"b\""}, {"If-None-Match", "\"a\""}}), Verdict::failed);
    EXPECT_EQ(read({{"If-Match", "\"a\""}, {"If-None-Match", "\"a\""}}), Verdict::not_modified);
    EXPECT_EQ(read({{"If-Unmodified-Since", kBefore}, {"If-None-Match", "\"a\""}}), Verdict::failed);
    EXPECT_EQ(Conditions(Headers{{"If-Unmodified-Since", kBefore}}, kNow).judge(&kCurrent, true).header, "If-Unmodified-Since");
}

TEST(Conditions, OfWhatHasNoTagOnlyItsBeingThereCanBeDemanded) {
    const Validators nothing;
    EXPECT_EQ(read({{"If-Match", "*"}}, &nothing), Verdict::go_on);
    EXPECT_EQ(read({{"If-Match", "\"\""}}, &nothing), Verdict::failed);
    EXPECT_EQ(read({{"If-None-Match", "\"\""}}, &nothing), Verdict::go_on);
    EXPECT_EQ(read({{"If-None-Match", "*"}}, &nothing), Verdict::not_modified);
    EXPECT_FALSE(Conditions(Headers{{"If-Range", ""}}, kNow).wants_part_of(nothing));
}

TEST(Conditions, APartIsWantedOfThisVeryContentOnly) {
    const auto wants = [](const char* text) { return Conditions(Headers{{"If-Range", text}}, kNow).wants_part_of(kCurrent); };
    EXPECT_TRUE(Conditions().wants_part_of(kCurrent));
    EXPECT_TRUE(wants("\"a\""));
    EXPECT_TRUE(wants(" \"a\""));
    for (const char* other : {"\"b\"", "W/\"a\"", "a", "*", "\"a\", \"b\"", "", kThen, kAfter}) EXPECT_FALSE(wants(other)) << other;
    EXPECT_FALSE(Conditions(Headers{{"If-Range", "\"a\""}, {"If-Range", "\"b\""}}, kNow).wants_part_of(kCurrent));
}

}  // namespace
}  // namespace millrace::http
