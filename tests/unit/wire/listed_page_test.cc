#include "wire/listed_page.h"

#include <gtest/gtest.h>

namespace millrace::wire {
namespace {

std::string three_rows() {
    const std::string custom = packed_custom({{"k1", "v1"}, {"k2", "v2"}});
    ListedPageWriter writer;
    writer.add({.name = "a", .size = 5, .checksum = ~0ull, .version = 300, .written_unix_ns = 1'700'000'000'000'000'000});
    writer.add({.name = "b/", .folder = true});
    writer.add({.name = "ü", .version = 1, .written_unix_ns = -1, .custom = custom});
    return std::move(writer).finish("ü/x", false);
}

TEST(ListedPage, SurvivesARoundTrip) {
    ListedPage page(three_rows());
    ASSERT_TRUE(page.read());
    EXPECT_FALSE(page.is_at_end());
    EXPECT_EQ(page.last(), "ü/x");
    ASSERT_EQ(page.rows().size(), 3u);
    const ListedRow& first = page.rows()[0];
    EXPECT_EQ(first.name, "a");
    EXPECT_FALSE(first.folder);
    EXPECT_EQ(first.size, 5u);
    EXPECT_EQ(first.checksum, ~0ull);
    EXPECT_EQ(first.version, 300u);
    EXPECT_EQ(first.written_unix_ns, 1'700'000'000'000'000'000);
    EXPECT_TRUE(page.rows()[1].folder);
    std::string custom;
    for_each_custom(page.rows()[2].custom, [&custom](std::string_view key, std::string_view value) {
        custom.append(key).append("=").append(value).append(" ");
    });
    EXPECT_EQ(custom, "k1=v1 k2=v2 ");
    EXPECT_EQ(page.rows()[2].written_unix_ns, -1);
}

TEST(ListedPage, MayBeEmpty) {
    ListedPage page(ListedPageWriter().finish("", true));
    ASSERT_TRUE(page.read());
    EXPECT_TRUE(page.is_at_end());
    EXPECT_TRUE(page.rows().empty());
}

TEST(ListedPage, WhatIsCutOffOrGoesOnIsNone) {
    const std::string whole = three_rows();
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes) EXPECT_FALSE(ListedPage(whole.substr(0, bytes)).read()) << bytes;
    EXPECT_FALSE(ListedPage(whole + "x").read());
    EXPECT_EQ(ListedPage("{\"entries\":[]}").read().error().code, Code::invalid_argument);
}

TEST(ListedPage, FlippedBytesNeverCrashTheReader) {
    const std::string whole = three_rows();
    for (std::size_t at = 0; at < whole.size(); ++at) {
        for (const int value : {0x00, 0x7f, 0x80, 0x90, 0xc1, 0xc6, 0xdb, 0xdd, 0xdf, 0xff}) {
            std::string bytes = whole;
            bytes[at] = static_cast<char>(value);
            (void)ListedPage(bytes).read();
        }
    }
}

TEST(ListedPage, RowsThatAreNotInOrderAreRefused) {
    for (const auto& [first, second, last] : {std::tuple("b", "a", "b"), {"a", "a", "a"}, {"a", "b", "a"}}) {
        ListedPageWriter writer;
        writer.add({.name = first});
        writer.add({.name = second});
        EXPECT_FALSE(ListedPage(std::move(writer).finish(last, false)).read()) << first << second << last;
    }
}

}  // namespace
}  // namespace millrace::wire
