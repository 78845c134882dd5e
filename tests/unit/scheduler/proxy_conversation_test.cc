// What a proxy says to its targets, and what it waits for, in simulated time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "scheduler/proxy_core.h"
#include "tests/sim/world.h"
#include "tests/unit/scheduler/memory_metadata.h"

namespace millrace::scheduler {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

class Proxy : public testing::Test {
protected:
    Proxy() {
        const auto open = [this] {
            core_ = *ProxyCore::open(control_, aside_, config_, metadata_);
            const auto link = [this](wire::LinkToTargets::Receive receive) {
                hear_ = std::move(receive);
                return Result<std::unique_ptr<wire::LinkToTargets>>(std::make_unique<End>(said_));
            };
            EXPECT_TRUE(core_->start(8080, link));
        };
        world_.act(open);
    }
    ~Proxy() override {
        const auto stop = [](ProxyCore& core) -> Task<void> { co_await core.stop(); };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), stop(*core_), boost::asio::detached); });
        run_for(seconds(1));
    }

    struct Said {
        std::string route;
        wire::Message message;
    };
    struct End final : wire::LinkToTargets {
        explicit End(std::vector<Said>& to) : said(to) {}
        Result<void> send(const std::string& route, const wire::Message& message) override {
            said.push_back({route, message});
            return {};
        }
        void stop() override {}
        std::vector<Said>& said;
    };

    static std::string route(const std::string& target) { return wire::route_of(target, "b-" + target); }
    void hear(const std::string& target, const wire::Message& message) {
        world_.act([&] { hear_(route(target), message); });
    }
    void join(const std::string& target) {
        hear(target, wire::Hello{.target_id = target, .boot_id = "b-" + target, .endpoint = "http://" + target, .cluster_id = core_->cluster_id(),
                                 .lineage = {"store-" + target, {}, 1, 1, "b-" + target}});
        online_.push_back(target);
    }
    // The target lives, and has applied this catalog, but for these entries.
    void applied(const std::string& target, std::vector<wire::CatalogProblem> problems = {}) {
        versions_[target] = core_->catalog().wire().version;
        hear(target, wire::TransformStatus{.catalog_version = versions_[target], .problems = std::move(problems)});
        beat();
    }
    void beat() {
        for (const std::string& target : online_) {
            hear(target, wire::Heartbeat{.boot_id = "b-" + target, .catalog_version = versions_[target], .map_version = core_->members().version()});
        }
    }
    // Those that are online say so twice a second.
    void run_for(Duration time) {
        const Instant end = world_.now() + time;
        while (world_.now() < end) {
            world_.run_for(std::min<Duration>(end - world_.now(), milliseconds(500)));
            beat();
        }
    }
    void create_bucket(const std::string& name) {
        const auto create = [](ProxyCore& core, std::string bucket, std::optional<Result<void>>& outcome) -> Task<void> {
            outcome = co_await core.create_bucket(std::move(bucket), 1000);
        };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), create(*core_, name, created_), boost::asio::detached); });
    }
    void submit_copy() {
        const auto submit = [](ProxyCore& core, std::optional<Result<std::string>>& outcome) -> Task<void> {
            JobRequest request;
            request.spec.operation = wire::Operation::copy;
            request.spec.source = "from";
            request.spec.destination = "to";
            outcome = co_await core.submit(std::move(request), "");
        };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), submit(*core_, submitted_), boost::asio::detached); });
    }
    template <class Body>
    std::size_t told(const std::string& target) const {
        const auto is_it = [&](const Said& said) { return said.route == route(target) && std::holds_alternative<Body>(said.message); };
        return static_cast<std::size_t>(std::ranges::count_if(said_, is_it));
    }
    // A cluster of two with the buckets "from" and "to".
    void set_up() {
        join("t1");
        join("t2");
        for (const char* name : {"from", "to"}) {
            create_bucket(name);
            for (const std::string& target : online_) applied(target);
            run_for(seconds(1));
            ASSERT_TRUE(created_ && *created_);
        }
    }

    sim::World world_{1};
    Loop control_{world_.executor()};
    BlockingPool aside_{[] { return Duration(milliseconds(1)); }};
    ProxyConfig config_;
    Memory metadata_;
    std::vector<Said> said_;
    wire::LinkToTargets::Receive hear_;
    std::vector<std::string> online_;
    std::map<std::string, std::uint64_t> versions_;
    std::optional<Result<void>> created_;
    std::optional<Result<std::string>> submitted_;
    std::unique_ptr<ProxyCore> core_;
};

