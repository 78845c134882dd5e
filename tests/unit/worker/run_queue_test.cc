#include "worker/run_queue.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using Lanes = std::vector<std::size_t>;
using Tickets = std::vector<std::uint64_t>;

std::vector<Dispatch> objects(std::uint64_t first, std::uint64_t count) {
    std::vector<Dispatch> chosen;
    for (std::uint64_t ticket = first; ticket < first + count; ++ticket) chosen.push_back({ticket, std::to_string(ticket), false});
    return chosen;
}

std::uint64_t take(RunQueue& queue, std::size_t lane) {
    const auto object = queue.next(lane);
    return object ? object->dispatch.ticket : 0;
}

TEST(RunQueue, HiresWorkersOverAllLanesAndNoMoreThanThereAreObjects) {
    RunQueue queue(3, 1);
    queue.add(objects(1, 4), nullptr);
    EXPECT_EQ(queue.hire(8), (Lanes{1, 2, 0, 1}));
}

TEST(RunQueue, HiresNoMoreThanMayRun) {
    RunQueue queue(2, 0);
    queue.add(objects(1, 10), nullptr);
    EXPECT_EQ(queue.hire(3), (Lanes{0, 1, 0}));
    EXPECT_EQ(queue.hire(3), Lanes{});
    EXPECT_EQ(queue.hire(4), Lanes{1});
}

TEST(RunQueue, AWorkerTakesObjectsInOrderUntilThereIsNone) {
    RunQueue queue(1, 0);
    queue.add(objects(1, 2), nullptr);
    EXPECT_EQ(queue.hire(1), Lanes{0});
    EXPECT_EQ(take(queue, 0), 1u);
    EXPECT_EQ(take(queue, 0), 2u);
    EXPECT_FALSE(queue.next(0).has_value());
    queue.add(objects(3, 1), nullptr);
    EXPECT_EQ(queue.hire(1), Lanes{0}) << "the worker before has ended";
}

TEST(RunQueue, AWorkerTooManyEndsWithWorkLeft) {
    RunQueue queue(1, 0);
    queue.add(objects(1, 4), nullptr);
    EXPECT_EQ(queue.hire(2).size(), 2u);
    EXPECT_EQ(queue.hire(1).size(), 0u);
    EXPECT_FALSE(queue.next(0).has_value());
    EXPECT_EQ(take(queue, 0), 1u);
}

TEST(RunQueue, SuspectsComeFirst) {
    RunQueue queue(1, 0);
    queue.add(objects(1, 2), nullptr);
    queue.add({{7, "suspect", true}}, nullptr);
    (void)queue.hire(1);
    EXPECT_EQ(take(queue, 0), 7u);
    EXPECT_EQ(take(queue, 0), 1u);
}

TEST(RunQueue, GivesBackInOrderWhatNoWorkerTook) {
    RunQueue queue(1, 0);
    queue.add(objects(1, 3), nullptr);
    (void)queue.hire(1);
    EXPECT_EQ(take(queue, 0), 1u);
    EXPECT_EQ(queue.take_back(), (Tickets{2, 3}));
    EXPECT_EQ(queue.waiting(), 0u);
}

TEST(RunQueue, TellsOnceUntilResultsAreCollected) {
    RunQueue queue(1, 0);
    (void)queue.hire(2);
    EXPECT_TRUE(queue.completed({1, ExecutionResult{}}));
    EXPECT_FALSE(queue.completed({2, ExecutionResult{}}));
    EXPECT_EQ(queue.collect().size(), 2u);
    EXPECT_TRUE(queue.completed({3, ExecutionResult{}})) << "nothing waits: the lanes need more";
}

TEST(RunQueue, TellsTheFirstResultEvenWithMuchLeftToDo) {
    RunQueue queue(1, 0);
    queue.add(objects(1, 100), nullptr);
    (void)queue.hire(1);
    EXPECT_TRUE(queue.completed({1, ExecutionResult{}}));
}

}  // namespace
}  // namespace millrace::worker
