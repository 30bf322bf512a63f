// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/boot/e820.hpp"

#include <gtest/gtest.h>

#include "vmm/memory.hpp"

namespace hv::vmm::boot {
namespace {

TEST(E820, AscendsWithoutOverlapsAndStaysInRam) {
  for (uint64_t size = GuestMemory::kLeast; size <= GuestMemory::kMost; size += 128 * kMiB) {
    const GuestMemory memory(size);
    uint64_t end = 0, usable = 0;
    for (const E820Entry& entry : make_e820(size)) {
      EXPECT_GE(entry.start, end);
      EXPECT_GT(entry.size, 0u);
      end = entry.start + entry.size;
      if (entry.type != kE820Usable) continue;
      usable += entry.size;
      EXPECT_EQ(memory.at(entry.start, entry.size).size(), entry.size);
    }
    EXPECT_EQ(usable, size - (kHighRamStart - kLowRamEnd));
  }
}

TEST(E820, KeepsTheHoleBelow4GiBFree) {
  const auto map = make_e820(4 * kGiB);
  ASSERT_EQ(map.size(), 4u);
  EXPECT_EQ(map[2],
            (E820Entry{kHighRamStart, GuestMemory::kHoleStart - kHighRamStart, kE820Usable}));
  EXPECT_EQ(map[3], (E820Entry{GuestMemory::kHoleEnd, kGiB, kE820Usable}));
}

}  // namespace
}  // namespace hv::vmm::boot
