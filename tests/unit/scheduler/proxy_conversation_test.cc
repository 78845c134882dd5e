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
        open();
        const auto link = [this](wire::LinkToTargets::Receive receive) {
            hear_ = std::move(receive);
            return Result<std::unique_ptr<wire::LinkToTargets>>(std::make_unique<End>(said_));
        };
        world_.act([&] { EXPECT_TRUE(core_->control().start(8080, link)); });
    }
    ~Proxy() override {
        stop();
        world_.run_for(seconds(120));  // what is being written is written
    }
    void open() {
        const auto begin = [](Proxy& self) -> Task<void> {
            self.core_ = *co_await ProxyCore::open(self.control_, self.aside_, self.config_, self.metadata_);
        };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), begin(*this), boost::asio::detached); });
    }
    void stop() {
        const auto end = [](ProxyCore& core) -> Task<void> { co_await core.control().stop(); };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), end(*core_), boost::asio::detached); });
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
    void say_hello(const std::string& target, const std::string& boot, const std::string& store) {
        hear(target, wire::Hello{.target_id = target, .boot_id = boot, .endpoint = "http://" + target, .cluster_id = core_->state().cluster_id,
                                 .lineage = {store, {}, 1, 1, boot}});
    }
    void join(const std::string& target) {
        say_hello(target, "b-" + target, "store-" + target);
        online_.push_back(target);
    }
    void accept(const std::string& target) {
        const auto begin = [](ProxyCore& core, std::string node) -> Task<void> { (void)co_await core.control().accept(std::move(node)); };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), begin(*core_, target), boost::asio::detached); });
    }
    // The target lives, and has applied this catalog, but for these entries.
    void applied(const std::string& target, std::vector<wire::CatalogProblem> problems = {}) {
        versions_[target] = core_->state().catalog.wire().version;
        hear(target, wire::TransformStatus{.catalog_version = versions_[target], .problems = std::move(problems)});
        beat();
    }
    void beat() {
        for (const std::string& target : online_) {
            hear(target, wire::Heartbeat{.boot_id = "b-" + target, .catalog_version = versions_[target], .map_version = core_->state().members.version()});
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
        created_.reset();
        const auto create = [](ProxyCore& core, std::string bucket, std::optional<Result<void>>& outcome) -> Task<void> {
            outcome = co_await core.catalog().create_bucket(std::move(bucket), 1000);
        };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), create(*core_, name, created_), boost::asio::detached); });
    }
    void submit_copy() {
        const auto submit = [](ProxyCore& core, std::optional<Result<std::string>>& outcome) -> Task<void> {
            JobRequest request;
            request.spec.operation = wire::Operation::copy;
            request.spec.source = "from";
            request.spec.destination = "to";
            outcome = co_await core.jobs().submit(std::move(request), "");
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
    EXPECT_TRUE(core_->state().members.is_online("t1"));
}

TEST_F(Proxy, ATargetDoesNotHearOfItsAcceptanceBeforeThatIsWrittenDown) {
    set_up();
    hear("t1", wire::Goodbye{.boot_id = "b-t1"});
    const auto last_answer = [this] {
        say_hello("t1", "b-new", "an-empty-folder");
        const auto is_answer = [](const Said& said) { return said.route == route("t1") && std::holds_alternative<wire::Welcome>(said.message); };
        const auto last = std::find_if(said_.rbegin(), said_.rend(), is_answer);
        return std::get<wire::Welcome>(last->message);
    };
    EXPECT_THAT(last_answer().refused, HasSubstr("millrace cluster accept t1"));
    metadata_.refuses = true;
    accept("t1");
    const std::size_t answers = told<wire::Welcome>("t1");
    EXPECT_THAT(last_answer().refused, HasSubstr("millrace cluster accept t1"));
    EXPECT_EQ(told<wire::Welcome>("t1"), answers) << "nothing is said while nothing can be written";
    metadata_.refuses = false;
    const wire::Welcome welcome = last_answer();
    EXPECT_EQ(welcome.refused, "");
    EXPECT_NE(welcome.new_branch, "");
}

TEST_F(Proxy, ATargetThatSaysNothingIsOffline) {
    join("t1");
    online_.clear();
    run_for(seconds(20));
    EXPECT_FALSE(core_->state().members.is_online("t1"));
    EXPECT_EQ(core_->targets().endpoint_of("t1").error().code, Code::unavailable);
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
    const wire::DirectiveAck ack{.job = **submitted_, .revision = core_->state().jobs.find(**submitted_)->job.revision};
    hear("t1", ack);
    const std::size_t at_ack = told<wire::Directive>("t1");
    const std::size_t others = told<wire::Directive>("t2");
    run_for(seconds(5));
    EXPECT_EQ(told<wire::Directive>("t1"), at_ack);
    EXPECT_GT(told<wire::Directive>("t2"), others);
}

TEST_F(Proxy, AnOrderNamesTheProcessThatItComesFrom) {
    set_up();
    submit_copy();
    run_for(seconds(5));
    ASSERT_GE(told<wire::Directive>("t1"), 1u);
    for (const Said& each : said_) {
        const auto* directive = std::get_if<wire::Directive>(&each.message);
        if (directive != nullptr) EXPECT_EQ(directive->boot_id, core_->state().boot_id);
    }
}

TEST_F(Proxy, WhatCannotBeWrittenDownIsNotTold) {
    set_up();
    metadata_.refuses = true;
    submit_copy();
    run_for(seconds(5));
    ASSERT_TRUE(submitted_);
    EXPECT_EQ(submitted_->error().code, Code::no_space);
    EXPECT_EQ(told<wire::Directive>("t1") + told<wire::Directive>("t2"), 0u);
    EXPECT_TRUE(core_->state().jobs.jobs().empty());
}

TEST_F(Proxy, AfterARestartTheNextProcessSaysTheSame) {
    set_up();
    submit_copy();
    run_for(seconds(5));
    const std::string id = **submitted_;
    stop();
    online_.clear();
    run_for(seconds(1));
    const std::string cluster = core_->state().cluster_id;
    open();
    EXPECT_EQ(core_->state().cluster_id, cluster);
    EXPECT_NE(core_->state().catalog.bucket("from"), nullptr);
    ASSERT_NE(core_->state().jobs.find(id), nullptr);
    EXPECT_EQ(core_->state().members.members().size(), 2u);
}

// A store that takes its time, as one across a network does.
class SlowStore : public Proxy {
protected:
    void SetUp() override {
        set_up();
        submit_copy();
        for (const std::string& target : online_) {
            hear(target, wire::DirectiveAck{.job = only_job().id, .revision = 1});
        }
        run_for(seconds(1));
        ASSERT_TRUE(submitted_ && *submitted_);
        metadata_.takes = seconds(2);
    }
    const Job& only_job() const { return core_->state().jobs.jobs().begin()->second.job; }
    void command(const Scheduler::Command& change) {
        const auto ask = [](SlowStore& self, Scheduler::Command how) -> Task<void> {
            const std::string id = self.only_job().id;
            const Result<void> done = co_await self.core_->jobs().command(id, std::move(how));
            self.commanded_.push_back(done);
        };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), ask(*this, change), boost::asio::detached); });
    }
    void report(const std::string& target, wire::SliceState state, std::uint64_t done) {
        wire::SliceStatus status{.job = only_job().id};
        status.incarnation = 1;
        status.seq = ++seq_;
        status.revision = only_job().revision;
        status.state = state;
        status.counters.done = done;
        hear(target, status);
    }

    const Scheduler::Command pause_ = [](Job& job) { return pause(job); };
    const Scheduler::Command cancel_ = [](Job& job) { return cancel(job, 1); };
    std::uint64_t seq_ = 0;
    std::vector<Result<void>> commanded_;
};

