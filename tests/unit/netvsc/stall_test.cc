// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/stall.hpp"

#include <gtest/gtest.h>

namespace hv::netvsc {
namespace {

constexpr uint64_t kLimit = kStallSeconds * 1000;

/// Looks at the queue half a second apart; when it is over, or 0.
uint64_t over_at(Stall& stall, uint32_t stops, uint64_t now, uint64_t until) {
  for (; now <= until; now += 500) {
    if (stall.over(stops, now)) return now;
  }
  return 0;
}

TEST(Stall, IsOverWhenOneStopLastsForTooLong) {
  Stall stall;
  EXPECT_EQ(over_at(stall, 1, 1000, 100'000), 1000 + kLimit);
}

TEST(Stall, BeginsAnewWithEachStop) {
  Stall stall;
  EXPECT_EQ(over_at(stall, 1, 0, kLimit - 500), 0u);
  EXPECT_EQ(over_at(stall, 2, kLimit, 2 * kLimit - 500), 0u);
  EXPECT_EQ(over_at(stall, 2, 2 * kLimit, 3 * kLimit), 2 * kLimit);
}

TEST(Stall, TheFirstStopIsLookedAtWhateverItsNumber) {
  Stall stall;
  EXPECT_FALSE(stall.over(0, 5'000'000)) << "it has only just been seen";
}

TEST(Stall, APauseOfTheMachineDoesNotCount) {
  Stall stall;
  EXPECT_FALSE(stall.over(1, 0));
  EXPECT_FALSE(stall.over(1, 100'000)) << "nobody could complete anything meanwhile";
  EXPECT_NE(over_at(stall, 1, 100'500, 200'000), 0u);
}

}  // namespace
}  // namespace hv::netvsc
