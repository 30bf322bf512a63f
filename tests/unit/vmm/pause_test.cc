// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/pause.hpp"

#include <gtest/gtest.h>

namespace hv::vmm {
namespace {

using namespace std::chrono_literals;

TEST(Pause, LastsAsLongAsWasPlanned) {
  Pause pause;
  const auto now = Pause::Clock::now();
  EXPECT_FALSE(pause.at(now));
  pause.plan(now + 5s, 35s);
  EXPECT_FALSE(pause.at(now + 4s));
  EXPECT_TRUE(pause.at(now + 5s));
  EXPECT_TRUE(pause.at(now + 39s));
  EXPECT_FALSE(pause.at(now + 40s));
}

TEST(Pause, WithoutALengthLastsUntilItIsEnded) {
  Pause pause;
  const auto now = Pause::Clock::now();
  pause.plan(now, 1s);
  pause.plan(now, std::nullopt);
  EXPECT_TRUE(pause.at(now + 24h));
  pause.resume();
  EXPECT_FALSE(pause.at(now));
}

}  // namespace
}  // namespace hv::vmm
