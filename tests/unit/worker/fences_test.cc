// Outputs and removals of runs that are over: what is asked under a Pass, against a real store.
#include "worker/fences.h"

#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace millrace::worker {
namespace {

class FencesTest : public store::StoreFixture {
protected:
    void SetUp() override {
        StoreFixture::SetUp();
        start_again();
    }
    void TearDown() override {
        fences_.reset();
        slices_.reset();
        StoreFixture::TearDown();
    }
    void start_again() {
        slices_ = std::make_unique<state::SliceStore>(*kv_);
        fences_ = std::make_unique<Fences>(*slices_);
    }

    // Writes everything but the last step, does `meanwhile`, and commits.
    template <class Meanwhile>
    Code publish(const std::string& name, std::size_t bytes, const store::ChangeGuard& guard, Meanwhile meanwhile) {
        store::WriteOptions options;
        options.guard = &guard;
        auto writer = *store_->begin_write("photos", name, std::move(options));
        EXPECT_TRUE(run_blocking(loop_, writer->write(as_bytes(store::content(bytes)))));
        meanwhile();
        return store::code_of(run_blocking(loop_, writer->commit()));
    }
    Code erase(const std::string& name, const store::ChangeGuard& guard) {
        return store::code_of(store_->erase_created_before("photos", name, UINT64_MAX, &guard));
    }

    const JobId job_{"job-1"};
    const TargetId here_{"t1"};
    const TargetId there_{"t2"};
    std::unique_ptr<state::SliceStore> slices_;
    std::unique_ptr<Fences> fences_;
};

using store::code_of;
constexpr Code kDone{};

TEST_F(FencesTest, NothingOfAStoppedRunIsPublishedOrRemovedWhereverItRan) {
    ASSERT_TRUE(put("kept", store::content(10)));
    for (const std::size_t bytes : {10ul, 900'000ul}) {
        const auto mine = fences_->begin(job_, here_, make_fence(2, 1));
        const auto other = fences_->admit(job_, there_, make_fence(2, 1));
        ASSERT_TRUE(mine && other);
        EXPECT_EQ(publish("before", bytes, *mine, [] {}), kDone);
        const auto stop = [this] { ASSERT_TRUE(fences_->stop(job_, 2)); };
        EXPECT_EQ(publish("mine", bytes, *mine, stop), Code::stale_epoch);
        EXPECT_EQ(publish("other", bytes, *other, [] {}), Code::stale_epoch);
        EXPECT_EQ(erase("kept", *mine), Code::stale_epoch);
        EXPECT_EQ(code_of(get("mine")), Code::not_found);
        EXPECT_EQ(code_of(get("other")), Code::not_found);
        EXPECT_TRUE(get("kept"));
        open_store();
        start_again();
        EXPECT_EQ(code_of(fences_->admit(job_, there_, make_fence(2, 9))), Code::stale_epoch) << "a stop is remembered";
        ASSERT_TRUE(slices_->forget(job_, unix_now_ns()));
        ASSERT_TRUE(slices_->drop_fences_forgotten_before(INT64_MAX));
        start_again();
    }
}

TEST_F(FencesTest, ANewerRunEndsTheOlderOneOfItsSliceOnly) {
    const auto older = fences_->begin(job_, here_, make_fence(1, 1));
    const auto other = fences_->admit(job_, there_, make_fence(1, 1));
    const auto newer = fences_->begin(job_, here_, make_fence(1, 2));
    EXPECT_EQ(publish("x", 10, *older, [] {}), Code::stale_epoch);
    EXPECT_EQ(publish("x", 10, *newer, [] {}), kDone);
    EXPECT_EQ(publish("x", 10, *other, [] {}), kDone);
    ASSERT_TRUE(fences_->admit(job_, there_, make_fence(2, 1)));
    EXPECT_EQ(publish("x", 10, *other, [] {}), Code::stale_epoch);
    EXPECT_EQ(code_of(fences_->admit(job_, there_, make_fence(1, 7))), Code::stale_epoch);
}

TEST_F(FencesTest, AStopReturnsOnlyWhenWhatItMetHasBeenMade) {
    const auto mine = fences_->begin(job_, here_, make_fence(1, 1));
    std::unique_lock changing(mine->lock());  // a change that is being made
    ASSERT_TRUE(mine->check());
    std::atomic<bool> stopped = false;
    std::thread stopper([&] {
        EXPECT_TRUE(fences_->stop(job_, 1));
        stopped = true;
    });
    std::thread late([&] {
        const auto may_change = [&] {
            const std::lock_guard lock(mine->lock());
            return mine->check().has_value();
        };
        while (may_change()) std::this_thread::yield();  // until the stop is under way
    });
    late.join();
    EXPECT_FALSE(stopped);
    changing.unlock();
    stopper.join();
}

TEST_F(FencesTest, NothingOfARemovedJobIsWelcomeFor30Days) {
    const auto mine = fences_->begin(job_, here_, make_fence(1, 1));
    ASSERT_TRUE(slices_->forget(job_, 5'000'000'000));
    fences_->forgotten(job_);
    EXPECT_EQ(publish("x", 10, *mine, [] {}), Code::stale_epoch);
    EXPECT_EQ(code_of(fences_->admit(job_, there_, make_fence(100, 1))), Code::stale_epoch);
    start_again();
    EXPECT_EQ(code_of(fences_->admit(job_, there_, make_fence(100, 1))), Code::stale_epoch);
    ASSERT_TRUE(slices_->drop_fences_forgotten_before(5'000'000'000));
    EXPECT_EQ(*slices_->fence(job_, TargetId("*")), UINT64_MAX);
    ASSERT_TRUE(slices_->drop_fences_forgotten_before(6'000'000'000));
    EXPECT_EQ(*slices_->fence(job_, TargetId("*")), 0u);
}

}  // namespace
}  // namespace millrace::worker
