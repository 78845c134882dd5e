#include <gmock/gmock.h>

#include "cli/server_events.h"
#include "cli/spec_documents.h"

namespace millrace::cli {
namespace {

std::vector<std::string> events_of(std::string_view text, std::size_t piece) {
    ServerEventParser parser(1000);
    std::vector<std::string> all;
    for (std::size_t at = 0; at < text.size(); at += piece) {
        const auto events = parser.feed(text.substr(at, piece));
        EXPECT_TRUE(events.has_value());
        if (!events) break;
        for (const ServerEvent& event : *events) all.push_back(event.name + "=" + event.data);
    }
    return all;
}

TEST(ServerEvents, ComeOutTheSameHoweverTheyArrive) {
    constexpr std::string_view kStream =
        "\xef\xbb\xbf: hello\n\nevent: job\ndata: {\"a\":1}\n\n"
        "data:one\r\ndata: two\r\nid: 7\r\n\r\n"
        "event: empty\n\n"
        "event:job\rdata: x\r\rdata\n\n"
        "data: never finished";
    const std::vector<std::string> expected{"job={\"a\":1}", "message=one\ntwo", "job=x", "message="};
    for (std::size_t piece = 1; piece <= kStream.size(); ++piece) EXPECT_EQ(events_of(kStream, piece), expected) << piece;
}

TEST(ServerEvents, AnEventIsBounded) {
    ServerEventParser parser(100);
    EXPECT_TRUE(parser.feed("data: " + std::string(80, 'x') + "\n").has_value());
    const auto more = parser.feed("data: " + std::string(80, 'x'));
    ASSERT_FALSE(more.has_value());
    EXPECT_EQ(more.error().code, Code::too_large);
}

TEST(SpecDocuments, SplitAtTheirSeparators) {
    const auto documents = split_documents(
        "# both\n---\nname: a\n---   # next\n\n# nothing\n---\r\nname: b\n----\nx: |\n  ---\n");
    ASSERT_EQ(documents.size(), 2u);
    EXPECT_EQ(documents[0].text, "name: a\n");
    EXPECT_EQ(documents[0].line, 3u);
    EXPECT_EQ(documents[1].text, "name: b\n----\nx: |\n  ---\n");
    EXPECT_EQ(documents[1].line, 8u);
    EXPECT_TRUE(split_documents("").empty());
    EXPECT_TRUE(split_documents("\n---\n# x\n...\n").empty());
    EXPECT_EQ(split_documents("{\"name\":\"a\"}").size(), 1u);
}

}  // namespace
}  // namespace millrace::cli
