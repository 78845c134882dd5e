// Every route of a proxy and of a target, as somebody who may not use it would ask for it.
#include <regex>

#include "auth/token.h"
#include "core/file.h"
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

TEST_F(EveryRoute, OfNodesIsClosedToAllOthersAlsoWhereNobodyIsAsked) {
    for (const auto& route : target_->routes()) {
        if (route.access != Access::node) continue;
        EXPECT_EQ(send(target_->endpoint(), route.method, target_of(route), "", {}).status, 403) << route.pattern;
        EXPECT_NE(as_proxy(route.method, target_of(route)).status, 403) << route.pattern;
        EXPECT_NE(as_proxy(route.method, target_of(route)).status, 401) << route.pattern;
    }
}

// Nodes that ask everybody for a token.
class EveryGuardedRoute : public EveryRoute {
protected:
    void SetUp() override {
        ASSERT_TRUE(write_file(folder_ / "auth.pem", key_.public_pem()));
        start(folder_ / "auth.pem");
    }
    std::string token(const std::vector<std::string>& grants, const std::string& id = "t-test", std::int64_t life = 3600, std::int64_t age = 0) {
        std::vector<auth::Grant> parsed;
        for (const std::string& grant : grants) parsed.push_back(*auth::Grant::parse(grant));
        const std::int64_t issued = unix_now_ns() / 1'000'000'000 - age;
        return *auth::sign_token({id, "alice", issued, issued + life, auth::Grants(parsed)}, key_);
    }
    static http::Headers bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }
    static bool is_asked(const http::Router::Entry& route) { return route.access != Access::anyone; }
    static bool is_of_users(const http::Router::Entry& route) { return is_asked(route) && route.access != Access::node; }
    // By what its path says.
    static bool is_about_bucket(const http::Router::Entry& route) {
        return is_of_users(route) && route.access != Access::by_body && route.pattern.find("{bucket}") != std::string::npos;
    }

    const auth::SigningKey key_ = auth::SigningKey::generate();
};

TEST_F(EveryGuardedRoute, WantsAToken) {
    expect_refused({}, 401, is_asked);
    expect_refused(bearer("nonsense"), 401, is_asked);
    expect_refused(bearer(""), 401, is_asked);
    expect_refused({{"Authorization", "Basic YTpi"}}, 401, is_asked);
    const auth::SigningKey other = auth::SigningKey::generate();
    const std::int64_t now = unix_now_ns() / 1'000'000'000;
    expect_refused(bearer(*auth::sign_token({"t-x", "mallory", now, now + 60, auth::Grants::all()}, other)), 401, is_asked);
    const auto reply = send(proxy_->endpoint(), "GET", "/v1/jobs", "", {});
    EXPECT_EQ(reply.headers.find("WWW-Authenticate").value_or(""), "Bearer realm=\"millrace\"");
}

TEST_F(EveryGuardedRoute, RefusesATokenThatHasExpiredOrBeginsLater) {
    expect_refused(bearer(token({"admin"}, "t-old", 60, 3600)), 401, is_asked);
    expect_refused(bearer(token({"admin"}, "t-new", 60, -24 * 3600)), 401, is_asked);
}

TEST_F(EveryGuardedRoute, RefusesATokenThatWasRevokedAndAllOfASubject) {
    const http::Headers admin = bearer(token({"admin"}, "t-admin"));
    const std::string stolen = token({"admin"}, "t-stolen");
    EXPECT_EQ(ask("GET", "/v1/jobs", "", bearer(stolen)).status, 200);
    EXPECT_EQ(ask("POST", "/v1/tokens/revoked", R"({"token":"t-stolen"})", admin).status, 200);
    expect_refused(bearer(stolen), 401, is_asked);
    EXPECT_EQ(ask("GET", "/v1/jobs", "", admin).status, 200) << "another of the same subject";
    EXPECT_EQ(ask("POST", "/v1/tokens/revoked", R"({"subject":"alice"})", admin).status, 200);
    expect_refused(admin, 401, is_asked);
}

TEST_F(EveryGuardedRoute, WantsTheRightThatItIsFor) {
    const auto is = [](std::initializer_list<Access> wanted) {
        return [wanted = std::vector<Access>(wanted)](const http::Router::Entry& route) { return std::ranges::find(wanted, route.access) != wanted.end(); };
    };
    expect_refused(bearer(token({"read", "command", "unconfined"})), 403, is({Access::write, Access::run, Access::manage, Access::node}));
    expect_refused(bearer(token({"write"})), 403, is({Access::run, Access::manage, Access::node}));
    expect_refused(bearer(token({"run"})), 403, is({Access::write, Access::manage, Access::node}));
    expect_refused(bearer(token({"admin"})), 403, is({Access::node}));
    expect_refused(bearer(token({"admin:music"})), 403, is({Access::manage}));
}

