#include "core/task.h"

#include <gtest/gtest.h>

#include <atomic>

#include "core/loop.h"
#include "core/result.h"
#include "core/run_all.h"

namespace millrace {
namespace {

constexpr auto kLong = std::chrono::seconds(30);  // a test that waits this long has failed

Task<void> set_later(Event& event) {
    event.set();
    co_return;
}

TEST(Event, WaitReturnsAtOnceWhenItIsSet) {
    Loop loop("test");
    Event event(loop.executor());
    auto wait = [&]() -> Task<bool> {
        event.set();
        co_return co_await event.wait_until(steady_now() + kLong);
    };
    EXPECT_TRUE(run_blocking(loop, wait()));
}

TEST(Event, WaitEndsWhenAnotherTaskSetsIt) {
    Loop loop("test");
    Event event(loop.executor());
    auto run = [&]() -> Task<bool> {
        TaskGroup tasks(loop.executor());
        tasks.spawn(set_later(event));
        const bool was_set = co_await event.wait_until(steady_now() + kLong);
        co_await tasks.join();
        co_return was_set;
    };
    EXPECT_TRUE(run_blocking(loop, run()));
}

TEST(Event, WaitEndsAtItsDeadline) {
    Loop loop("test");
    Event event(loop.executor());
    auto run = [&]() -> Task<bool> {
        const bool past = co_await event.wait_until(steady_now() - milliseconds(1));
        const bool soon = co_await event.wait_until(steady_now() + milliseconds(1));
        co_return past || soon;
    };
    EXPECT_FALSE(run_blocking(loop, run()));
}

TEST(Event, ClearMakesItWaitAgain) {
    Loop loop("test");
    Event event(loop.executor());
    auto run = [&]() -> Task<bool> {
        event.set();
        event.clear();
        co_return co_await event.wait_until(steady_now() + milliseconds(1));
    };
    EXPECT_FALSE(run_blocking(loop, run()));
}

TEST(TaskGroup, JoinWaitsForTasksThatTasksSpawned) {
    Loop loop("test");
    int ended = 0;
    auto run = [&]() -> Task<void> {
        TaskGroup tasks(loop.executor());
        auto inner = [&]() -> Task<void> {
            co_await sleep_for(milliseconds(1));
            ++ended;
        };
        auto outer = [&]() -> Task<void> {
            tasks.spawn(inner());
            tasks.spawn(inner());
            ++ended;
            co_return;
        };
        tasks.spawn(outer());
        co_await tasks.join();
        EXPECT_EQ(tasks.size(), 0u);
    };
    run_blocking(loop, run());
    EXPECT_EQ(ended, 3);
}

TEST(TaskGroup, CancelEndsSleepsAndWaits) {
    Loop loop("test");
    Event event(loop.executor());
    const Instant start = steady_now();
    auto run = [&]() -> Task<void> {
        TaskGroup tasks(loop.executor());
        auto wait = [&]() -> Task<void> { EXPECT_FALSE(co_await event.wait_until(steady_now() + kLong)); };
        tasks.spawn(sleep_for(kLong));
        tasks.spawn(wait());
        co_await sleep_for(milliseconds(1));
        tasks.cancel();
        co_await tasks.join();
    };
    run_blocking(loop, run());
    EXPECT_LT(steady_now() - start, kLong);
}

TEST(RunAll, GivesTheResultsInTheOrderOfTheTasksWhateverEndsFirst) {
    Loop loop("all");
    auto after = [](int number, milliseconds pause) -> Task<int> {
        co_await sleep_for(pause);
        co_return number;
    };
    auto all = [&]() -> Task<std::vector<int>> {
        std::vector<Task<int>> tasks;
        for (const int number : {1, 2, 3}) tasks.push_back(after(number, milliseconds(4 - number)));
        co_return co_await run_all(std::move(tasks));
    };
    auto none = []() -> Task<std::vector<int>> { co_return co_await run_all(std::vector<Task<int>>{}); };
    EXPECT_EQ(run_blocking(loop, all()), (std::vector<int>{1, 2, 3}));
    EXPECT_EQ(run_blocking(loop, none()), std::vector<int>{});
}

TEST(RunAll, CancellingTheCallerEndsTheTasks) {
    Loop loop("cancelled");
    int ended = 0;
    auto sleeper = [&ended]() -> Task<int> {
        co_await sleep_for(std::chrono::hours(1));
        ++ended;
        co_return 0;
    };
    auto caller = [&]() -> Task<void> {
        std::vector<Task<int>> tasks;
        tasks.push_back(sleeper());
        tasks.push_back(sleeper());
        (void)co_await run_all(std::move(tasks));
    };
    auto body = [&]() -> Task<void> {
        TaskGroup group(loop.executor());
        group.spawn(caller());
        co_await sleep_for(milliseconds(1));
        group.cancel();
        co_await group.join();
    };
    run_blocking(loop, body());
    EXPECT_EQ(ended, 2);
}

TEST(Loop, WorkRunsOnTheLoopAndResultsComeBack) {
    Loop here("here");
    Loop there("there");
    auto run = [&]() -> Task<bool> {
        auto on_there = [&] { return there.runs_here(); };
        const bool ran_there = co_await call_on(there.executor(), on_there);
        co_return ran_there && here.runs_here();
    };
    EXPECT_TRUE(run_blocking(here, run()));
}

TEST(BlockingPool, ATaskRunsThereAndItsResultIsHadHere) {
    Loop loop("test");
    BlockingPool pool(2);
    std::thread::id there;
    const auto compute = [&there]() -> Task<Result<int>> {
        co_await next_turn();
        there = std::this_thread::get_id();
        co_return 7;
    };
    const auto run = [](Loop& here, BlockingPool& blocking, auto make_task) -> Task<int> {
        const Result<int> result = co_await blocking.run_task(make_task);
        EXPECT_TRUE(here.runs_here());
        co_return *result;
    };
    EXPECT_EQ(run_blocking(loop, run(loop, pool, compute)), 7);
    EXPECT_NE(there, std::this_thread::get_id());
    EXPECT_NE(there, std::thread::id());
}

TEST(BlockingPool, ATaskThatWaitsIsCancelledWithItsCallerWhichHearsOfItsEnd) {
    Loop loop("test");
    BlockingPool pool(2);
    Event begun(loop.executor());
    std::atomic<bool> is_over = false;
    const auto wait = [&]() -> Task<Result<int>> {
        loop.post([&begun] { begun.set(); });
        co_await sleep_for(kLong);
        is_over = true;
        if (co_await is_cancelled()) co_return fail(Code::cancelled, "was told to end");
        co_return 0;
    };
    const auto caller = [&]() -> Task<void> {
        const Result<int> result = co_await pool.run_task(wait);
        EXPECT_TRUE(is_over) << "what it uses is used no more";
        EXPECT_FALSE(result);
    };
    const auto run = [&]() -> Task<void> {
        TaskGroup tasks(loop.executor());
        tasks.spawn(caller());
        EXPECT_TRUE(co_await begun.wait_until(steady_now() + kLong));
        tasks.cancel();
        co_await tasks.join();
    };
    const Instant since = steady_now();
    run_blocking(loop, run());
    EXPECT_LT(steady_now() - since, kLong);
}

TEST(BlockingPool, TheLoopGoesOnWhileACallBlocks) {
    Loop loop("test");
    BlockingPool pool(1);
    auto run = [&]() -> Task<int> {
        auto blocking = [] { return 42; };
        co_return co_await pool.run(blocking);
    };
    EXPECT_EQ(run_blocking(loop, run()), 42);
}

}  // namespace
}  // namespace millrace
