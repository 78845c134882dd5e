// Every route of a proxy and of a target, as somebody who may not use it would ask for it.
#include <regex>

#include "tests/unit/nodes/nodes_fixture.h"

namespace millrace {
namespace {

using http::Access;

// Something that the pattern matches.
std::string target_of(const http::Router::Entry& route) {
    static const std::regex kParameter(R"(\{[^}]*\})");
    std::string target = std::regex_replace(route.pattern, kParameter, "some");
    return target.ends_with("?object_to") ? target + "=x" : target;
}

class EveryRoute : public Nodes {
protected:
    void expect_refused(const http::Headers& headers, int status, const std::function<bool(const http::Router::Entry&)>& is_meant) {
        const auto check = [&](const std::string& endpoint, const std::vector<http::Router::Entry>& routes) {
            ASSERT_GT(routes.size(), 10u);
            for (const auto& route : routes) {
                if (route.access == Access::anyone || !is_meant(route)) continue;
                const http::Reply reply = send(endpoint, route.method, target_of(route), "", headers);
                EXPECT_EQ(reply.status, status) << endpoint << " " << route.method << " " << route.pattern;
            }
        };
        check(proxy_->endpoint(), proxy_->routes());
        check(target_->endpoint(), target_->routes());
    }
};

TEST_F(EveryRoute, IsClosedToPagesOfOthers) {
    const auto any = [](const auto&) { return true; };
    expect_refused({{"Host", "evil.example"}}, 403, any);
    expect_refused({{"Origin", "http://evil.example"}}, 403, any);
    expect_refused({{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "cors"}}, 403, any);
}

TEST_F(EveryRoute, TakesNothingUnderATypeThatFormsSend) {
    const auto takes_no_content = [](const http::Router::Entry& route) {
        return route.method != "PUT" || route.access == Access::run || route.access == Access::manage;
    };
    for (const char* type : {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"}) {
        expect_refused({{"Content-Type", type}}, 415, takes_no_content);
    }
}

}  // namespace
}  // namespace millrace