TEST_F(SlowStore, NothingCountsBeforeItIsWritten) {
    const std::size_t told_before = told<wire::Directive>("t1");
    command(cancel_);
    run_for(seconds(1));
    EXPECT_TRUE(commanded_.empty());
    EXPECT_EQ(only_job().state, JobState::preparing);
    EXPECT_EQ(told<wire::Directive>("t1"), told_before);
    run_for(seconds(4));
    ASSERT_EQ(commanded_.size(), 1u);
    EXPECT_TRUE(commanded_[0]);
    EXPECT_EQ(only_job().state, JobState::cancelled);
    EXPECT_GT(told<wire::Directive>("t1"), told_before);
}

TEST_F(SlowStore, WhatComesMeanwhileIsNotTakenBackWithARefusal) {
    metadata_.refuses = true;
    command(pause_);
    report("t1", wire::SliceState::ready, 0);
    report("t2", wire::SliceState::ready, 0);
    run_for(seconds(3));
    metadata_.refuses = false;
    run_for(seconds(10));
    ASSERT_EQ(commanded_.size(), 1u);
    EXPECT_FALSE(commanded_[0]);
    EXPECT_EQ(only_job().state, JobState::running) << "both slices said that they are ready";
    EXPECT_EQ(only_job().slices.at("t1").status.state, wire::SliceState::ready);
}

