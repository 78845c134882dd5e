// A target as a whole, in simulated time: what its proxy says to it, and what it does and says then. Its objects and its transform are scripted.
#include "worker/target_core.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/unit/worker/recorded_link.h"
#include "tests/unit/worker/runner_fixture.h"

namespace millrace::worker {
namespace {

using testing::HasSubstr;

class Core : public testing::Test {
protected:
    Core() {
        config_.proxy = "tcp://proxy:1";
        start();
    }
    void TearDown() override {
        if (core_) stop();
    }

    // A process on the folder as it is.
    void start() {
        state_ = std::make_unique<TargetState>(*TargetState::open(kv_, "t1"));
        const auto connect = [this](const std::string&, const std::string&, wire::LinkToProxy::Receive receive) {
            hear_ = std::move(receive);
            return Result<std::unique_ptr<wire::LinkToProxy>>(std::make_unique<RecordedLink>(said_));
        };
        const auto sync = [](TargetId) -> Task<Result<std::string>> { co_return "b-1"; };
        const auto standing = [this](std::string reason) { standing_ = std::move(reason); };
        core_ = std::make_unique<TargetCore>(TargetEnvironment{control_, lanes_, blocking_, objects_in_store_, buckets_, slices_, *state_, objects_, transform_,
                                                               config_, "b-target", "http://t1", sync, connect, standing});
        world_.act([this] { ASSERT_TRUE(core_->start()); });
    }
    void stop() {
        const std::string boot = std::exchange(proxy_boot_, "");  // it has nothing more to say to this process
        bool ended = false;
        const auto end = [](TargetCore& core, bool& is_over) -> Task<void> {
            co_await core.stop();
            is_over = true;
        };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), end(*core_, ended), boost::asio::detached); });
        run_for(seconds(2));
        EXPECT_TRUE(ended) << "nobody waits for an object";
        if (ended) core_.reset();
        proxy_boot_ = boot;
    }
    void restart() {
        stop();
        said_.clear();
        start();
    }

    void hear(const wire::Message& message) {
        world_.act([&] { hear_(message); });
    }
    // The proxy is there for so long, and beats.
    void run_for(Duration time) {
        for (Duration past{}; past < time; past += milliseconds(500)) {
            if (!proxy_boot_.empty() && core_) hear(wire::Heartbeat{.boot_id = proxy_boot_, .catalog_version = catalog_version_});
            world_.run_for(std::min<Duration>(milliseconds(500), time - past));
        }
    }
    // By the process of the proxy's start with that number.
    void welcome(std::uint64_t generation) {
        proxy_boot_ = "b-proxy-" + std::to_string(generation);
        hear(welcome_of(generation));
    }
    static wire::Welcome welcome_of(std::uint64_t generation) {
        const std::string boot = "b-proxy-" + std::to_string(generation);
        return {.proxy_id = "p", .boot_id = boot, .cluster_id = "c", .map = {.version = 3, .targets = {{"t1", "http://t1", true}}},
                .lineage = {"p", {}, generation, 10 * generation, boot}};
    }
    void tell_catalog() {
        catalog_version_ = 2;
        hear(wire::Catalog{.version = 2, .buckets = {{"source", "u1", 1000, 1}, {"destination", "u2", 1000, 1}}, .transforms = {{"to-wav", "{}", true}}});
        run_for(seconds(1));
    }
    void join() {
        welcome(1);
        tell_catalog();
        for (std::size_t i = 0; i < kObjects; ++i) disk_.put_source("object-" + std::to_string(i), 1);
    }
    static wire::Directive directive(std::uint64_t revision, wire::Desired desired) {
        wire::Directive directive{.job = "job-1", .revision = revision, .desired = desired, .has_spec = true};
        directive.spec = {.transform = "to-wav", .source = "source", .destination = "destination"};
        directive.pins = {"u1", "u2", {}};
        return directive;
    }
    // The newest of the kind.
    template <class Body>
    std::optional<Body> last() const {
        const auto found = std::find_if(said_.rbegin(), said_.rend(), [](const wire::Message& message) { return std::holds_alternative<Body>(message); });
        return found == said_.rend() ? std::nullopt : std::optional(std::get<Body>(*found));
    }
    wire::SliceStatus status() const { return last<wire::SliceStatus>().value_or(wire::SliceStatus{}); }

    sim::World world_{1};
    sim::Disk disk_;
    sim::FolderKv kv_{disk_.folder, disk_.faults, world_.random(), {}};
    sim::Objects objects_in_store_{disk_, kv_, world_.random(), 0};
    LocalBuckets buckets_{objects_in_store_};
    state::SliceStore slices_{kv_};
    Loop control_{world_.executor()};
    Lanes lanes_{world_.executor(), 2};
    BlockingPool blocking_{[] { return Duration(milliseconds(1)); }};
    TargetConfig config_;
    ScriptedObjects objects_;
    ScriptedTransform transform_;
    std::unique_ptr<TargetState> state_;
    std::vector<wire::Message> said_;
    wire::LinkToProxy::Receive hear_;
    std::string standing_ = "nobody said";
    std::string proxy_boot_;
    std::uint64_t catalog_version_ = 0;
    std::unique_ptr<TargetCore> core_;
};

