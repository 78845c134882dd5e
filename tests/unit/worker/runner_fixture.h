// A slice at work, in simulated time: its store and database are simulated; its buckets, its objects and its transform are what a test says.
#pragma once
#include "worker/slice_runner.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "state/record.h"
#include "tests/sim/objects.h"
#include "tests/sim/world.h"
#include "worker/local_buckets.h"

namespace millrace::worker {

using std::chrono::seconds;

inline constexpr std::size_t kObjects = 10;

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
    void apply(const std::vector<wire::TransformEntry>& entries) override {
        wanted.clear();
        for (const wire::TransformEntry& entry : entries) wanted.push_back(entry.name);
    }
    std::vector<wire::TransformReport> report() const override { return {}; }
    Result<void> ready(const std::string&, std::uint64_t) const override { return state; }
    std::shared_ptr<const spec::TransformSpec> spec_of(const std::string&) const override { return nullptr; }
    Result<void> state;
    std::vector<std::string> wanted;
};

class RunnerFixture : public testing::Test {
protected:
    RunnerFixture() {
        disk_.buckets = {{"source", "u1"}, {"destination", "u2"}};
        for (std::size_t i = 0; i < kObjects; ++i) disk_.put_source("object-" + std::to_string(i), 1);
        spec_.transform = "to-wav";
        spec_.source = "source";
        spec_.destination = "destination";
        order_ = {.job = "job-1", .revision = 1, .desired = static_cast<int>(Desired::run), .incarnation = 1, .created_seq_end = disk_.next_seq,
                  .pins = {"u1", "u2", {}}};
    }
    void TearDown() override {
        if (runner_) stop(seconds(5));
    }

    void start() {
        const auto sync = [this](TargetId) -> Task<Result<std::string>> { return answer_sync(); };
        const SliceEnvironment environment{.control = control_, .lanes = lanes_, .blocking = blocking_, .store = objects_in_store_,
            .buckets = *buckets_, .slices = slices_, .fences = fences_, .objects = *runs_objects_, .transforms = transform_, .cluster = cluster_,
            .config = config_, .sync_target = sync,
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
    // Within that time, or it hangs.
    void stop(Duration time) {
        bool ended = false;
        const auto end = [](SliceRunner& runner, bool& is_over) -> Task<void> {
            co_await runner.stop();
            is_over = true;
        };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), end(*runner_, ended), boost::asio::detached); });
        run_for(time);
        EXPECT_TRUE(ended);
        if (ended) runner_.reset();
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
    LocalBuckets local_buckets_{objects_in_store_};
    Buckets* buckets_ = &local_buckets_;
    state::SliceStore slices_{kv_};
    Loop control_{world_.executor()};
    Lanes lanes_{world_.executor(), 2};
    BlockingPool blocking_{[] { return Duration(milliseconds(1)); }};
    Fences fences_{slices_};
    ClusterView cluster_{TargetId("t1")};
    TargetConfig config_;
    ScriptedObjects objects_;
    const ObjectRunner* runs_objects_ = &objects_;
    ScriptedTransform transform_;
    wire::JobSpec spec_;
    state::SliceOrder order_;
    wire::SliceStatus status_;
    std::string boot_id_of_sink_ = "b-1";
    int syncs_ = 0;
    std::unique_ptr<SliceRunner> runner_;
};

}  // namespace millrace::worker
