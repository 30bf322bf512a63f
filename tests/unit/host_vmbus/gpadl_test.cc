// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/gpadl.hpp"

#include <gtest/gtest.h>

namespace hv::host::vmbus {
namespace {

using Progress = GpadlTable::Progress;
using Words = std::vector<uint64_t>;

Words one_range(uint32_t bytes, uint32_t offset, size_t frames) {
  Words words{bytes | uint64_t{offset} << 32};
  for (size_t i = 0; i < frames; i++) words.push_back(100 + i);
  return words;
}
uint16_t bytes_of_words(const Words& words) { return static_cast<uint16_t>(words.size() * 8); }
std::span<const std::byte> view(const Words& words, size_t from = 0, size_t count = SIZE_MAX) {
  const std::span all(words);
  return std::as_bytes(all.subspan(from, std::min(count, words.size() - from)));
}

TEST(GpadlTable, CompletesWhenTheHeaderHoldsAll) {
  GpadlTable table({});
  const Words words = one_range(2 * 4096, 0, 2);
  ASSERT_EQ(*table.begin(3, 7, bytes_of_words(words), 1, view(words)), Progress::Complete);
  const Gpadl* gpadl = table.find(3, 7);
  ASSERT_NE(gpadl, nullptr);
  EXPECT_EQ(gpadl->ranges.at(0).byte_count, 8192u);
  EXPECT_EQ(gpadl->ranges.at(0).frames, (Words{100, 101}));
  EXPECT_EQ(table.find(4, 7), nullptr);
}

TEST(GpadlTable, GathersBodiesOfAnySize) {
  for (size_t step = 1; step < 40; step++) {
    GpadlTable table({});
    const Words words = one_range(512 * 4096, 0, 512);
    size_t at = std::min<size_t>(26, step);
    ASSERT_EQ(*table.begin(1, 9, bytes_of_words(words), 1, view(words, 0, at)),
              Progress::Incomplete);
    EXPECT_EQ(table.find(1, 9), nullptr);
    while (at < words.size()) {
      const size_t count = std::min(step, words.size() - at);
      at += count;
      ASSERT_EQ(*table.append(9, view(words, at - count, count)),
                at == words.size() ? Progress::Complete : Progress::Incomplete);
    }
    EXPECT_EQ(table.find(1, 9)->ranges.at(0).frames.size(), 512u);
    EXPECT_TRUE(table.consistent());
  }
}

TEST(GpadlTable, IgnoresBytesBehindTheAnnouncedOnes) {
  GpadlTable table({});
  Words words = one_range(4096, 0, 1);
  const uint16_t announced = bytes_of_words(words);
  words.resize(20, 0xdead);
  EXPECT_EQ(*table.begin(1, 1, announced, 1, view(words)), Progress::Complete);
}

TEST(GpadlTable, TakesSeveralRangesWithOffsets) {
  GpadlTable table({});
  Words words = one_range(4096, 1, 2);
  const Words second = one_range(1, 4095, 1);
  words.insert(words.end(), second.begin(), second.end());
  ASSERT_TRUE(table.begin(1, 1, bytes_of_words(words), 2, view(words)).ok());
  EXPECT_EQ(table.find(1, 1)->ranges.size(), 2u);
  EXPECT_EQ(table.find(1, 1)->ranges[1].byte_offset, 4095u);
}

TEST(GpadlTable, RefusesWhatCannotBe) {
  GpadlTable table({});
  const Words good = one_range(4096, 0, 1);
  EXPECT_EQ(table.begin(1, 1, 16, 0, view(good)).error(), Error::BadValue);
  EXPECT_EQ(table.begin(1, 1, 15, 1, view(good)).error(), Error::BadValue);
  EXPECT_EQ(table.begin(1, 1, 8, 1, view(good)).error(), Error::BadLength);
  EXPECT_EQ(table.begin(1, 1, 16, 2, view(good)).error(), Error::BadLength);
  EXPECT_EQ(table.begin(1, 1, 16, 1, {}).error(), Error::BadLength);
  const Words short_of_frames = one_range(3 * 4096, 0, 2);
  EXPECT_EQ(table.begin(1, 1, 24, 1, view(short_of_frames)).error(), Error::BadLength);
  const Words far_offset = one_range(1, 4096, 1);
  EXPECT_EQ(table.begin(1, 1, 16, 1, view(far_offset)).error(), Error::BadValue);
  const Words empty_range = one_range(0, 0, 1);
  EXPECT_EQ(table.begin(1, 1, 16, 1, view(empty_range)).error(), Error::BadValue);
  const Words huge = one_range(0xffffffff, 4095, 1);
  EXPECT_EQ(table.begin(1, 1, 16, 1, view(huge)).error(), Error::BadLength);
  EXPECT_EQ(table.count(), 0u);
  EXPECT_EQ(table.words(), 0u);
}

TEST(GpadlTable, RefusesIdsInUse) {
  GpadlTable table({});
  const Words words = one_range(4096, 0, 1);
  ASSERT_TRUE(table.begin(1, 5, 16, 1, view(words)).ok());
  EXPECT_EQ(table.begin(1, 5, 16, 1, view(words)).error(), Error::BadId);
  EXPECT_TRUE(table.begin(2, 5, 16, 1, view(words)).ok());
  ASSERT_EQ(*table.begin(1, 6, 16, 1, view(words, 0, 1)), Progress::Incomplete);
  // A body does not name its channel: the id must be the only one under way.
  EXPECT_EQ(table.begin(2, 6, 16, 1, view(words, 0, 1)).error(), Error::BadId);
}

TEST(GpadlTable, RefusesBodiesOfNothing) {
  GpadlTable table({});
  const Words words = one_range(4096, 0, 1);
  EXPECT_EQ(table.append(5, view(words)).error(), Error::BadId);
  ASSERT_TRUE(table.begin(1, 5, 16, 1, view(words)).ok());
  EXPECT_EQ(table.append(5, view(words)).error(), Error::BadId);
}

TEST(GpadlTable, ForgetsAGpadlWhoseBodyIsWrong) {
  GpadlTable table({});
  const Words words = one_range(8192, 0, 2);
  ASSERT_EQ(*table.begin(1, 5, 24, 1, view(words, 0, 1)), Progress::Incomplete);
  EXPECT_EQ(table.append(5, {}).error(), Error::BadLength);
  EXPECT_EQ(table.count(), 0u);
  EXPECT_EQ(table.words(), 0u);
  EXPECT_TRUE(table.consistent());
}

TEST(GpadlTable, KeepsItsLimits) {
  GpadlTable table({.count = 2, .words = 7});
  const Words words = one_range(4096, 0, 1);
  const Words six = one_range(5 * 4096, 0, 5);
  ASSERT_TRUE(table.begin(1, 1, 16, 1, view(words)).ok());
  EXPECT_EQ(table.begin(1, 2, 48, 1, view(six)).error(), Error::Exhausted);
  ASSERT_TRUE(table.begin(1, 2, 16, 1, view(words)).ok());
  EXPECT_EQ(table.begin(1, 3, 16, 1, view(words)).error(), Error::Exhausted);
  ASSERT_TRUE(table.remove(1, 1).ok());
  EXPECT_EQ(table.remove(1, 1).error(), Error::BadId);
  EXPECT_TRUE(table.begin(1, 3, 16, 1, view(words)).ok());
  table.remove_all_of(1);
  EXPECT_EQ(table.count(), 0u);
  EXPECT_EQ(table.words(), 0u);
}

TEST(GpadlTable, DropsWhatIsUnderWayWithItsChannel) {
  GpadlTable table({});
  const Words words = one_range(4096, 0, 1);
  ASSERT_EQ(*table.begin(1, 5, 16, 1, view(words, 0, 1)), Progress::Incomplete);
  table.remove_all_of(1);
  EXPECT_TRUE(table.consistent());
  EXPECT_EQ(table.append(5, view(words, 1)).error(), Error::BadId);
}

}  // namespace
}  // namespace hv::host::vmbus
