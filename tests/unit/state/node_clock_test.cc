#include "state/node_clock.h"

#include <gtest/gtest.h>

#include "tests/unit/state/temp_folder.h"

namespace millrace::state {
namespace {

constexpr std::int64_t kHourNs = 3'600'000'000'000;

std::unique_ptr<Kv> open_kv(const std::string& folder) {
    auto kv = Kv::open(folder, {{"default"}}, {});
    EXPECT_TRUE(kv) << kv.error().context;
    return kv ? std::move(*kv) : nullptr;
}

TEST(NodeClock, GoesOnWhereItWasWhateverTheTimeOfDayIsByThen) {
    TempFolder folder;
    const std::int64_t today = unix_now_ns();
    std::int64_t left_at = 0;
    {
        const auto kv = open_kv(folder / "db");
        const auto clock = NodeClock::open(*kv, 0, today);
        ASSERT_TRUE(clock);
        EXPECT_GE(clock->now_ns(), today);
        EXPECT_LT(clock->now_ns(), today + kHourNs);
        left_at = clock->now_ns();
    }
    for (const std::int64_t time_of_day : {today + 1000 * kHourNs, today - 1000 * kHourNs}) {
        const auto kv = open_kv(folder / "db");
        const auto clock = NodeClock::open(*kv, 0, time_of_day);
        ASSERT_TRUE(clock);
        EXPECT_GE(clock->now_ns(), today);
        EXPECT_LT(clock->now_ns(), left_at + kHourNs);
    }
}

TEST(NodeClock, NeverGoesBack) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    const auto clock = NodeClock::open(*kv, 0, 5);
    ASSERT_TRUE(clock);
    std::int64_t last = 5;
    for (int i = 0; i < 1000; ++i) {
        const std::int64_t now = clock->now_ns();
        ASSERT_GE(now, last);
        last = now;
    }
}

TEST(NodeClock, ADamagedRecordIsNamed) {
    TempFolder folder;
    const auto kv = open_kv(folder / "db");
    Batch batch;
    batch.put(0, "node_clock", "12x");
    ASSERT_TRUE(kv->write(std::move(batch), false));
    const auto clock = NodeClock::open(*kv, 0, 5);
    ASSERT_FALSE(clock);
    EXPECT_EQ(clock.error().code, Code::corrupt);
}

}  // namespace
}  // namespace millrace::state
