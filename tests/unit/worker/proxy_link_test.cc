// A target's conversation with its proxy, in simulated time.
#include "worker/proxy_link.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "state/families.h"
#include "tests/sim/folder.h"
#include "tests/sim/world.h"
#include "tests/unit/worker/recorded_link.h"

namespace millrace::worker {
namespace {

using std::chrono::seconds;

class Conversation : public testing::Test {
protected:
    Conversation() {
        folder_.families[state::target_family::meta]["store_id"] = "store-1";
        state_ = std::make_unique<TargetState>(*TargetState::open(kv_, "t1"));
        config_.proxy = "tcp://proxy:1";
        ProxyLink::Handlers handlers;
        handlers.directive = [this](const wire::Directive& directive) { return take(directive); };
        handlers.status_ack = [](const wire::StatusAck&) {};
        handlers.catalog = [](const wire::Catalog&) {};
        handlers.map = [](const wire::ClusterMap&) {};
        handlers.proxy = [](const http::Endpoint&) {};
        handlers.accepted = [] { return Result<void>(); };
        handlers.joined = [this] { ++joined_; };
        handlers.lost = [this] { ++lost_; };
        handlers.refused = [this](std::string reason) { refused_ = std::move(reason); };
        handlers.transforms = [] { return std::vector<wire::TransformReport>(); };
        handlers.problems = [] { return std::vector<wire::CatalogProblem>(); };
        handlers.running_slices = [] { return 0u; };
        const auto connect = [this](const std::string&, const std::string&, wire::LinkToProxy::Receive receive) {
            hear_ = std::move(receive);
            ++connections_;
            return Result<std::unique_ptr<wire::LinkToProxy>>(std::make_unique<RecordedLink>(said_));
        };
        link_ = std::make_unique<ProxyLink>(control_, config_, *state_, "b-target", "http://t1", connect, handlers);
        world_.act([this] { EXPECT_TRUE(link_->start()); });
    }
    ~Conversation() override {
        const auto stop = [](ProxyLink& link) -> Task<void> { co_await link.stop(); };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), stop(*link_), boost::asio::detached); });
    }

    Task<void> take(const wire::Directive& directive) {
        directives_.push_back(directive.job);
        co_return;
    }
    void hear(const wire::Message& message) {
        world_.act([&] { hear_(message); });
    }
    void run_for(Duration time) { world_.run_for(time); }
    template <class Body>
    std::size_t count_said() {
        return static_cast<std::size_t>(std::ranges::count_if(said_, [](const auto& message) { return std::holds_alternative<Body>(message); }));
    }
    // Of the process of the proxy's start with that number.
    static wire::Welcome welcome(std::uint64_t generation) {
        const std::string boot = "b-proxy-" + std::to_string(generation);
        return {.proxy_id = "p", .boot_id = boot, .cluster_id = "c", .map = {.version = 1, .targets = {}},
                .lineage = {"p", {}, generation, 10 * generation, boot}};
    }

    sim::World world_{1};
    sim::Folder folder_;
    sim::DiskFaults faults_;
    sim::FolderKv kv_{folder_, faults_, world_.random(), {}};
    Loop control_{world_.executor()};
    TargetConfig config_;
    std::unique_ptr<TargetState> state_;
    std::vector<wire::Message> said_;
    wire::LinkToProxy::Receive hear_;
    std::vector<std::string> directives_;
    std::string refused_;
    int joined_ = 0;
    int lost_ = 0;
    int connections_ = 0;
    std::unique_ptr<ProxyLink> link_;
};

TEST_F(Conversation, NothingButHelloIsSaidAndNothingButAWelcomeTakenBeforeItIsWelcomed) {
    run_for(milliseconds(250));
    EXPECT_EQ(count_said<wire::Hello>(), said_.size());
    EXPECT_EQ(said_.size(), 5u) << "at 0, 10, 30, 70 and 150 ms, and every 100 ms from then on";
    hear(wire::Directive{.job = "job-1", .revision = 1});
    world_.act([this] { link_->send(wire::SliceStatus{.job = "job-1"}); });
    EXPECT_TRUE(directives_.empty());
    EXPECT_EQ(count_said<wire::SliceStatus>(), 0u);
    hear(welcome(1));
    EXPECT_EQ(joined_, 1);
    hear(wire::Directive{.job = "job-1", .revision = 1});
    world_.act([this] { link_->send(wire::SliceStatus{.job = "job-1"}); });
    EXPECT_EQ(directives_, std::vector<std::string>{"job-1"});
    EXPECT_EQ(count_said<wire::SliceStatus>(), 1u);
}