TEST_F(SlowStore, CommandsTakeEffectOneAfterTheOther) {
    command(pause_);
    command(cancel_);
    command(pause_);
    run_for(seconds(20));
    ASSERT_EQ(commanded_.size(), 3u);
    EXPECT_TRUE(commanded_[0]);
    EXPECT_TRUE(commanded_[1]);
    EXPECT_FALSE(commanded_[2]) << "it has ended by then";
    EXPECT_EQ(only_job().state, JobState::cancelled);
}

TEST_F(SlowStore, WhoSpokeMeanwhileIsNotTakenForSilent) {
    metadata_.takes = seconds(25);  // longer than a target may be silent
    command(pause_);
    run_for(seconds(60));
    EXPECT_TRUE(core_->state().members.is_online("t1"));
    EXPECT_TRUE(core_->state().members.is_online("t2"));
}

TEST_F(SlowStore, OfWhatWaitsTheNewestIsKeptInItsPlace) {
    command(pause_);
    const std::string route = wire::route_of("t1", "b-2");
    const std::uint64_t version = core_->state().catalog.wire().version;
    const auto say = [&](const wire::Message& message) {
        world_.act([&] { hear_(route, message); });
    };
    say(wire::TransformStatus{.catalog_version = version - 1});
    hear("t1", wire::Goodbye{.boot_id = "b-t1"});
    say(wire::Hello{.target_id = "t1", .boot_id = "b-2", .endpoint = "http://t1", .cluster_id = core_->state().cluster_id,
                    .catalog_version = version, .lineage = {"store-t1", {}, 2, 2, "b-2"}});
    say(wire::TransformStatus{.catalog_version = version});
    world_.run_for(seconds(4));
    const Member& member = core_->state().members.members().at("t1");
    EXPECT_EQ(member.boot_id, "b-2");
    EXPECT_EQ(member.transforms_of_catalog, version) << "before its hello nothing of it counts";
}

TEST_F(SlowStore, ManyReportsAreWrittenTogether) {
    const std::size_t before = metadata_.commits;
    metadata_.takes = milliseconds(300);
    command(pause_);
    for (int i = 0; i < 50; ++i) {
        report("t1", wire::SliceState::ready, 0);
        report("t2", wire::SliceState::ready, 0);
    }
    run_for(seconds(2));
    EXPECT_LE(metadata_.commits - before, 5u);
}

TEST_F(SlowStore, WhoWaitsTooLongIsToldSo) {
    metadata_.takes = seconds(45);
    command(pause_);
    command(cancel_);
    run_for(seconds(40));
    ASSERT_EQ(commanded_.size(), 1u);
    EXPECT_EQ(commanded_[0].error().code, Code::unavailable);
    run_for(seconds(30));
    ASSERT_EQ(commanded_.size(), 2u);
    EXPECT_TRUE(commanded_[1]);
}

TEST_F(SlowStore, ASecondWriterIsNoticed) {
    metadata_.takes = {};
    wire::Catalog other = core_->state().catalog.wire();
    ++other.version;
    metadata_.values[kCatalogKey] = encode(other);
    create_bucket("another");
    run_for(seconds(1));
    ASSERT_TRUE(created_);
    ASSERT_FALSE(*created_);
    EXPECT_EQ(created_->error().code, Code::conflict);
    EXPECT_EQ(core_->state().catalog.bucket("another"), nullptr);
    EXPECT_EQ(metadata_.values[kCatalogKey], encode(other));
}

}  // namespace
}  // namespace millrace::scheduler
