#include "http/date.h"

#include <gtest/gtest.h>

namespace millrace::http {
namespace {

constexpr std::int64_t kNow = 1'796'000'000;  // in November 2026

TEST(Date, AllThreeFormsMeanTheSame) {
    for (const char* text : {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994",
                             "Mon, 06 Nov 1994 08:49:37 GMT"}) {
        EXPECT_EQ(parse_date(text, kNow), 784'111'777) << text;
    }
    EXPECT_EQ(date_text(784'111'777), "Sun, 06 Nov 1994 08:49:37 GMT");
    EXPECT_EQ(date_text(0), "Thu, 01 Jan 1970 00:00:00 GMT");
    EXPECT_EQ(parse_date("Thu Jan 15 00:00:00 1970", kNow), 14 * 86'400);
}

TEST(Date, WhatIsWrittenIsRead) {
    for (const std::int64_t seconds : {0l, 951'782'400l, 951'868'799l, 1'709'164'800l, 4'102'444'799l, kNow}) {
        EXPECT_EQ(parse_date(date_text(seconds), kNow), seconds) << date_text(seconds);
    }
}

TEST(Date, AShortYearIsOfNoFarFuture) {
    EXPECT_EQ(date_text(*parse_date("Friday, 31-Dec-76 23:59:59 GMT", kNow)), "Thu, 31 Dec 2076 23:59:59 GMT");
    EXPECT_EQ(date_text(*parse_date("Friday, 31-Dec-77 23:59:59 GMT", kNow)), "Sat, 31 Dec 1977 23:59:59 GMT");
}

TEST(Date, AnythingElseIsNone) {
    for (const char* text : {"", "0", "now", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 UTC", "Sun, 6 Nov 1994 08:49:37 GMT",
                             "sun, 06 nov 1994 08:49:37 gmt", "Sun, 06 Nov 94 08:49:37 GMT", "Sun, 31 Feb 2000 08:49:37 GMT", "Sun, 00 Nov 1994 08:49:37 GMT",
                             "Sun, 06 Nov 1994 24:00:00 GMT", "Sun, 06 Nov 1994 08:60:00 GMT", "Sun, 06 Nov 1994 08:49:37 GMT ",
                             "Sun, 06 Nov 1994 08:49:37 GMT,",
                             "Sun Nov 06 1994 08:49:37", "Sun, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37Z", "\"Sun, 06 Nov 1994 08:49:37 GMT\""}) {
        EXPECT_EQ(parse_date(text, kNow), std::nullopt) << text;
    }
}

}  // namespace
}  // namespace millrace::http
