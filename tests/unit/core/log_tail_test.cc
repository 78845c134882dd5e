#include "core/log_tail.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::log {
namespace {

// The tail is of the process: what is looked at is what came after the start of the test.
class LogTail : public testing::Test {
protected:
    void SetUp() override {
        ASSERT_TRUE(start("node-1", Level::info, "/dev/null"));
        begin_ = tail(Level::debug).end;
        begin_of_errors_ = tail(Level::error).end;
    }
    std::uint64_t begin_ = 0, begin_of_errors_ = 0;
};

std::size_t lines(const std::string& text) { return static_cast<std::size_t>(std::ranges::count(text, '\n')); }

TEST_F(LogTail, HasTheLinesOfALevelAndAbove) {
    debug("not written at all");
    info("slice resumed", {{"job", "job-1"}});
    warn("slow disk");
    error("disk failed");
    const std::string all = tail(Level::debug, begin_).text;
    EXPECT_EQ(lines(all), 3u) << all;
    EXPECT_NE(all.find("info  node-1 slice resumed job=job-1\n"), std::string::npos) << all;
    const std::string errors = tail(Level::error, begin_of_errors_).text;
    EXPECT_EQ(lines(errors), 1u) << errors;
    EXPECT_NE(errors.find("disk failed"), std::string::npos);
}

TEST_F(LogTail, GoesOnWhereTheLastReadingEnded) {
    info("one");
    const Tail first = tail(Level::info, begin_);
    EXPECT_EQ(first.end, begin_ + first.text.size());
    info("two");
    const Tail second = tail(Level::info, first.end);
    EXPECT_EQ(lines(second.text), 1u);
    EXPECT_NE(second.text.find("two"), std::string::npos);
    EXPECT_EQ(tail(Level::info, second.end).text, "");
    EXPECT_NE(tail(Level::info, second.end + 1).text, "") << "a position of another life of the node";
}

TEST_F(LogTail, KeepsSoMuchAndNoMore) {
    const std::string value(10'000, 'x');
    for (int i = 0; i < 200; ++i) info("much", {{"value", value}, {"number", i}});
    const Tail kept = tail(Level::info, begin_);
    EXPECT_LE(kept.text.size(), kTailBytesMax);
    EXPECT_GT(kept.text.size(), kTailBytesMax - 2 * value.size());
    EXPECT_GE(kept.end - begin_, 200 * value.size());
    EXPECT_NE(kept.text.find("number=199"), std::string::npos);
    EXPECT_EQ(kept.text.find("number=0\n"), std::string::npos);
}

}  // namespace
}  // namespace millrace::log
