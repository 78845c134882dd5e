#include "runtime/tail.h"

#include <gtest/gtest.h>

namespace millrace::runtime {
namespace {

TEST(Tail, KeepsEverythingThatFits) {
    Tail tail(16);
    tail.append("one\n");
    tail.append("two\n");
    EXPECT_EQ(tail.text(), "one\ntwo\n");
    EXPECT_EQ(tail.last_line(), "two");
}

TEST(Tail, KeepsWholeLastLines) {
    Tail tail(16);
    for (int i = 0; i < 1000; ++i) tail.append("line " + std::to_string(i) + "\n");
    EXPECT_EQ(tail.text(), "line 999\n");
    EXPECT_LE(tail.text().size(), 16u);
    tail.append(std::string(100, 'x'));
    EXPECT_EQ(tail.text(), std::string(16, 'x'));
}

TEST(Tail, KeepsNothingWhenTold) {
    Tail tail(0);
    tail.append("abc");
    EXPECT_EQ(tail.text(), "");
    EXPECT_EQ(tail.last_line(), "");
}

TEST(Tail, LastLineIsReadable) {
    Tail tail(4096);
    tail.append("first\nlast \x1b[31mred\r\n\n  \n");
    EXPECT_EQ(tail.last_line(), "last  [31mred");
    tail.append("\xff\xfe oops");
    EXPECT_EQ(tail.last_line(), "?? oops");
    EXPECT_EQ(one_line(std::string(1000, 'x')).size(), 300u);
    EXPECT_EQ(one_line(std::string(299, 'x') + "ä").size(), 299u);
}

}  // namespace
}  // namespace millrace::runtime
