// The catalog of a target: against a real store, and in simulated time.
#include "worker/catalog_keeper.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <condition_variable>
#include <mutex>

#include "core/names.h"
#include "tests/sim/objects.h"
#include "tests/sim/world.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::worker {
namespace {

wire::BucketEntry bucket(const std::string& name, const std::string& uid, std::uint64_t small_max = 1000) { return {name, uid, small_max, 1}; }

class Catalogs : public store::StoreFixture {
protected:
    void SetUp() override {
        StoreFixture::SetUp();
        auto opened = TargetState::open(*kv_, "t1");
        ASSERT_TRUE(opened) << opened.error().context;
        state_ = std::make_unique<TargetState>(std::move(*opened));
        const auto start = [this] {
            keeper_ = std::make_unique<CatalogKeeper>(
                control_, blocking_, *store_, *state_,
                CatalogKeeper::Handlers{[this](const auto& transforms) { transforms_ = transforms; }, [this] { note(); }});
            keeper_->start();
        };
        on_loop(start);
    }
    void TearDown() override {
        run_blocking(control_, keeper_->stop());
        StoreFixture::TearDown();
    }
    void on_loop(const std::function<void()>& action) {
        auto acted = [&]() -> Task<void> {
            action();
            co_return;
        };
        run_blocking(control_, acted());
    }
    // Returns when it was applied.
    void take(const wire::Catalog& catalog) {
        on_loop([&] { keeper_->take(catalog); });
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, std::chrono::seconds(30), [&] { return applied_version_ == catalog.version; }));
        lock.unlock();
        on_loop([] {});  // it is done with it
    }
    // What could not be applied is tried again, and noted again.
    void note() {
        const std::lock_guard lock(mutex_);
        applied_version_ = state_->catalog().version;
        changed_.notify_all();
    }

    Loop control_{"control"};
    BlockingPool blocking_{1};
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t applied_version_ = 0;  // guarded by mutex_
    std::unique_ptr<TargetState> state_;
    std::unique_ptr<CatalogKeeper> keeper_;
    std::vector<wire::TransformEntry> transforms_;
};

TEST_F(Catalogs, OneBadEntryDoesNotHoldUpTheOthersAndIsNamed) {
    take({.version = 3, .buckets = {bucket("bad", "u1", kSmallObjectBytesMax + 1), bucket("good", "u2")}, .transforms = {{"to-wav", "{}", true}}});
    EXPECT_TRUE(store_->has_bucket("good"));
    EXPECT_FALSE(store_->has_bucket("bad"));
    EXPECT_EQ(transforms_.size(), 1u);
    ASSERT_EQ(keeper_->problems().size(), 1u);
    EXPECT_EQ(keeper_->problems()[0].name, "bad");
    EXPECT_EQ(state_->catalog().version, 3u) << "as far as possible it is applied";
    take({.version = 4, .buckets = {bucket("good", "u2")}, .destroyed_uids = {"u1"}});
    EXPECT_TRUE(keeper_->problems().empty());
    EXPECT_EQ(state_->wanted().version, 0u);
}

TEST_F(Catalogs, ABucketThatTheCatalogDoesNotKnowMakesWayAndIsKept) {
    take({.version = 3, .buckets = {bucket("music", "u1")}});
    take({.version = 4, .buckets = {}});
    EXPECT_TRUE(store_->has_bucket("music")) << "nothing says that it was destroyed";
    take({.version = 5, .buckets = {bucket("music", "u2")}});
    EXPECT_TRUE(keeper_->problems().empty());
    EXPECT_TRUE(store_->has_bucket("music"));
    EXPECT_TRUE(store_->has_bucket("lost-u1"));
    take({.version = 6, .buckets = {bucket("music", "u2")}, .destroyed_uids = {"u1"}});
    EXPECT_FALSE(store_->has_bucket("lost-u1"));
    EXPECT_TRUE(store_->has_bucket("music"));
}

TEST_F(Catalogs, BucketsAreRenamedAndExchanged) {
    take({.version = 1, .buckets = {bucket("a", "u1"), bucket("b", "u2")}});
    take({.version = 2, .buckets = {bucket("b", "u1"), bucket("a", "u2"), bucket("c", "u3")}});
    EXPECT_TRUE(keeper_->problems().empty());
    EXPECT_EQ(store_->bucket_of_uid("u1"), "b");
    EXPECT_EQ(store_->bucket_of_uid("u2"), "a");
    EXPECT_TRUE(store_->has_bucket("c"));
}

// In simulated time; what blocks takes 10 ms.
class CatalogTries : public testing::Test {
protected:
    ~CatalogTries() override { stop(); }

