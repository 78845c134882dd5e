#include "worker/places.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using Shared = std::vector<bool>;
constexpr PlaceClaim kWaits{.wants_place = true};
constexpr PlaceClaim kRuns{.has_place = true, .wants_place = true};
constexpr PlaceClaim kStalls{.has_place = true, .wants_place = true, .is_stalled = true};
constexpr PlaceClaim kProbes{.wants_place = true, .is_stalled = true};
constexpr PlaceClaim kDone{.has_place = true};

TEST(Places, GoInOrderOfArrival) {
    EXPECT_EQ(share_places({kWaits, kWaits, kWaits}, 2), (Shared{true, true, false}));
    EXPECT_EQ(share_places({kDone, kWaits, kWaits, kWaits}, 2), (Shared{false, true, true, false}));
}

TEST(Places, AreKeptByWhoRunsThoughOthersCameBefore) {
    EXPECT_EQ(share_places({kWaits, kRuns, kWaits, kRuns}, 3), (Shared{true, true, false, true}));
    EXPECT_EQ(share_places({kWaits, kRuns, kRuns}, 2), (Shared{false, true, true}));
}

TEST(Places, OfStalledSlicesGoToThoseThatCanRun) {
    EXPECT_EQ(share_places({kStalls, kStalls, kWaits}, 2), (Shared{true, false, true}));
    EXPECT_EQ(share_places({kStalls, kStalls, kWaits, kWaits, kWaits}, 2), (Shared{false, false, true, true, false}));
}

TEST(Places, StayWithStalledSlicesWhenNobodyElseWantsThem) {
    EXPECT_EQ(share_places({kStalls, kProbes, kDone}, 2), (Shared{true, true, false}));
    EXPECT_EQ(share_places({kProbes, kStalls}, 1), (Shared{false, true}));
}

}  // namespace
}  // namespace millrace::worker