TEST_F(Conversation, AWelcomeThatComesLateOfAProcessThatIsOverIsPassedOver) {
    hear(welcome(2));
    ASSERT_EQ(joined_, 1);
    hear(welcome(1));
    EXPECT_EQ(joined_, 1);
    EXPECT_EQ(state_->proxy().boot_id, "b-proxy-2");
    hear(welcome(3));
    EXPECT_EQ(joined_, 2);
    EXPECT_EQ(state_->proxy().boot_id, "b-proxy-3");
}

TEST_F(Conversation, AnOrderOfAProcessThatDidNotWelcomeItCountsForNothingAndMakesItSayHello) {
    hear(welcome(1));
    hear(wire::Directive{.job = "job-1", .revision = 1, .age = 15, .boot_id = "b-proxy-1"});
    hear(wire::Directive{.job = "job-2", .revision = 1, .age = 16});  // of a Millrace from before
    EXPECT_EQ(state_->proxy().age, 16u);
    const std::size_t hellos = count_said<wire::Hello>();
    hear(wire::Directive{.job = "job-3", .revision = 1, .age = 25, .boot_id = "b-proxy-2"});
    run_for(seconds(1));
    EXPECT_EQ(directives_, (std::vector<std::string>{"job-1", "job-2"}));
    EXPECT_EQ(state_->proxy().age, 16u) << "of the start that is remembered";
    EXPECT_GT(count_said<wire::Hello>(), hellos);
    hear(welcome(2));
    EXPECT_EQ(joined_, 2) << "it is no older copy";
}

TEST_F(Conversation, AWelcomeCountsOnlyWhenItWasWrittenDown) {
    faults_.full = true;
    hear(welcome(1));
    EXPECT_EQ(joined_, 0);
    faults_.full = false;
    hear(welcome(1));
    EXPECT_EQ(joined_, 1);
    EXPECT_EQ(TargetState::open(kv_, "t1")->proxy().boot_id, "b-proxy-1");
}

TEST_F(Conversation, ASilentProxyIsLostAndAskedAgainOverANewConnection) {
    hear(welcome(1));
    run_for(seconds(4));
    EXPECT_EQ(lost_, 1);
    const std::size_t hellos = count_said<wire::Hello>();
    EXPECT_GT(hellos, 1u);
    EXPECT_EQ(connections_, 1);
    run_for(seconds(8));
    EXPECT_EQ(connections_, 2) << "the first one may swallow everything";
    EXPECT_EQ(lost_, 1);
}

TEST_F(Conversation, AHeartbeatOfAnotherProcessMakesItSayHello) {
    hear(welcome(1));
    run_for(milliseconds(100));
    said_.clear();
    hear(wire::Heartbeat{.boot_id = "b-proxy-2"});
    run_for(milliseconds(600));
    EXPECT_GE(count_said<wire::Hello>(), 1u);
    EXPECT_EQ(count_said<wire::Heartbeat>(), 0u);
}

TEST_F(Conversation, ARefusalIsToldOnceAndAskedAboutMoreRarely) {
    wire::Welcome refusal = welcome(1);
    refusal.refused = "an older copy";
    refusal.wants_catalog = true;
    hear(refusal);
    EXPECT_EQ(refused_, "an older copy");
    EXPECT_EQ(count_said<wire::Catalog>(), 1u) << "the proxy may know less";
    said_.clear();
    run_for(milliseconds(2500));
    EXPECT_LE(count_said<wire::Hello>(), 2u);
    hear(welcome(1));
    EXPECT_EQ(joined_, 1);
}

}  // namespace
}  // namespace millrace::worker