    void start() { start(kv_); }
    void start(sim::FolderKv& kv) {
        state_ = std::make_unique<TargetState>(*TargetState::open(kv, "t1"));
        keeper_ = std::make_unique<CatalogKeeper>(control_, blocking_, objects_, *state_,
                                                  CatalogKeeper::Handlers{[](const auto&) {}, [this] { ++applied_; }});
        world_.act([this] { keeper_->start(); });
    }
    void stop() {
        if (!keeper_) return;
        const auto stop_it = [](CatalogKeeper& keeper) -> Task<void> { co_await keeper.stop(); };
        world_.act([&] { boost::asio::co_spawn(world_.executor(), stop_it(*keeper_), boost::asio::detached); });
        run_for(std::chrono::seconds(1));
        keeper_.reset();
    }
    void take(const wire::Catalog& catalog) {
        world_.act([&] { keeper_->take(catalog); });
    }
    void run_for(Duration time) { world_.run_for(time); }

    sim::World world_{1};
    sim::Disk disk_;
    sim::FolderKv kv_{disk_.folder, disk_.faults, world_.random(), {}};
    sim::Objects objects_{disk_, kv_, world_.random(), 0};
    Loop control_{world_.executor()};
    BlockingPool blocking_{[] { return Duration(milliseconds(10)); }};
    std::unique_ptr<TargetState> state_;
    std::unique_ptr<CatalogKeeper> keeper_;
    int applied_ = 0;
};

TEST_F(CatalogTries, WhatCouldNotBeAppliedIsTriedAgainMoreAndMoreRarely) {
    start();
    take({.version = 3, .buckets = {bucket("bad", "u1", kSmallObjectBytesMax + 1)}});
    run_for(milliseconds(900));
    EXPECT_EQ(applied_, 1);
    EXPECT_EQ(state_->wanted().version, 3u) << "also after a restart";
    run_for(std::chrono::seconds(600));
    EXPECT_GE(applied_, 10);
    EXPECT_LE(applied_, 20);
    stop();
    applied_ = 0;
    start();
    run_for(milliseconds(100));
    EXPECT_EQ(applied_, 1);
    EXPECT_EQ(keeper_->problems().size(), 1u);
}

TEST_F(CatalogTries, OneThatIsSentAgainWhileItIsAppliedIsAppliedOnce) {
    start();
    for (int i = 0; i < 3; ++i) {
        take({.version = 3, .buckets = {bucket("music", "u1")}});
        run_for(milliseconds(5));
    }
    run_for(milliseconds(100));
    EXPECT_EQ(applied_, 1);
    EXPECT_EQ(objects_.bucket_of_uid("u1"), "music");
}

TEST_F(CatalogTries, OfThoseThatComeMeanwhileTheNewestIsNext) {
    start();
    for (std::uint64_t version = 1; version <= 4; ++version) take({.version = version, .buckets = {bucket("v" + std::to_string(version), "u1")}});
    take({.version = 2, .buckets = {bucket("late", "u1")}});
    run_for(milliseconds(200));
    EXPECT_LE(applied_, 2);
    EXPECT_EQ(state_->catalog().version, 4u);
    EXPECT_EQ(objects_.bucket_of_uid("u1"), "v4");
}

TEST_F(CatalogTries, ABucketThatCameToBeRightBeforeACrashIsRenamedAndDestroyedAllTheSame) {
    start();
    take({.version = 1, .buckets = {bucket("music", "u1"), bucket("films", "u2")}});
    run_for(milliseconds(15));  // in the middle of the creations
    kv_.die();
    run_for(milliseconds(100));
    ASSERT_EQ(objects_.bucket_of_uid("u1"), "music");
    ASSERT_EQ(objects_.bucket_of_uid("u2"), "films");
    stop();
    sim::FolderKv reopened{disk_.folder, disk_.faults, world_.random(), {}};
    start(reopened);
    take({.version = 2, .buckets = {bucket("songs", "u1"), bucket("music", "u3"), bucket("films", "u4")}, .destroyed_uids = {"u2"}});
    run_for(milliseconds(100));
    EXPECT_TRUE(keeper_->problems().empty());
    EXPECT_EQ(objects_.bucket_of_uid("u1"), "songs");
    EXPECT_EQ(objects_.bucket_of_uid("u2"), std::nullopt);
    EXPECT_EQ(objects_.bucket_of_uid("u3"), "music");
    EXPECT_EQ(objects_.bucket_of_uid("u4"), "films");
    stop();
}

}  // namespace
}  // namespace millrace::worker
