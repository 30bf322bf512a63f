// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/memory.hpp"

#include <gtest/gtest.h>

#include <array>

namespace hv::vmm {
namespace {

TEST(GuestMemory, GivesOnlyWhatIsRam) {
  const GuestMemory memory(4 * kGiB);
  EXPECT_EQ(memory.at(0, 4096).size(), 4096u);
  EXPECT_EQ(memory.at(GuestMemory::kHoleStart - 4096, 4096).size(), 4096u);
  EXPECT_TRUE(memory.at(GuestMemory::kHoleStart - 4096, 4097).empty());
  EXPECT_TRUE(memory.at(GuestMemory::kHoleStart, 1).empty());
  EXPECT_EQ(memory.at(GuestMemory::kHoleEnd, kGiB).size(), kGiB);
  EXPECT_TRUE(memory.at(GuestMemory::kHoleEnd, kGiB + 1).empty());
  EXPECT_TRUE(memory.at(~uint64_t{0}, 2).empty());
  EXPECT_TRUE(memory.at(4096, ~uint64_t{0}).empty());
}

TEST(GuestMemory, KnowsPageTablesThatAreElsewhere) {
  const GuestMemory memory(768 * kMiB);
  constexpr uint64_t kPaging = 0x8000'0000, kFlags = 0x8000'0000'0000'0fff;
  EXPECT_TRUE(memory.holds_tables(kPaging, 768 * kMiB - 4096));
  EXPECT_TRUE(memory.holds_tables(kPaging, (768 * kMiB - 4096) | kFlags));
  EXPECT_FALSE(memory.holds_tables(kPaging, 768 * kMiB));
  EXPECT_FALSE(memory.holds_tables(kPaging, 0xbe40'4000));
  EXPECT_TRUE(memory.holds_tables(0, 0xbe40'4000));
}

TEST(GuestMemory, MapsFramesInAnyOrderAndTwice) {
  const GuestMemory memory(4 * kGiB);
  const std::array<uint64_t, 4> frames{7, GuestMemory::kHoleEnd >> 12, 7, 8};
  const auto mapping = memory.map_frames(frames);
  ASSERT_NE(mapping, nullptr);
  ASSERT_EQ(mapping->bytes().size(), 4 * 4096u);
  mapping->bytes()[0] = std::byte{1};
  mapping->bytes()[4096] = std::byte{2};
  mapping->bytes()[3 * 4096 + 4095] = std::byte{3};
  EXPECT_EQ(memory.at(7 * 4096, 1)[0], std::byte{1});
  EXPECT_EQ(mapping->bytes()[2 * 4096], std::byte{1});
  EXPECT_EQ(memory.at(GuestMemory::kHoleEnd, 1)[0], std::byte{2});
  EXPECT_EQ(memory.at(8 * 4096 + 4095, 1)[0], std::byte{3});
}

TEST(GuestMemory, RefusesFramesThatAreNotRam) {
  const GuestMemory memory(GuestMemory::kLeast);
  EXPECT_EQ(memory.map_frames(std::array<uint64_t, 2>{1, GuestMemory::kLeast >> 12}), nullptr);
  EXPECT_EQ(memory.map_frames(std::array<uint64_t, 1>{~uint64_t{0}}), nullptr);
  EXPECT_EQ(memory.map_frames(std::array<uint64_t, 1>{GuestMemory::kHoleEnd >> 12}), nullptr);
  EXPECT_EQ(memory.map_frames({}), nullptr);
}

}  // namespace
}  // namespace hv::vmm
