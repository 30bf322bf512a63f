// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/patience.h"

#include <gtest/gtest.h>

namespace {

TEST(Patience, EndsWhenItsTimeIsOver) {
  hv_patience patience{};
  hv_patience_begin(&patience, 5'000, 3'000);
  for (const uint64_t now : {5'500u, 6'000u, 7'000u, 7'999u})
    EXPECT_FALSE(hv_patience_over(&patience, now)) << now;
  EXPECT_TRUE(hv_patience_over(&patience, 8'000));
  EXPECT_TRUE(hv_patience_over(&patience, 8'001)) << "and stays so";
}

TEST(Patience, APauseOfTheMachineCountsAsOneStep) {
  hv_patience patience{};
  hv_patience_begin(&patience, 0, 10'000);
  EXPECT_FALSE(hv_patience_over(&patience, 1'000));
  EXPECT_FALSE(hv_patience_over(&patience, 36'000));
  uint64_t now = 36'000;
  while (!hv_patience_over(&patience, now)) now += 100;
  EXPECT_EQ(now, 44'000u);
}

TEST(Patience, APauseAtItsEndLeavesAMomentOnce) {
  hv_patience patience{};
  hv_patience_begin(&patience, 0, 1'000);
  EXPECT_FALSE(hv_patience_over(&patience, 35'000));
  EXPECT_FALSE(hv_patience_over(&patience, 35'999));
  EXPECT_TRUE(hv_patience_over(&patience, 36'000));
}

TEST(Patience, APauseJustBeforeItsEndLeavesAMomentToo) {
  hv_patience patience{};
  hv_patience_begin(&patience, 0, 1'020);
  EXPECT_FALSE(hv_patience_over(&patience, 35'000));
  EXPECT_FALSE(hv_patience_over(&patience, 35'020));
  EXPECT_FALSE(hv_patience_over(&patience, 35'999));
  EXPECT_TRUE(hv_patience_over(&patience, 36'000));
}

TEST(Patience, EndsEvenWhereNobodyLooksInTime) {
  hv_patience patience{};
  hv_patience_begin(&patience, 0, 10'000);
  int looks = 0;
  while (!hv_patience_over(&patience, static_cast<uint64_t>(++looks) * 60'000)) {
  }
  EXPECT_EQ(looks, 11);
}

TEST(Patience, AClockThatGoesBackHarmsNothing) {
  hv_patience patience{};
  hv_patience_begin(&patience, 9'000, 1'000);
  EXPECT_FALSE(hv_patience_over(&patience, 1'000));
  EXPECT_TRUE(hv_patience_over(&patience, 2'000));
}

}  // namespace
