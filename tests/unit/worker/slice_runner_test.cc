// A slice at work, in simulated time: its store and database are simulated, its objects and its transform are scripted.
#include "worker/slice_runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "state/record.h"
#include "tests/sim/objects.h"
#include "tests/sim/world.h"

namespace millrace::worker {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

constexpr std::size_t kObjects = 10;

// Each object takes its time, unless its run is over before.
class ScriptedObjects final : public ObjectRunner {
public:
    Task<std::expected<ExecutionResult, Failure>> run(const SliceContext& slice, Lane&, std::string name, bool) const override {
        ++runs[name];
        const Instant end = steady_now() + takes;
        while (steady_now() < end && !*slice.over) co_await sleep_for(milliseconds(1));
        if (*slice.over) co_return std::unexpected(Failure{Blame::sink, fail(Code::cancelled, "the run is over"), {}});
        co_return result;
    }
    Duration takes = milliseconds(2);
    ExecutionResult result{.bytes_in = 7, .bytes_out = 5};
    mutable std::map<std::string, int> runs;
};

class ScriptedTransform final : public Transforms {
public:
    void apply(const std::vector<wire::TransformEntry>&) override {}
    std::vector<wire::TransformReport> report() const override { return {}; }
    Result<void> ready(const std::string&, std::uint64_t) const override { return state; }
    std::shared_ptr<const spec::TransformSpec> spec_of(const std::string&) const override { return nullptr; }
    Result<void> state;
};

class Runner : public testing::Test {
protected:
    Runner() {
        disk_.buckets = {{"source", "u1"}, {"destination", "u2"}};
        for (std::size_t i = 0; i < kObjects; ++i) disk_.put_source("object-" + std::to_string(i), 1);
        spec_.transform = "to-wav";
        spec_.source = "source";
        spec_.destination = "destination";
        order_ = {.job = "job-1", .revision = 1, .desired = static_cast<int>(Desired::run), .incarnation = 1, .created_seq_end = disk_.next_seq,
                  .pins = {"u1", "u2", {}}};
    }
    ~Runner() override {
        if (!runner_) return;
        const auto stop = [](SliceRunner& runner) -> Task<void> { co_await runner.stop(); };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), stop(*runner_), boost::asio::detached); });
        run_for(seconds(5));
    }

    void start() {
        const auto sync = [this](TargetId) -> Task<Result<std::string>> { return answer_sync(); };
        const SliceEnvironment environment{.control = control_, .lanes = lanes_, .blocking = blocking_, .store = objects_in_store_, .slices = slices_,
            .fences = fences_, .objects = objects_, .transforms = transform_, .cluster = cluster_, .config = config_, .sync_target = sync,
            .report = [this](const wire::SliceStatus& status) { status_ = status; },
            .syncs = std::make_shared<RemoteSyncs>(control_.executor(), sync)};
        const std::string bytes = state::encode_record(spec_);
        ASSERT_TRUE(slices_.put_order(order_, &bytes));
        auto made = SliceRunner::make(environment, order_, spec_);
        ASSERT_TRUE(made) << made.error().context;
        runner_ = std::move(*made);
        world_.act([this] {
            runner_->admit(true);
            runner_->kick();
        });
    }
    Task<Result<std::string>> answer_sync() {
        ++syncs_;
        objects_.result.boot_id = boot_id_of_sink_;  // the process that answers is the one that takes what comes from now on
        co_return boot_id_of_sink_;
    }
    void order(Desired desired) {
        ++order_.revision;
        order_.desired = static_cast<int>(desired);
        world_.act([this] { ASSERT_TRUE(runner_->adopt(order_)); });
    }
    void kick() {
        world_.act([this] { runner_->kick(); });
    }
    void run_for(Duration time) { world_.run_for(time); }
    SliceCounters written_down() { return (*slices_.checkpoint(JobId("job-1"))).value_or(state::SliceCheckpoint{}).counters; }
    int most_runs() const {
        int most = 0;
        for (const auto& [name, runs] : objects_.runs) most = std::max(most, runs);
        return most;
    }

    sim::World world_{1};
    sim::Disk disk_;
    sim::FolderKv kv_{disk_.folder, disk_.faults, world_.random(), {}};
    sim::Objects objects_in_store_{disk_, kv_, world_.random(), 0};
    state::SliceStore slices_{kv_};
    Loop control_{world_.executor()};
    Lanes lanes_{world_.executor(), 2};
    BlockingPool blocking_{[] { return Duration(milliseconds(1)); }};
    Fences fences_{slices_};
    ClusterView cluster_{TargetId("t1")};
    TargetConfig config_;
    ScriptedObjects objects_;
    ScriptedTransform transform_;
    wire::JobSpec spec_;
    state::SliceOrder order_;
    wire::SliceStatus status_;
    std::string boot_id_of_sink_ = "b-1";
    int syncs_ = 0;
    std::unique_ptr<SliceRunner> runner_;
};

