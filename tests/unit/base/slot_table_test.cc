// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/slot_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <set>

namespace hv {
namespace {

class SlotTableTest : public testing::Test {
 protected:
  std::array<Slot, 4> slots_;
  SlotTable table_{slots_};
};

TEST_F(SlotTableTest, GivesASlotBackOnce) {
  const auto id = table_.arm(2).take();
  EXPECT_TRUE(table_.alive(2));
  EXPECT_EQ(*table_.take(id), 2u);
  EXPECT_FALSE(table_.alive(2));
  EXPECT_EQ(table_.take(id).error(), Error::BadId);
}

TEST_F(SlotTableTest, NeverGivesOutZero) {
  for (size_t slot = 0; slot < 4; slot++) EXPECT_NE(*table_.arm(slot), 0u);
  EXPECT_EQ(table_.take(0).error(), Error::BadId);
}

TEST_F(SlotTableTest, RefusesIdsOfAnEarlierLife) {
  const auto stale = table_.arm(1).take();
  ASSERT_TRUE(table_.take(stale));
  const auto id = table_.arm(1).take();
  EXPECT_NE(stale, id);
  EXPECT_EQ(table_.take(stale).error(), Error::BadId);
  EXPECT_TRUE(table_.alive(1));
  EXPECT_TRUE(table_.take(id));
}

TEST_F(SlotTableTest, RefusesForgedIds) {
  const auto id = table_.arm(0).take();
  for (int bit = 0; bit < 64; bit++)
    EXPECT_EQ(table_.take(id ^ (1ull << bit)).error(), Error::BadId) << bit;
  EXPECT_EQ(table_.take(UINT64_MAX).error(), Error::BadId);
  EXPECT_EQ(table_.take((id & ~0xffffffffull) | 5).error(), Error::BadId);  // one slot past the end
  EXPECT_TRUE(table_.take(id));
}

TEST_F(SlotTableTest, RefusesIdsOfSlotsNeverUsed) {
  for (uint64_t low = 0; low < 6; low++) {
    EXPECT_EQ(table_.take(low).error(), Error::BadId);
    EXPECT_EQ(table_.take(1ull << 32 | low).error(), Error::BadId);
  }
}

TEST_F(SlotTableTest, ArmsNothingTwiceAndNothingOutside) {
  ASSERT_TRUE(table_.arm(3));
  EXPECT_EQ(table_.arm(3).error(), Error::BadState);
  EXPECT_EQ(table_.arm(4).error(), Error::BadId);
  EXPECT_EQ(table_.arm(SIZE_MAX).error(), Error::BadId);
  EXPECT_EQ(table_.capacity(), 4u);
}

TEST_F(SlotTableTest, CancelEndsALifeToo) {
  const auto id = table_.arm(0).take();
  EXPECT_TRUE(table_.cancel(0));
  EXPECT_EQ(table_.take(id).error(), Error::BadId);
  EXPECT_EQ(table_.cancel(0).error(), Error::BadId);
  EXPECT_EQ(table_.cancel(4).error(), Error::BadId);
  EXPECT_FALSE(table_.alive(4));
  EXPECT_TRUE(table_.arm(0));
}

TEST_F(SlotTableTest, MakesNewIdsForALongTime) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 10000; i++) {
    const auto id = table_.arm(0).take();
    EXPECT_TRUE(seen.insert(id).second);
    ASSERT_TRUE(table_.take(id));
  }
}

}  // namespace
}  // namespace hv
