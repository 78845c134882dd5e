#include "http/page_guard.h"

#include <gtest/gtest.h>

#include "tests/unit/http/bare_request.h"

namespace millrace::http {
namespace {

class PageGuardTest : public testing::Test {
protected:
    // 0: it is let in.
    int status(const std::string& method, Headers headers, Access access = Access::run) {
        BareRequest request;
        request.method = method;
        request.headers = std::move(headers);
        const auto refused = guard_.refuse(request, access);
        return refused ? refused->status : 0;
    }

    PageGuard guard_{{"store1.example", "", "Mill"}};
};

TEST_F(PageGuardTest, HostsThatAreOurs) {
    for (const char* host : {"127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "[::1]", "192.168.1.5:80", "localhost", "LOCALHOST:1", "localhost.:1",
                             "a.localhost:8080", "store1.example", "STORE1.example:9", "store1.example.:9", "mill:8080"}) {
        EXPECT_EQ(status("POST", {{"Host", host}}), 0) << host;
    }
    EXPECT_EQ(status("GET", {}), 0) << "HTTP/1.0";
}

TEST_F(PageGuardTest, HostsThatAreNot) {
    for (const char* host : {"", ":8080", "evil.example", "127.0.0.1.evil.example", "notlocalhost", "localhost.evil.example", "127.1", "0x7f000001",
                             "store1.example.evil.example", "millrace", "[evil]"}) {
        EXPECT_EQ(status("GET", {{"Host", host}}), 403) << host;
    }
    EXPECT_EQ(status("GET", {{"Host", "evil.example"}}, Access::anyone), 0) << "whether it is well, anybody may ask";
}

TEST_F(PageGuardTest, Origins) {
    EXPECT_EQ(status("POST", {{"Host", "127.0.0.1:8080"}, {"Origin", "http://127.0.0.1:8080"}}), 0);
    EXPECT_EQ(status("POST", {{"Host", "mill:8080"}, {"Origin", "https://MILL:8080"}}), 0);
    for (const char* origin : {"http://127.0.0.1", "http://127.0.0.1:8081", "http://localhost:8080", "http://evil.example", "null", "", "127.0.0.1:8080"}) {
        EXPECT_EQ(status("POST", {{"Host", "127.0.0.1:8080"}, {"Origin", origin}}), 403) << origin;
    }
    EXPECT_EQ(status("GET", {{"Origin", "http://127.0.0.1:8080"}}), 403) << "of what nobody knows";
}

TEST_F(PageGuardTest, PagesThatAskWithoutAnOrigin) {
    EXPECT_EQ(status("GET", {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "no-cors"}}), 403) << "an image";
    EXPECT_EQ(status("GET", {{"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Mode", "no-cors"}}), 403) << "another port of this machine";
    EXPECT_EQ(status("GET", {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}}), 0) << "a link that somebody followed";
    EXPECT_EQ(status("POST", {{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}}), 403) << "a form";
    EXPECT_EQ(status("GET", {{"Sec-Fetch-Site", "none"}}), 0) << "typed";
    EXPECT_EQ(status("POST", {{"Sec-Fetch-Site", "same-origin"}}), 0);
}

TEST_F(PageGuardTest, BodiesThatFormsSend) {
    for (const char* type : {"text/plain", "TEXT/plain; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"}) {
        EXPECT_EQ(status("POST", {{"Content-Type", type}}), 415) << type;
        EXPECT_EQ(status("DELETE", {{"Content-Type", type}}), 415) << type;
        EXPECT_EQ(status("PUT", {{"Content-Type", type}}), 415) << type << " of a specification";
        EXPECT_EQ(status("PUT", {{"Content-Type", type}}, Access::write), 0) << type << " of an object";
    }
    EXPECT_EQ(status("POST", {{"Content-Type", "application/json"}}), 0);
    EXPECT_EQ(status("POST", {}), 0);
}

TEST(PageGuard, OfANodeKnowsWhereTheNodeIsReached) {
    const PageGuard guard = PageGuard::of_node("0.0.0.0", "store1.example:9000", {"mill.example"});
    BareRequest request;
    request.method = "GET";
    for (const char* host : {"store1.example:9000", "mill.example", "10.0.0.1"}) {
        request.headers = {{"Host", host}};
        EXPECT_FALSE(guard.refuse(request, Access::read)) << host;
    }
    request.headers = {{"Host", "store2.example"}};
    EXPECT_TRUE(guard.refuse(request, Access::read));
}

}  // namespace
}  // namespace millrace::http
