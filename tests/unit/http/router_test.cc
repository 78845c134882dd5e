#include "http/router.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "core/loop.h"
#include "tests/unit/http/bare_request.h"

namespace millrace::http {
namespace {

// Whom a route lets in is said where it is added: there is no other way to add one.
template <class... Arguments>
concept adds_a_route = requires(Router& router, Arguments... arguments) { router.add(arguments...); };
static_assert(adds_a_route<const char*, const char*, Access, RouteHandler>);
static_assert(!adds_a_route<const char*, const char*, RouteHandler>);

class RecordedResponse final : public Response {
public:
    Task<Result<void>> send(int sent_status, Headers sent_headers, std::string_view sent_body) override {
        sent = sent_status;
        headers = std::move(sent_headers);
        body = sent_body;
        co_return Result<void>{};
    }
    Task<Result<void>> send_head(int, Headers, std::uint64_t) override { co_return Result<void>{}; }
    Task<Result<void>> start(int, Headers, std::optional<std::uint64_t>) override { co_return Result<void>{}; }
    Task<Result<void>> write(std::span<const std::byte>) override { co_return Result<void>{}; }
    Task<Result<void>> finish() override { co_return Result<void>{}; }
    bool started() const override { return sent != 0; }
    int status() const override { return sent; }

    int sent = 0;
    Headers headers;
    std::string body;
};

class RouterTest : public testing::Test {
protected:
    void add(std::string_view method, std::string_view pattern) {
        const auto answer = [name = std::string(pattern)](Request&, Response& response, const PathParameters& parameters) -> Task<Result<void>> {
            std::string body = name;
            for (const auto& [key, value] : parameters) body += " " + key + "=" + value;
            co_return co_await response.send(200, Headers{}, body);
        };
        router_.add(method, pattern, Access::read, answer);
    }
    RecordedResponse ask(const std::string& method, const std::string& target) {
        BareRequest request;
        RecordedResponse response;
        const std::size_t question = std::min(target.find('?'), target.size());
        request.method = method;
        request.path = target.substr(0, question);
        request.query = *Query::parse(target.substr(std::min(question + 1, target.size())));
        run_blocking(loop_, router_.handle(request, response));
        return response;
    }
    std::string get(const std::string& path) { return ask("GET", path).body; }

