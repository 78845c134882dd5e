#include "state/local_metadata_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "state/families.h"
#include "tests/unit/state/temp_folder.h"

namespace millrace::state {
namespace {

using testing::ElementsAre;
using testing::Pair;

class LocalMetadata : public testing::Test {
protected:
    LocalMetadata() { open(); }
    void open() {
        store_.reset();
        kv_.reset();
        kv_ = *Kv::open(folder_.path(), proxy_families(), {});
        store_ = std::make_unique<LocalMetadataStore>(*kv_, disk_);
    }
    template <class T>
    T wait(Task<T> task) {
        return run_blocking(loop_, std::move(task));
    }

    TempFolder folder_;
    Loop loop_{"control"};
    BlockingPool disk_{1};
    std::unique_ptr<Kv> kv_;
    std::unique_ptr<LocalMetadataStore> store_;
};

TEST_F(LocalMetadata, EachTermIsGreaterThanTheOneBefore) {
    EXPECT_EQ(*wait(store_->lead()), 1u);
    EXPECT_EQ(*wait(store_->lead()), 2u);
    open();
    EXPECT_EQ(*wait(store_->lead()), 3u);
}

TEST_F(LocalMetadata, ATermThatIsNoNumberNamesItself) {
    ASSERT_TRUE(wait(store_->commit({.changes = {{"term", "seven"}}})));
    EXPECT_EQ(wait(store_->lead()).error().code, Code::corrupt);
}

TEST_F(LocalMetadata, KeepsWhatWasCommitted) {
    ASSERT_TRUE(wait(store_->commit({.changes = {{"job/1", "one"}, {"job/2", "two"}, {"catalog", "c"}}})));
    ASSERT_TRUE(wait(store_->commit({.changes = {{"job/1", std::nullopt}, {"job/3", "three"}}})));
    open();
    EXPECT_THAT(*wait(store_->list("job/")), ElementsAre(Pair("2", "two"), Pair("3", "three")));
    EXPECT_THAT(*wait(store_->keys("job/")), ElementsAre("2", "3"));
    EXPECT_EQ(*wait(store_->get("job/1")), std::nullopt);
    EXPECT_EQ(*wait(store_->get("catalog")), "c");
}

TEST_F(LocalMetadata, ChangesNothingWhenSomethingElseIsThereThanExpected) {
    ASSERT_TRUE(wait(store_->commit({.changes = {{"a", "1"}}, .expected = {{"a", std::nullopt}}})));
    const auto again = wait(store_->commit({.changes = {{"a", "2"}, {"b", "2"}}, .expected = {{"a", std::nullopt}}}));
    EXPECT_EQ(again.error().code, Code::conflict);
    EXPECT_EQ(wait(store_->commit({.changes = {{"b", "2"}}, .expected = {{"a", "3"}}})).error().code, Code::conflict);
    EXPECT_EQ(*wait(store_->get("a")), "1");
    EXPECT_EQ(*wait(store_->get("b")), std::nullopt);
    EXPECT_TRUE(wait(store_->commit({.changes = {{"a", "2"}}, .expected = {{"a", "1"}}})));
}

}  // namespace
}  // namespace millrace::state
