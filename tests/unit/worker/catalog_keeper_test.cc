// The catalog of a target against a real store.
#include "worker/catalog_keeper.h"

#include "core/names.h"
#include "tests/unit/store/store_fixture.h"

namespace millrace::worker {
namespace {

class Catalogs : public store::StoreFixture {
protected:
    void SetUp() override {
        StoreFixture::SetUp();
        auto opened = TargetState::open(*kv_, "t1");
        ASSERT_TRUE(opened) << opened.error().context;
        state_ = std::make_unique<TargetState>(std::move(*opened));
        keeper_ = std::make_unique<CatalogKeeper>(*store_, *state_, [this](const auto& transforms) { transforms_ = transforms; });
    }
    void take(const wire::Catalog& catalog) { keeper_->take(catalog, now_); }
    static wire::BucketEntry bucket(const std::string& name, const std::string& uid, std::uint64_t small_max = 1000) {
        return {name, uid, small_max, 1};
    }

    Instant now_ = Instant{} + std::chrono::hours(1);
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

TEST_F(Catalogs, WhatCouldNotBeAppliedIsTriedAgainMoreAndMoreRarely) {
    const wire::Catalog catalog{.version = 3, .buckets = {bucket("bad", "u1", kSmallObjectBytesMax + 1)}};
    take(catalog);
    EXPECT_FALSE(keeper_->tick(now_ + milliseconds(999)));
    EXPECT_EQ(state_->wanted().version, 3u) << "also after a restart";
    std::size_t tries = 0;
    for (int second = 1; second <= 600; ++second) {
        const Instant at = now_ + std::chrono::seconds(second);
        const std::uint64_t age = kv_->durable_age();
        (void)keeper_->tick(at);
        tries += kv_->durable_age() != age ? 1 : 0;
    }
    EXPECT_GE(tries, 10u);
    EXPECT_LE(tries, 20u);
    CatalogKeeper restarted(*store_, *state_, [](const auto&) {});
    EXPECT_TRUE(restarted.tick(now_));
    EXPECT_EQ(restarted.problems().size(), 1u);
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

}  // namespace
}  // namespace millrace::worker