TEST_F(Runner, IsFinishedWhenEveryObjectIsSettledAndThatIsWrittenDown) {
    start();
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(status_.counters.bytes_in, 7 * kObjects);
    EXPECT_EQ(status_.counters, written_down());
    EXPECT_EQ(objects_.runs.size(), kObjects);
    EXPECT_EQ(most_runs(), 1);
}

TEST_F(Runner, WhatWasStoredAfterTheSubmitIsNotPartOfIt) {
    order_.created_seq_end -= 3;
    start();
    run_for(seconds(5));
    EXPECT_EQ(status_.counters.done, kObjects - 3);
    EXPECT_EQ(objects_.runs.size(), kObjects - 3);
}

TEST_F(Runner, WaitsForItsTransformAndSaysWhy) {
    transform_.state = fail(Code::unavailable, "transform 'to-wav' is starting");
    start();
    run_for(seconds(2));
    EXPECT_NE(status_.state, SliceState::running);
    EXPECT_THAT(status_.reason, HasSubstr("is starting"));
    EXPECT_TRUE(objects_.runs.empty());
    transform_.state = {};
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished) << "it looks again by itself";
}

TEST_F(Runner, ATransformThatWasGivenUpFailsTheSlice) {
    transform_.state = fail(Code::conflict, "transform 'to-wav' was given up");
    start();
    run_for(seconds(2));
    EXPECT_EQ(status_.state, SliceState::failed);
    EXPECT_THAT(status_.reason, HasSubstr("was given up"));
    transform_.state = {};
    run_for(seconds(2));
    EXPECT_EQ(status_.state, SliceState::failed) << "until somebody orders it again";
}

TEST_F(Runner, WhileCheckpointsFailNothingIsReportedAndNothingRunsTwice) {
    objects_.takes = milliseconds(500);
    start();
    run_for(milliseconds(300));
    disk_.faults.full = true;
    run_for(seconds(20));
    EXPECT_EQ(status_.state, SliceState::stalled);
    EXPECT_THAT(status_.reason, HasSubstr("the disk is full"));
    EXPECT_EQ(status_.counters.done, 0u);
    disk_.faults.full = false;
    run_for(seconds(120));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(most_runs(), 1);
}

TEST_F(Runner, OutputsElsewhereAreAskedForBeforeTheyCount) {
    objects_.result.moved_to = TargetId("t2");
    objects_.result.boot_id = "b-1";
    start();
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_GT(syncs_, 0);
    EXPECT_EQ(most_runs(), 1);
    EXPECT_EQ(status_.counters.bytes_moved, 5 * kObjects);
}

TEST_F(Runner, WhatATargetThatStartedAnewMayHaveLostRunsAgain) {
    objects_.result.moved_to = TargetId("t2");
    objects_.result.boot_id = "b-1";
    boot_id_of_sink_ = "b-2";
    start();
    run_for(seconds(30));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(most_runs(), 2);
}

TEST_F(Runner, APauseInterruptsWhatRunsAndItGoesOnAfterwards) {
    objects_.takes = seconds(10);
    start();
    run_for(milliseconds(500));
    EXPECT_EQ(status_.state, SliceState::running);
    order(Desired::pause);
    run_for(seconds(2));
    EXPECT_EQ(status_.state, SliceState::paused) << "nobody waits ten seconds";
    EXPECT_EQ(status_.revision, 2u);
    EXPECT_EQ(status_.counters.settled(), 0u);
    objects_.takes = milliseconds(2);
    order(Desired::run);
    run_for(seconds(5));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
}

TEST_F(Runner, ARestartGoesOnFromTheCheckpoint) {
    objects_.takes = seconds(4);
    config_.window_objects_max = 1;
    spec_.num_workers = 1;
    start();
    run_for(seconds(14));
    const SliceCounters before = written_down();
    EXPECT_GT(before.done, 0u);
    EXPECT_LT(before.done, kObjects);
    const auto stop = [](SliceRunner& runner) -> Task<void> { co_await runner.stop(); };
    world_.act([&] { boost::asio::co_spawn(world_.executor(), stop(*runner_), boost::asio::detached); });
    run_for(seconds(5));
    runner_.reset();
    objects_.runs.clear();
    objects_.takes = milliseconds(2);
    ++order_.incarnation;
    start();
    run_for(seconds(20));
    EXPECT_EQ(status_.state, SliceState::finished);
    EXPECT_EQ(status_.counters.done, kObjects);
    EXPECT_EQ(objects_.runs.size(), kObjects - before.done) << "what was settled does not run again";
}

}  // namespace
}  // namespace millrace::worker