    Loop loop_{"router"};
    Router router_;
};

TEST_F(RouterTest, TheMostLiteralPatternWinsInWhateverOrderItWasAdded) {
    add("GET", "/v1/{rest...}");
    add("GET", "/v1/jobs/{id}");
    add("GET", "/v1/{kind}/list");
    add("GET", "/v1/jobs/list");
    add("GET", "/");
    EXPECT_EQ(get("/v1/jobs/list"), "/v1/jobs/list");
    EXPECT_EQ(get("/v1/jobs/7"), "/v1/jobs/{id} id=7");
    EXPECT_EQ(get("/v1/nodes/list"), "/v1/{kind}/list kind=nodes");
    EXPECT_EQ(get("/v1/a/b/c"), "/v1/{rest...} rest=a/b/c");
    EXPECT_EQ(get("/"), "/");
}

TEST_F(RouterTest, PartsAreDecodedOnce) {
    add("GET", "/o/{bucket}/{object...}");
    EXPECT_EQ(get("/o/b%20c/x%2Fy/z%2525"), "/o/{bucket}/{object...} bucket=b c object=x/y/z%25");
    EXPECT_EQ(get("/o/b%2Fc/x"), "/o/{bucket}/{object...} bucket=b/c object=x");
    EXPECT_EQ(get("/o/b/"), "/o/{bucket}/{object...} bucket=b object=");
    EXPECT_EQ(ask("GET", "/o/b").status(), 404);
    const RecordedResponse bad = ask("GET", "/o/b/%zz");
    EXPECT_EQ(bad.status(), 400);
    EXPECT_NE(bad.body.find("two hex digits"), std::string::npos);
}

TEST_F(RouterTest, UnknownPathsAndMethodsAreToldApart) {
    add("GET", "/v1/jobs/{id}");
    add("DELETE", "/v1/jobs/{id}");
    const RecordedResponse unknown = ask("GET", "/v2/jobs");
    EXPECT_EQ(unknown.status(), 404);
    EXPECT_EQ(unknown.headers.find("Content-Type"), "application/problem+json");
    EXPECT_NE(unknown.body.find("no such path"), std::string::npos);
    const RecordedResponse wrong = ask("PUT", "/v1/jobs/1");
    EXPECT_EQ(wrong.status(), 405);
    EXPECT_EQ(wrong.headers.find("Allow"), "DELETE, GET, HEAD");
    EXPECT_EQ(ask("GET", "/v1/jobs").status(), 404);
    EXPECT_EQ(ask("GET", "/v1/jobs/").status(), 404);
    EXPECT_EQ(ask("GET", "/v1/jobs/1/").status(), 200);
    EXPECT_EQ(ask("GET", "/v1/jobs/1/x").status(), 404);
}

TEST_F(RouterTest, AGetHandlerAnswersHeadUnlessThereIsAnother) {
    add("GET", "/a");
    add("GET", "/b");
    add("HEAD", "/b");
    EXPECT_EQ(ask("HEAD", "/a").status(), 200);
    EXPECT_EQ(ask("HEAD", "/b").status(), 200);
    EXPECT_EQ(ask("HEAD", "/c").status(), 404);
}

TEST_F(RouterTest, AConditionOnTheQueryWinsWhereItHolds) {
    add("GET", "/v1/cluster");
    add("GET", "/v1/cluster?what=smap");
    add("GET", "/v1/cluster?what");
    add("GET", "/v1/{any}?what=smap");
    EXPECT_EQ(get("/v1/cluster"), "/v1/cluster");
    EXPECT_EQ(get("/v1/cluster?which=smap"), "/v1/cluster");
    EXPECT_EQ(get("/v1/cluster?what=smap"), "/v1/cluster?what=smap");
    EXPECT_EQ(get("/v1/cluster?what=else"), "/v1/cluster?what");
    EXPECT_EQ(get("/v1/cluster?what="), "/v1/cluster?what");
    EXPECT_EQ(get("/v1/daemon?what=smap"), "/v1/{any}?what=smap any=daemon");
    EXPECT_EQ(ask("GET", "/v1/daemon").status(), 404);
    EXPECT_EQ(ask("PUT", "/v1/daemon").status(), 404);
}

TEST_F(RouterTest, AnErrorOfAHandlerIsTheAnswerUnlessThereIsOneAlready) {
    const auto add_one = [this](std::string_view path, bool begins) {
        router_.add("GET", path, Access::read, [begins](Request&, Response& response, const PathParameters&) -> Task<Result<void>> {
            if (begins) MILLRACE_CO_TRY(co_await response.send(200, Headers{}, "half"));
            co_return fail(Code::not_found, "it is gone");
        });
    };
    add_one("/begun", true);
    add_one("/not-begun", false);
    EXPECT_EQ(ask("GET", "/not-begun").status(), 404);
    EXPECT_THAT(get("/not-begun"), testing::HasSubstr("it is gone"));
    EXPECT_EQ(ask("GET", "/begun").status(), 200);
    EXPECT_EQ(get("/begun"), "half");
}

TEST_F(RouterTest, WhatTheGateRefusesReachesNoHandler) {
    bool ran = false;
    router_.add("GET", "/v1/jobs/{id}", Access::read, [&ran](Request&, Response& response, const PathParameters&) -> Task<Result<void>> {
        ran = true;
        co_return co_await response.send(200, Headers{}, "");
    });
    router_.set_gate([](const Request&, const Router::Entry& route, const PathParameters& path) -> std::optional<Refusal> {
        if (path.find("id")->second != "other") return std::nullopt;
        return Refusal{fail(Code::permission, "not for you: " + route.pattern), 415};
    });
    EXPECT_EQ(ask("GET", "/v1/jobs/other").status(), 415);
    EXPECT_THAT(get("/v1/jobs/other"), testing::HasSubstr("not for you: /v1/jobs/{id}"));
    EXPECT_FALSE(ran);
    EXPECT_EQ(ask("GET", "/v1/jobs/mine").status(), 200);
    EXPECT_EQ(ask("GET", "/v1/none").status(), 404);
}

TEST_F(RouterTest, SaysOfEveryRouteWhoItIsFor) {
    const auto nothing = [](Request&, Response&, const PathParameters&) -> Task<Result<void>> { co_return Result<void>{}; };
    router_.add("GET", "/v1/jobs/{id}", Access::read, nothing);
    router_.add("POST", "/v1/jobs", Access::run, nothing);
    std::vector<std::string> all;
    for (const Router::Entry& entry : router_.entries()) all.push_back(entry.method + " " + entry.pattern + (entry.access == Access::run ? " run" : ""));
    std::ranges::sort(all);
    EXPECT_EQ(all, (std::vector<std::string>{"GET /v1/jobs/{id}", "POST /v1/jobs run"}));
}

}  // namespace
}  // namespace millrace::http