TEST_F(Core, JoinsItsProxyAndKnowsWhoOwnsWhat) {
    run_for(milliseconds(300));
    EXPECT_TRUE(last<wire::Hello>());
    EXPECT_FALSE(core_->cluster().placement()) << "nothing is placed by guess";
    EXPECT_FALSE(core_->cluster().may_take_outputs());
    welcome(1);
    EXPECT_EQ(standing_, "");
    EXPECT_TRUE(core_->cluster().may_take_outputs());
    ASSERT_TRUE(core_->cluster().placement());
    EXPECT_EQ(core_->cluster().placement()->epoch(), 3u);
    EXPECT_EQ(*core_->cluster().placement()->owner("x"), TargetId("t1"));
    run_for(seconds(1));
    EXPECT_TRUE(last<wire::Heartbeat>());
}

TEST_F(Core, KnowsTheOwnersAgainBeforeItHasJoined) {
    welcome(1);
    proxy_boot_.clear();
    restart();
    ASSERT_TRUE(core_->cluster().placement());
    EXPECT_EQ(core_->cluster().placement()->epoch(), 0u) << "the version is of another process of the proxy";
    EXPECT_FALSE(core_->cluster().may_take_outputs());
    EXPECT_FALSE(core_->cluster().endpoint(TargetId("t1"))) << "nobody is taken to be online";
}

TEST_F(Core, ARefusedTargetTakesNoChangesUntilItIsWelcome) {
    wire::Welcome refusal = welcome_of(1);
    refusal.refused = "this is an older copy of its folder";
    hear(refusal);
    EXPECT_THAT(standing_, HasSubstr("an older copy"));
    EXPECT_FALSE(core_->cluster().may_change());
    hear(directive(1, wire::Desired::run));
    run_for(seconds(1));
    EXPECT_FALSE(last<wire::DirectiveAck>());
    welcome(1);
    EXPECT_EQ(standing_, "");
    EXPECT_TRUE(core_->cluster().may_change());
}

TEST_F(Core, AppliesACatalogAndSaysSo) {
    welcome(1);
    tell_catalog();
    EXPECT_EQ(disk_.buckets, (std::map<std::string, std::string>{{"destination", "u2"}, {"source", "u1"}}));
    EXPECT_EQ(transform_.wanted, std::vector<std::string>{"to-wav"});
    EXPECT_EQ(last<wire::Heartbeat>().value_or(wire::Heartbeat{}).catalog_version, 2u);
    EXPECT_EQ(state_->catalog().version, 2u);
    transform_.wanted.clear();
    restart();
    EXPECT_EQ(transform_.wanted, std::vector<std::string>{"to-wav"}) << "before it hears from anybody";
}

