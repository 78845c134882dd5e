// What waits and asks for the time in a process that lives in a simulation.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "core/ids.h"
#include "core/loop.h"
#include "tests/sim/world.h"

namespace millrace {
namespace {

using std::chrono::hours;

TEST(SimulatedWorld, TimePassesOnlyFromEventToEvent) {
    sim::World world(7);
    const Instant begun = steady_now();
    std::vector<int> order;
    const auto sleeper = [](std::vector<int>& woken, int number, Duration time) -> Task<void> {
        co_await sleep_for(time);
        woken.push_back(number);
    };
    TaskGroup group(world.executor());
    world.act([&] {
        group.spawn(sleeper(order, 2, hours(2)));
        group.spawn(sleeper(order, 1, hours(1)));
    });
    EXPECT_TRUE(order.empty());
    while (world.step()) {
    }
    EXPECT_EQ(order, (std::vector<int>{1, 2}));
    EXPECT_EQ(steady_now() - begun, hours(2));
    EXPECT_EQ(group.size(), 0u);
}

TEST(SimulatedWorld, AnEventThatIsSetEndsAWaitBeforeItsDeadline) {
    sim::World world(7);
    Event event(world.executor());
    std::optional<bool> was_set;
    const auto waiter = [](Event& waited_for, std::optional<bool>& result) -> Task<void> {
        result = co_await waited_for.wait_until(steady_now() + hours(1));
    };
    TaskGroup group(world.executor());
    world.act([&] { group.spawn(waiter(event, was_set)); });
    world.act([&] { event.set(); });
    EXPECT_EQ(was_set, true);
    EXPECT_FALSE(world.step()) << "its alarm was dropped";
    event.clear();
    world.act([&] { group.spawn(waiter(event, was_set)); });
    while (world.step()) {
    }
    EXPECT_EQ(was_set, false);
}

TEST(SimulatedWorld, ACancelledSleepEnds) {
    sim::World world(7);
    TaskGroup group(world.executor());
    const auto sleeper = []() -> Task<void> { co_await sleep_for(hours(1)); };
    world.act([&] { group.spawn(sleeper()); });
    world.act([&] { group.cancel(); });
    EXPECT_EQ(group.size(), 0u);
}

TEST(SimulatedWorld, ABlockingCallTakesAsLongAsItIsTold) {
    sim::World world(7);
    BlockingPool pool([] { return Duration(milliseconds(30)); });
    const Instant begun = steady_now();
    std::optional<Duration> took;
    const auto caller = [](BlockingPool& blocking, Instant since, std::optional<Duration>& result) -> Task<void> {
        auto look = [since] { return steady_now() - since; };
        result = co_await blocking.run(look);
    };
    TaskGroup group(world.executor());
    world.act([&] { group.spawn(caller(pool, begun, took)); });
    while (world.step()) {
    }
    EXPECT_EQ(took, Duration(milliseconds(30)));
}

TEST(SimulatedWorld, ASeedGivesTheSameIdsAgain) {
    const auto draw = [] {
        sim::World world(42);
        return random_id("job-");
    };
    EXPECT_EQ(draw(), draw());
    EXPECT_NE(random_id("job-"), random_id("job-")) << "the world is real again";
}

}  // namespace
}  // namespace millrace