TEST_F(Proxy, ATargetIsWelcomedAndIsAMember) {
    join("t1");
    ASSERT_EQ(told<wire::Welcome>("t1"), 1u);
    EXPECT_EQ(std::get<wire::Welcome>(said_.back().message).refused, "");
    EXPECT_TRUE(core_->members().is_online("t1"));
}

TEST_F(Proxy, ATargetThatSaysNothingIsOffline) {
    join("t1");
    online_.clear();
    run_for(seconds(20));
    EXPECT_FALSE(core_->members().is_online("t1"));
    EXPECT_EQ(core_->endpoint_of("t1").error().code, Code::unavailable);
}

TEST_F(Proxy, ABucketIsThereWhenEveryTargetSaysSo) {
    join("t1");
    join("t2");
    create_bucket("music");
    run_for(seconds(1));
    EXPECT_FALSE(created_) << "nobody has said so";
    applied("t1");
    run_for(seconds(1));
    EXPECT_FALSE(created_) << "one has not";
    EXPECT_GE(told<wire::Catalog>("t2"), 1u);
    applied("t2");
    run_for(seconds(1));
    ASSERT_TRUE(created_);
    EXPECT_TRUE(*created_);
}

TEST_F(Proxy, WhoCannotApplyABucketIsNamedWithTheReason) {
    join("t1");
    create_bucket("music");
    applied("t1", {{"music", "the disk has a bad day"}});
    run_for(seconds(1));
    ASSERT_TRUE(created_);
    ASSERT_FALSE(*created_);
    EXPECT_EQ(created_->error().code, Code::unavailable);
    EXPECT_THAT(created_->error().context, HasSubstr("target t1 has not applied it: the disk has a bad day"));
}

TEST_F(Proxy, ATargetThatSaysNothingOfTheCatalogIsNotWaitedForForEver) {
    join("t1");
    create_bucket("music");
    run_for(seconds(60));
    ASSERT_TRUE(created_);
    EXPECT_EQ(created_->error().code, Code::unavailable);
}

TEST_F(Proxy, AnOrderIsRepeatedUntilItIsAcknowledged) {
    set_up();
    submit_copy();
    run_for(seconds(5));
    ASSERT_TRUE(submitted_ && *submitted_) << "it does not wait for ever";
    const std::size_t before = told<wire::Directive>("t1");
    EXPECT_GE(before, 3u);
    const wire::DirectiveAck ack{.job = **submitted_, .revision = core_->jobs().find(**submitted_)->job.revision};
    hear("t1", ack);
    const std::size_t at_ack = told<wire::Directive>("t1");
    const std::size_t others = told<wire::Directive>("t2");
    run_for(seconds(5));
    EXPECT_EQ(told<wire::Directive>("t1"), at_ack);
    EXPECT_GT(told<wire::Directive>("t2"), others);
}

TEST_F(Proxy, WhatCannotBeWrittenDownIsNotTold) {
    set_up();
    metadata_.refuses = true;
    submit_copy();
    run_for(seconds(5));
    ASSERT_TRUE(submitted_);
    EXPECT_EQ(submitted_->error().code, Code::no_space);
    EXPECT_EQ(told<wire::Directive>("t1") + told<wire::Directive>("t2"), 0u);
    EXPECT_TRUE(core_->jobs().jobs().empty());
}

TEST_F(Proxy, AfterARestartTheNextProcessSaysTheSame) {
    set_up();
    submit_copy();
    run_for(seconds(5));
    const std::string id = **submitted_;
    const auto stop = [](ProxyCore& core) -> Task<void> { co_await core.stop(); };
    world_.act([&] { boost::asio::co_spawn(world_.executor(), stop(*core_), boost::asio::detached); });
    online_.clear();
    run_for(seconds(1));
    const std::string cluster = core_->cluster_id();
    core_ = *ProxyCore::open(control_, aside_, config_, metadata_);
    EXPECT_EQ(core_->cluster_id(), cluster);
    EXPECT_NE(core_->catalog().bucket("from"), nullptr);
    ASSERT_NE(core_->jobs().find(id), nullptr);
    EXPECT_EQ(core_->members().members().size(), 2u);
}

}  // namespace
}  // namespace millrace::scheduler
