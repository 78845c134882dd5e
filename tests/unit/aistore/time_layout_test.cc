#include "aistore/time_layout.h"

#include <gtest/gtest.h>

namespace millrace::aistore {
namespace {

constexpr std::string_view kTime = "2026-11-29T17:03:09.120Z";  // a Sunday

TEST(TimeLayout, EveryPartIsWrittenAsInTheExample) {
    EXPECT_EQ(in_layout(kTime, kDefaultLayout), "29 Nov 26 17:03 UTC");
    EXPECT_EQ(in_layout(kTime, "2006-01-02T15:04:05Z07:00"), "2026-11-29T17:03:09Z");
    EXPECT_EQ(in_layout(kTime, "Monday, January 2, 2006 3:04:05 PM -0700"), "Sunday, November 29, 2026 5:03:09 PM +0000");
    EXPECT_EQ(in_layout(kTime, "Mon Jan _2 15:04:05.000 MST"), "Sun Nov 29 17:03:09.120 UTC");
    EXPECT_EQ(in_layout("2026-03-05T00:00:00Z", "Jan _2 3pm 002 1/2/06"), "Mar  5 12am 064 3/5/26");
}

TEST(TimeLayout, FractionsAreOfSoManyDigitsOrOfThoseThatSaySomething) {
    EXPECT_EQ(in_layout(kTime, "05.000000"), "09.120000");
    EXPECT_EQ(in_layout(kTime, "05.999"), "09.12");
    EXPECT_EQ(in_layout("2026-11-29T17:03:09Z", "05.999"), "09");
    EXPECT_EQ(in_layout(kTime, "05.00000000000"), "09.12000000000") << "nine digits at most, what is behind them stands for itself";
}

TEST(TimeLayout, OtherTextStaysAndWhatIsNoTimeIsNothing) {
    EXPECT_EQ(in_layout(kTime, "at 15h"), "at 17h");
    EXPECT_EQ(in_layout(kTime, ""), "");
    for (const char* text : {"", "yesterday", "2026-13-29T17:03:09Z", "2026-11-29 17:03:09Z00", "xxxx-11-29T17:03:09Z"}) {
        EXPECT_EQ(in_layout(text, kDefaultLayout), "") << text;
    }
}

}  // namespace
}  // namespace millrace::aistore
