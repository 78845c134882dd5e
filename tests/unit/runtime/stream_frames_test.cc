#include "runtime/stream_frames.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::runtime {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

TEST(StreamFrames, ObjectsAreWrittenByteByByte) {
    std::string out;
    append_object(out, 0x0102, {.bucket = "b", .name = "o", .args = "xy", .size = 3}, "abc", true);
    EXPECT_EQ(out, "\x18\0\0\0\x01\x01\0\0\x02\x01\0\0\0\0\0\0"s
                   "\x03\0\0\0\0\0\0\0\x02\0\0\0\x03\0\0\0"s
                   "b/oxyabc"s);
    out.clear();
    append_object(out, 1, {.bucket = "b", .name = "o", .args = "", .size = kSizeUnknown}, "", false);
    EXPECT_EQ(out, "\x13\0\0\0\x01\0\0\0\x01\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\x03\0\0\0b/o"s);
    out.clear();
    append_data(out, 7, "de", true);
    append_abort(out, 7);
    EXPECT_EQ(out, "\x02\0\0\0\x02\x01\0\0\x07\0\0\0\0\0\0\0de\0\0\0\0\x03\0\0\0\x07\0\0\0\0\0\0\0"s);
}

TEST(StreamFrames, NamesAndArgumentsAreBounded) {
    const std::string long_name(65'534, 'n');
    const std::string long_args(512 * 1024 + 1, 'a');
    EXPECT_TRUE(check_object_head({.bucket = "b", .name = std::string_view(long_name).substr(1), .args = {}}).has_value());
    EXPECT_EQ(check_object_head({.bucket = "b", .name = long_name, .args = {}}).error().code, Code::rejected);
    EXPECT_EQ(check_object_head({.bucket = "b", .name = "o", .args = long_args}).error().code, Code::rejected);
}

TEST(StreamFrames, AnswersAreReadHoweverTheyAreSplit) {
    const std::string stream = "\x02\0\0\0\x04\0\0\0\x05\0\0\0\0\0\0\0ab"s   // RESULT
                               "\0\0\0\0\x04\x01\0\0\x05\0\0\0\0\0\0\0"s     // RESULT, LAST
                               "\x03\0\0\0\x05\x02\0\0\x06\0\0\0\0\0\0\0why"s;  // FAIL, RETRY
    for (std::size_t split = 0; split <= stream.size(); ++split) {
        std::vector<AnswerFrame> frames;
        std::size_t used = 0;
        for (const std::size_t end : {split, stream.size()}) {
            std::string_view rest = std::string_view(stream).substr(used, end - used);
            for (;;) {
                const auto taken = take_answer(rest);
                ASSERT_TRUE(taken.has_value()) << taken.error().context;
                if (!*taken) break;
                frames.push_back(**taken);
            }
            used = end - rest.size();
        }
        ASSERT_EQ(frames.size(), 3u) << split;
        EXPECT_EQ(frames[0].payload, "ab");
        EXPECT_EQ(frames[0].id, 5u);
        EXPECT_FALSE(frames[0].is_last);
        EXPECT_EQ(frames[1].payload, "");
        EXPECT_TRUE(frames[1].is_last);
        EXPECT_EQ(frames[2].type, FrameType::fail);
        EXPECT_EQ(frames[2].payload, "why");
        EXPECT_TRUE(frames[2].is_last);
        EXPECT_TRUE(frames[2].may_retry);
    }
}

TEST(StreamFrames, WhatIsNoAnswerIsRefused) {
    const auto refusal = [](const std::string& bytes) {
        std::string_view rest = bytes;
        const auto taken = take_answer(rest);
        return taken.has_value() ? "taken" : taken.error().context;
    };
    EXPECT_THAT(refusal("\x01\0\x10\0\x04\x01\0\0\x05\0\0\0\0\0\0\0"s), HasSubstr("claims 1048577 bytes"));
    EXPECT_THAT(refusal("\0\0\0\0\x01\x01\0\0\x05\0\0\0\0\0\0\0"s), HasSubstr("object 5 has type 1"));
    EXPECT_THAT(refusal("\0\0\0\0\x04\x02\0\0\x05\0\0\0\0\0\0\0"s), HasSubstr("flags or reserved"));
    EXPECT_THAT(refusal("\0\0\0\0\x05\x01\0\0\x05\0\0\0\0\0\0\0"s), HasSubstr("flags or reserved"));
    EXPECT_THAT(refusal("\0\0\0\0\x04\0\0\x01\x05\0\0\0\0\0\0\0"s), HasSubstr("flags or reserved"));
    EXPECT_THAT(refusal("HTTP/1.1 400 Bad Request"), HasSubstr("claims"));
    EXPECT_EQ(refusal("HTTP/1.1 400 Ba"), "taken");  // too short to tell
}

}  // namespace
}  // namespace millrace::runtime