TEST_F(EveryGuardedRoute, WantsTheRightToThatBucket) {
    expect_refused(bearer(token({"read:other", "write:other", "run:other", "admin:other*"})), 403, is_about_bucket);
    const http::Headers other = bearer(token({"write:other", "run:other"}));
    for (const char* body : {R"({"action":"create-bck"})", R"({"action":"copy-bck"})", R"({"action":"no-such"})"}) {
        EXPECT_EQ(ask("POST", "/v1/buckets/some?bck_to=other", body, other).status, 403) << body;
    }
    for (const char* body : {R"({"action":"destroy-bck"})", R"({"action":"delete-listrange","value":{"template":"a"}})"}) {
        EXPECT_EQ(ask("DELETE", "/v1/buckets/some", body, other).status, 403) << body;
    }
}

TEST_F(EveryGuardedRoute, TakesNoTicketOfAnotherRequest) {
    const std::int64_t now = unix_now_ns() / 1'000'000'000;
    const std::string ticket = auth::with_ticket(*proxy_->node_keys(), "t-1", "GET", "/v1/objects/music/song", "alice", now);
    EXPECT_EQ(send(target_->endpoint(), "GET", ticket, "", {}).status, 404) << "let in: it is the request that it was made for";
    EXPECT_EQ(send(target_->endpoint(), "HEAD", ticket, "", {}).status, 401);
    EXPECT_EQ(send(target_->endpoint(), "PUT", ticket, "x", {}).status, 401);
    const std::string query = ticket.substr(ticket.find("ticket="));
    for (const auto& route : target_->routes()) {
        if (!is_asked(route)) continue;
        const std::string target = target_of(route);
        const char* separator = target.find('?') == std::string::npos ? "?" : "&";
        EXPECT_EQ(send(target_->endpoint(), route.method, target + separator + query, "", {}).status, 401) << route.pattern;
    }
    const std::string old = auth::with_ticket(*proxy_->node_keys(), "t-1", "GET", "/v1/objects/music/song", "alice", now - 600);
    EXPECT_EQ(send(target_->endpoint(), "GET", old, "", {}).status, 401);
    const std::string of_another = auth::with_ticket(*proxy_->node_keys(), "t-2", "GET", "/v1/objects/music/song", "alice", now);
    EXPECT_EQ(send(target_->endpoint(), "GET", of_another, "", {}).status, 401);
}

TEST_F(EveryGuardedRoute, IsClosedToPagesOfOthersWhateverTheyShow) {
    http::Headers headers = bearer(token({"admin"}));
    headers.set("Origin", "http://evil.example");
    expect_refused(headers, 403, is_of_users);
}

TEST_F(EveryGuardedRoute, IsOpenToWhomItIsFor) {
    const http::Headers admin = bearer(token({"admin"}));
    const auto check = [&](const std::string& endpoint, const std::vector<http::Router::Entry>& routes) {
        for (const auto& route : routes) {
            if (!is_of_users(route) || route.pattern.ends_with("/events")) continue;
            const int status = send(endpoint, route.method, target_of(route), "", admin).status;
            EXPECT_TRUE(status != 401 && status != 403) << status << " " << endpoint << " " << route.method << " " << route.pattern;
        }
    };
    check(proxy_->endpoint(), proxy_->routes());
    check(target_->endpoint(), target_->routes());
}

TEST_F(EveryGuardedRoute, FencesComeFromNodesAlone) {
    const http::Headers admin = bearer(token({"admin"}));
    ASSERT_EQ(ask("POST", "/v1/buckets/music", R"({"action":"create-bck"})", admin).status, 200);
    http::Headers forged = admin;
    forged.set("Millrace-Job", "job-1");
    forged.set("Millrace-Slice", "t-2");
    for (const char* number : {"Millrace-Fence", "Millrace-Epoch", "Millrace-Source-Version", "Millrace-Source-Checksum", "Millrace-Transform-Digest"}) {
        forged.set(number, "99999");
    }
    EXPECT_EQ(object("PUT", "music/song", "x", forged).status, 403);
    EXPECT_EQ(object("PUT", "music/song", "x", admin).status, 200);
}

}  // namespace
}  // namespace millrace
