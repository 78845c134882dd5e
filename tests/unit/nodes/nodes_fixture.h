// A proxy and a target as they are shipped, in the test's own process, on loopback.
#pragma once
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "aistore/surface.h"
#include "auth/node_proof.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/json_members.h"
#include "http/client.h"
#include "scheduler/proxy_service.h"
#include "tests/unit/state/temp_folder.h"
#include "worker/target_service.h"

namespace millrace {

using nlohmann::json;

class Nodes : public testing::Test {
protected:
    void SetUp() override { start(""); }
    void start(const std::string& auth_key) {
        ProxyConfig proxy;
        proxy.auth_key = auth_key;
        proxy.dir = folder_ / "proxy";
        proxy.port = 0;
        auto started = scheduler::ProxyService::start(proxy, {aistore::add_surface});
        ASSERT_TRUE(started) << started.error().context;
        proxy_ = std::move(*started);
        TargetConfig target;
        target.dir = folder_ / "target";
        target.id = "t-1";
        target.auth_key = auth_key;
        target.proxy = "file:" + proxy.dir + "/control_endpoint";
        auto joined = worker::TargetService::start(target);
        ASSERT_TRUE(joined) << joined.error().context;
        target_ = std::move(*joined);
        until([this] { return ask("GET", "/health").status == 200 && send(target_->endpoint(), "GET", "/health", "", {}).status == 200; });
    }
    void TearDown() override {
        const auto forget = [this] {
            client_.reset();
            return 0;
        };
        run_blocking(loop_, call_on(loop_.executor(), forget));
        if (target_) target_->stop();
        if (proxy_) proxy_->stop();
    }

    http::Reply send(const std::string& node, const std::string& method, const std::string& target, const std::string& body, http::Headers headers) {
        const auto exchange = [&]() -> Task<Result<http::Reply>> { return fetch_from(node, method, target, body, headers); };
        auto reply = run_blocking(loop_, exchange());
        EXPECT_TRUE(reply) << method << " " << target << ": " << reply.error().context;
        return reply ? std::move(*reply) : http::Reply{};
    }
    Task<Result<http::Reply>> fetch_from(std::string node, std::string method, std::string target, std::string body, http::Headers headers) {
        if (!client_) client_ = std::make_unique<http::Client>(loop_.executor());
        const http::Endpoint endpoint = *http::Endpoint::parse(node);
        MemorySource source(body);
        http::ClientRequest request{.method = method, .target = target, .headers = std::move(headers)};
        if (!body.empty()) request.body = &source;
        co_return co_await http::fetch(*client_, endpoint, request);
    }
    http::Reply ask(const std::string& method, const std::string& target, const std::string& body = "", http::Headers headers = {}) {
        return send(proxy_->endpoint(), method, target, body, std::move(headers));
    }
    http::Reply object(const std::string& method, const std::string& name_and_query, const std::string& body = "", http::Headers headers = {}) {
        return send(target_->endpoint(), method, "/v1/objects/" + name_and_query, body, std::move(headers));
    }
    // As the proxy asks the target.
    http::Reply as_proxy(const std::string& method, const std::string& target) {
        const std::string proof = auth::make_proof(*proxy_->node_keys(), "t-1", method, target, unix_now_ns() / 1'000'000'000);
        return send(target_->endpoint(), method, target, "", {{std::string(auth::kProofHeader), proof}});
    }
    void until(const std::function<bool()>& holds) {
        const Instant deadline = steady_now() + std::chrono::seconds(30);
        while (!holds()) ASSERT_LT(steady_now(), deadline);
    }
    void create(const std::string& bucket) {
        const auto reply = ask("POST", "/v1/buckets/" + bucket, R"({"action":"create-bck"})");
        ASSERT_EQ(reply.status, 200) << reply.body;
    }
    void add_transform(const std::string& name, const std::string& command) {
        const auto reply = ask("PUT", "/v1/transforms", json{{"name", name}, {"cmd", command}}.dump());
        ASSERT_EQ(reply.status, 200) << reply.body;
    }
    std::string submit(const json& request) {
        const auto reply = ask("POST", "/v1/jobs", request.dump());
        EXPECT_EQ(reply.status, 202) << reply.body;
        return text_of(json_or_null(reply.body), "id");
    }
    std::string ended(const std::string& job) {
        (void)ask("GET", "/v1/jobs/" + job + "/events");  // ends with the job
        return text_of(json_or_null(ask("GET", "/v1/jobs/" + job).body), "state");
    }

    TempFolder folder_;
    Loop loop_{"client"};
    std::unique_ptr<http::Client> client_;
    std::unique_ptr<scheduler::ProxyService> proxy_;
    std::unique_ptr<worker::TargetService> target_;
};

}  // namespace millrace
