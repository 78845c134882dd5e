#include "core/seldom.h"

#include <gtest/gtest.h>

#include "tests/sim/world.h"

namespace millrace {
namespace {

TEST(Seldom, OneWordIsSaidForManyEvents) {
    sim::World world(7);
    Seldom words(std::chrono::hours(1));
    EXPECT_EQ(words.turn(), 0u);
    EXPECT_EQ(words.turn(), std::nullopt);
    EXPECT_EQ(words.turn(), std::nullopt);
    world.after(std::chrono::hours(1), [] {});
    ASSERT_TRUE(world.step());
    EXPECT_EQ(words.turn(), 2u);
    EXPECT_EQ(words.turn(), std::nullopt);
}

}  // namespace
}  // namespace millrace