TEST_F(Core, WritesADirectiveDownAcknowledgesItAndRunsIt) {
    join();
    hear(directive(1, wire::Desired::run));
    EXPECT_EQ(last<wire::DirectiveAck>().value_or(wire::DirectiveAck{}).revision, 1u);
    EXPECT_EQ(slices_.orders()->size(), 1u);
    run_for(seconds(5));
    EXPECT_EQ(status().state, wire::SliceState::finished) << status().reason;
    EXPECT_EQ(status().counters.done, kObjects);
    EXPECT_EQ(objects_.runs.size(), kObjects);
}

TEST_F(Core, ADirectiveWithoutItsSpecificationIsAskedFor) {
    join();
    wire::Directive bare = directive(1, wire::Desired::run);
    bare.has_spec = false;
    hear(bare);
    EXPECT_TRUE(last<wire::DirectiveAck>().value_or(wire::DirectiveAck{}).needs_spec);
    EXPECT_TRUE(slices_.orders()->empty());
}

TEST_F(Core, ADirectiveThatCannotBeWrittenDownIsNotAcknowledged) {
    join();
    disk_.faults.full = true;
    hear(directive(1, wire::Desired::run));
    run_for(seconds(1));
    EXPECT_FALSE(last<wire::DirectiveAck>());
    disk_.faults.full = false;
    hear(directive(1, wire::Desired::run));
    EXPECT_TRUE(last<wire::DirectiveAck>());
}

TEST_F(Core, AStopWhileObjectsRunDoesNotWaitForThemAndTheNextProcessGoesOn) {
    join();
    objects_.takes = std::chrono::hours(1);
    hear(directive(1, wire::Desired::run));
    run_for(seconds(2));
    EXPECT_EQ(status().state, wire::SliceState::running);
    EXPECT_FALSE(objects_.runs.empty());
    objects_.takes = milliseconds(2);
    restart();
    EXPECT_FALSE(objects_.runs.empty());
    const auto runs_before = objects_.runs;
    run_for(seconds(1));
    EXPECT_EQ(objects_.runs, runs_before) << "its folder may be a copy: it waits to be welcome";
    welcome(1);
    run_for(seconds(5));
    EXPECT_EQ(status().state, wire::SliceState::finished) << status().reason;
    EXPECT_EQ(status().counters.done, kObjects);
    EXPECT_EQ(status().incarnation, 2u);
}

TEST_F(Core, AJobThatIsStoppedComesToRestAndOneThatIsForgottenIsGone) {
    join();
    objects_.takes = std::chrono::hours(1);
    hear(directive(1, wire::Desired::run));
    run_for(seconds(2));
    hear(directive(2, wire::Desired::stop));
    run_for(seconds(3));
    EXPECT_EQ(status().state, wire::SliceState::stopped);
    EXPECT_EQ(status().revision, 2u);
    EXPECT_EQ(status().counters.settled(), 0u);
    hear(directive(3, wire::Desired::forget));
    run_for(seconds(2));
    EXPECT_EQ(last<wire::DirectiveAck>()->revision, 3u);
    EXPECT_TRUE(slices_.orders()->empty());
}

TEST_F(Core, ANewProcessOfTheProxyHearsEverythingAnewAndNothingIsHeldUp) {
    join();
    objects_.takes = milliseconds(400);
    config_.window_objects_max = 2;
    hear(directive(1, wire::Desired::run));
    run_for(milliseconds(1500));
    for (wire::SliceStatus told = status(); told.seq != 0; told.seq = 0) hear(wire::StatusAck{told.job, told.incarnation, told.seq});
    proxy_boot_.clear();  // killed
    run_for(seconds(4));
    EXPECT_EQ(standing_, "the proxy is silent");
    EXPECT_TRUE(core_->cluster().may_take_outputs()) << "it stays joined while the proxy is merely silent";
    said_.clear();
    welcome(2);
    EXPECT_EQ(standing_, "");
    run_for(seconds(1));
    EXPECT_TRUE(last<wire::SliceStatus>()) << "though it had been acknowledged to the process before";
    run_for(seconds(10));
    EXPECT_EQ(status().state, wire::SliceState::finished) << status().reason;
    EXPECT_EQ(status().counters.done, kObjects);
    for (const auto& [name, times] : objects_.runs) EXPECT_EQ(times, 1) << name;
}

}  // namespace
}  // namespace millrace::worker
