#include "http/chunked.h"

#include <gtest/gtest.h>

#include <string>

namespace millrace::http {
namespace {

// Feeds the input in pieces of `step` bytes; the decoded bytes, or "error". *rest: what follows the body.
std::string decode(std::string_view input, std::size_t step, std::string* rest = nullptr) {
    ChunkedDecoder decoder;
    std::string decoded;
    std::size_t offset = 0;
    while (!decoder.done() && offset < input.size()) {
        std::byte output[3];
        const auto result = decoder.decode(input.substr(offset, step), output);
        if (!result) return "error";
        decoded.append(reinterpret_cast<const char*>(output), result->produced);
        offset += result->consumed;
    }
    if (!decoder.done()) return decoded + "…";
    if (rest != nullptr) *rest = input.substr(offset);
    return decoded;
}

TEST(ChunkedDecoder, PiecesOfAnySizeGiveTheSameBytes) {
    const std::string input = "5\r\nhello\r\nA;name=\"value\"\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\nGET";
    for (std::size_t step = 1; step <= input.size(); ++step) {
        std::string rest;
        EXPECT_EQ(decode(input, step, &rest), "hello, world!!!") << step;
        EXPECT_EQ(rest, "GET") << step;
    }
}

TEST(ChunkedDecoder, AnEmptyBodyMayArriveByteByByte) { EXPECT_EQ(decode("0\r\n\r\n", 1), ""); }

TEST(ChunkedDecoder, AnUnfinishedBodyIsNotDone) {
    EXPECT_EQ(decode("5\r\nhello\r\n", 100), "hello…");
    EXPECT_EQ(decode("5\r\nhello\r\n0\r\n", 100), "hello…");
}

TEST(ChunkedDecoder, WhatIsMalformedIsRefused) {
    for (const char* input : {"\r\n", "x\r\n", "-1\r\n", "5\nhello", "5\r\nhelloX", "5\r\nhello\n", "0\r\n\n", "1234567890123456\r\n",
                              "0\r\nTrailer: x\n"}) {
        EXPECT_EQ(decode(input, 100), "error") << input;
    }
    EXPECT_EQ(decode("5;" + std::string(100'000, 'x'), 1000), "error");
    EXPECT_EQ(decode("0\r\n" + std::string(100'000, 'x'), 1000), "error");
}

TEST(ChunkedDecoder, DataMayBeTakenPastIt) {
    ChunkedDecoder decoder;
    ASSERT_EQ(decoder.decode("10\r\n", {})->consumed, 4u);
    EXPECT_EQ(decoder.data_left(), 16u);
    decoder.skip_data(16);
    EXPECT_EQ(decoder.data_left(), 0u);
    ASSERT_TRUE(decoder.decode("\r\n0\r\n\r\n", {}));
    EXPECT_TRUE(decoder.done());
}

}  // namespace
}  // namespace millrace::http
