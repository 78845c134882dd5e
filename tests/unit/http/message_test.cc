#include "http/message.h"

#include <gtest/gtest.h>

namespace millrace::http {
namespace {

TEST(Headers, NamesCompareWithoutCaseAndSetReplacesAll) {
    Headers headers{{"Content-Type", "a"}, {"X", "1"}, {"x", "2"}};
    EXPECT_EQ(headers.find("content-type"), "a");
    EXPECT_EQ(headers.find("none"), std::nullopt);
    headers.set("x", "3");
    headers.set("New", "4");
    EXPECT_EQ(headers.size(), 3u);
    EXPECT_EQ(headers.find("X"), "3");
    EXPECT_EQ(headers.find("new"), "4");
}

TEST(Endpoint, EveryFormIsReadAndWritten) {
    const std::pair<const char*, const char*> forms[] = {
        {"http://node-1:8080", "http://node-1:8080"}, {"node.example:1", "http://node.example:1"},
        {"http://10.0.0.1", "http://10.0.0.1:80"},    {"http://host:9/", "http://host:9"},
        {"[::1]:80", "http://[::1]:80"},              {"http://[fe80::1]", "http://[fe80::1]:80"},
        {"unix:/run/a.sock", "unix:/run/a.sock"},     {"https://node-1:8080", "https://node-1:8080"},
        {"https://node-1", "https://node-1:443"},     {"https://[::1]", "https://[::1]:443"},
    };
    for (const auto& [text, expected] : forms) {
        const auto endpoint = Endpoint::parse(text);
        ASSERT_TRUE(endpoint) << text << ": " << endpoint.error().context;
        EXPECT_EQ(endpoint->text(), expected);
        EXPECT_EQ(Endpoint::parse(endpoint->text()), *endpoint);
    }
    EXPECT_EQ(Endpoint::parse("[::1]:80")->host, "::1");
    EXPECT_EQ(Endpoint::parse("[::1]:80")->authority(), "[::1]:80");
    EXPECT_EQ(Endpoint::parse("https://node-1")->authority(), "node-1:443");
    EXPECT_EQ(Endpoint::parse("unix:/run/a.sock")->authority(), "localhost");
}

TEST(Endpoint, TwoSchemesAreTwoServers) {
    EXPECT_EQ(Endpoint::parse("host:80")->scheme, Scheme::http);
    EXPECT_EQ(Endpoint::parse("https://host:80")->scheme, Scheme::https);
    EXPECT_NE(*Endpoint::parse("https://host:80"), *Endpoint::parse("http://host:80"));
    EXPECT_EQ(*Endpoint::parse("host:80"), *Endpoint::parse("http://host:80"));
}

TEST(Endpoint, WhatIsNotAnEndpointIsRefused) {
    for (const char* text : {"", "host", "http://", ":80", "host:", "host:0", "host:65536", "host:80x", "host:80/path", "HTTPS://host", "https://host:0",
                             "ftp://host", "http://a b:80", "[::1", "[::1]80", "[x]:80", "unix:", "unix:relative", "user@host:80", "host:80?q"}) {
        const auto endpoint = Endpoint::parse(text);
        ASSERT_FALSE(endpoint) << text;
        EXPECT_EQ(endpoint.error().code, Code::invalid_argument);
    }
}

TEST(Url, IsTakenApart) {
    EXPECT_EQ(Url::parse("http://host:81/a%20b?c=d#e")->target, "/a%20b?c=d");
    EXPECT_EQ(Url::parse("http://host:81/a")->endpoint.port, 81);
    EXPECT_EQ(Url::parse("http://host")->target, "/");
    EXPECT_EQ(Url::parse("http://host?x=1")->target, "/?x=1");
    EXPECT_EQ(Url::parse("http://host#x")->target, "/");
    EXPECT_EQ(Url::parse("https://host:81/a")->endpoint.text(), "https://host:81");
    EXPECT_EQ(Url::parse("https://host/a?b")->target, "/a?b");
    for (const char* text : {"host:80/a", "ftp://host/", "http:///a", "http://host/a b", "http://host:x/"}) EXPECT_FALSE(Url::parse(text)) << text;
}

TEST(ParseRange, RangesAreCutToTheObject) {
    const auto range = [](const char* text, std::uint64_t size) {
        const auto parsed = parse_range(text, size);
        if (!parsed) return std::string(parsed.error().code == Code::range ? "range" : "?");
        return std::to_string((*parsed)->offset) + "+" + std::to_string((*parsed)->length);
    };
    EXPECT_EQ(range("bytes=0-0", 10), "0+1");
    EXPECT_EQ(range("bytes=2-5", 10), "2+4");
    EXPECT_EQ(range("Bytes=2-", 10), "2+8");
    EXPECT_EQ(range("bytes=2-99", 10), "2+8");
    EXPECT_EQ(range("bytes=0-99999999999999999999999", 10), "0+10");
    EXPECT_EQ(range("bytes=-3", 10), "7+3");
    EXPECT_EQ(range("bytes=-30", 10), "0+10");
    for (const char* text : {"bytes=10-", "bytes=5-4", "bytes=-0", "bytes=-", "bytes=", "bytes", "bytes=0-1,3-4", "bytes=a-b",
                             "bytes=0x1-2", "bytes=+1-2", "bytes=99999999999999999999999-", ""}) {
        EXPECT_EQ(range(text, 10), "range") << text;
    }
    EXPECT_EQ(range("bytes=0-", 0), "range");
    EXPECT_EQ(range("bytes=-1", 0), "range");
    EXPECT_EQ(*parse_range(std::nullopt, 10), std::nullopt);
    EXPECT_EQ(*parse_range("items=0-1", 10), std::nullopt) << "another unit is to be ignored";
}

TEST(Status, EveryCodeHasOneAndUnknownRepliesAreClassified) {
    for (int number = 1; code_name(static_cast<Code>(number)) != "unknown"; ++number) {
        EXPECT_GE(status_of(static_cast<Code>(number)), 400);
        EXPECT_NE(status_text(status_of(static_cast<Code>(number))), "Unknown");
    }
    EXPECT_EQ(code_of_status(404), Code::not_found);
    EXPECT_EQ(code_of_status(503), Code::unavailable);
    EXPECT_EQ(code_of_status(400), Code::rejected);
    EXPECT_EQ(code_of_status(500), Code::transient);
}

}  // namespace
}  // namespace millrace::http
