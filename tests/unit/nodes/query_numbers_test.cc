// Numbers in queries: what is none, or none that can be meant, is refused by name, on every route that takes one.
#include <gmock/gmock.h>

#include "tests/unit/nodes/nodes_fixture.h"

namespace millrace {
namespace {

using testing::HasSubstr;

TEST_F(Nodes, NumbersThatAreNoneAreRefusedByName) {
    create("music");
    add_transform("to-upper", "tr a-z A-Z");
    ASSERT_EQ(object("PUT", "music/a.txt", "hello").status, 200);
    const std::string job = submit({{"operation", "copy"}, {"source", "ais://music"}, {"destination", "ais://copies"}});
    ended(job);
    const std::string upload = object("POST", "music/parts", R"({"action":"mpt-upload"})").body;
    struct Route {
        bool is_proxys;
        std::string method;
        std::string target;
        std::string number;
        std::string good;
        bool takes_zero = false;
    };
    const Route routes[] = {
        {true, "GET", "/v1/jobs/" + job + "/errors?", "limit", "20000"},
        {true, "GET", "/v1/buckets/music?", "pagesize", "20000"},
        {true, "GET", "/v1/transforms/to-upper/logs?", "after", "7", true},
        {false, "GET", "/v1/worker/objects?bucket=music&", "limit", "20000"},
        {false, "GET", "/v1/worker/objects?bucket=music&folded=objects_only&", "limit", "1"},
        {false, "GET", "/v1/worker/ledger?job=" + job + "&", "limit", "1"},
        {false, "GET", "/v1/worker/logs?transform=to-upper&", "after", "7", true},
        {false, "GET", "/v1/worker/log?", "after", "7", true},
        {false, "PUT", "/v1/objects/music/parts?uploadId=" + upload + "&", "partNumber", "10000"},
    };
    for (const Route& route : routes) {
        const auto answer = [&](const std::string& number) {
            const std::string& node = route.is_proxys ? proxy_->endpoint() : target_->endpoint();
            if (route.target.starts_with("/v1/worker/")) return as_proxy(route.method, route.target + route.number + "=" + number);
            return send(node, route.method, route.target + route.number + "=" + number, route.method == "PUT" ? "part" : "", {});
        };
        for (const char* number : {"-1", "abc", "1x", "1.5", "18446744073709551616", "0"}) {
            if (route.takes_zero && std::string_view(number) == "0") continue;
            const auto reply = answer(number);
            EXPECT_EQ(reply.status, 400) << route.target << number;
            EXPECT_THAT(text_of(json_or_null(reply.body), "detail"), HasSubstr(route.number)) << reply.body;
        }
        EXPECT_EQ(answer(route.good).status, 200) << route.target;
    }
    const std::string too_far = "/v1/objects/music/parts?uploadId=" + upload + "&partNumber=10001";
    EXPECT_EQ(send(target_->endpoint(), "PUT", too_far, "x", {}).status, 400);
    EXPECT_EQ(ask("GET", "/v1/buckets/music", R"({"action":"list","value":{"pagesize":-1}})").status, 400);
}

}  // namespace
}  // namespace millrace
