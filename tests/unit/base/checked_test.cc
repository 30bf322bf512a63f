// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/checked.hpp"

#include <gtest/gtest.h>

#include <cstdint>

namespace hv {
namespace {

TEST(CheckedAdd, RefusesToWrap) {
  EXPECT_EQ(*checked_add(UINT32_MAX, 0u), UINT32_MAX);
  EXPECT_EQ(checked_add(UINT32_MAX, 1u).error(), Error::Overflow);
  EXPECT_EQ(*checked_add(uint8_t{200}, uint8_t{55}), 255);
  EXPECT_EQ(checked_add(uint8_t{200}, uint8_t{56}).error(), Error::Overflow);
  EXPECT_EQ(checked_add(UINT64_MAX, UINT64_MAX).error(), Error::Overflow);
}

TEST(CheckedMul, RefusesToWrap) {
  EXPECT_EQ(*checked_mul(uint32_t{65536}, 65535u), 0xffff0000u);
  EXPECT_EQ(checked_mul(uint32_t{65536}, 65536u).error(), Error::Overflow);
  EXPECT_EQ(*checked_mul(UINT64_MAX, 0u), 0u);
}

TEST(CheckedSub, RefusesToGoBelowZero) {
  EXPECT_EQ(*checked_sub(5u, 5u), 0u);
  EXPECT_EQ(checked_sub(5u, 6u).error(), Error::Overflow);
  EXPECT_EQ(*checked_sub(uint16_t{3}, uint16_t{1}), 2);
}

TEST(Narrow, RefusesWhatDoesNotFit) {
  EXPECT_EQ(*narrow<uint8_t>(255u), 255);
  EXPECT_EQ(narrow<uint8_t>(256u).error(), Error::Overflow);
  EXPECT_EQ(*narrow<uint32_t>(uint64_t{UINT32_MAX}), UINT32_MAX);
  EXPECT_EQ(narrow<uint32_t>(uint64_t{UINT32_MAX} + 1).error(), Error::Overflow);
}

TEST(AlignUp, RoundsToTheNextMultiple) {
  EXPECT_EQ(align_up(0u, 8), 0u);
  EXPECT_EQ(align_up(1u, 8), 8u);
  EXPECT_EQ(align_up(8u, 8), 8u);
  EXPECT_EQ(align_up(uint64_t{4097}, 4096), 8192u);
  static_assert(align_up(uint16_t{9}, 8) == 16);
}

}  // namespace
}  // namespace hv
