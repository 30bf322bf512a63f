// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/recovery.hpp"

#include <gtest/gtest.h>

namespace hv::netvsc {
namespace {

TEST(Recovery, TriesSoonAtFirstThenAtGrowingIntervals) {
  Recovery recovery;
  uint64_t now = 1'000'000;
  uint32_t last = 0;
  recovery.opened(now);
  EXPECT_EQ(recovery.broke(now), Recovery::kFirst);
  for (int i = 0; i < 20; i++) {
    const uint32_t wait = recovery.broke(now);
    EXPECT_GE(wait, last);
    EXPECT_LE(wait, Recovery::kMost);
    last = wait;
  }
  EXPECT_EQ(last, Recovery::kMost);
}

TEST(Recovery, AnAdapterThatBreaksAtOnceIsNotTrustedAgain) {
  Recovery recovery;
  uint64_t now = 0;
  uint32_t first = recovery.broke(now);
  for (int i = 0; i < 5; i++) {
    recovery.opened(now);
    const uint32_t wait = recovery.broke(now += Recovery::kCalm - 1);
    EXPECT_GT(wait, first);
    first = wait;
  }
}

TEST(Recovery, AnAdapterThatWorkedForLongIsTrustedAgain) {
  Recovery recovery;
  for (int i = 0; i < 10; i++) (void)recovery.broke(0);
  recovery.opened(5);
  EXPECT_EQ(recovery.broke(5 + Recovery::kCalm), Recovery::kFirst);
  // What does not open was not open for long.
  EXPECT_GT(recovery.broke(5 + 9 * Recovery::kCalm), Recovery::kFirst);
}

}  // namespace
}  // namespace hv::netvsc
