// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/gpa_direct.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

namespace hv::vmbus {
namespace {

class Bytes {
 public:
  Bytes& header(uint32_t ranges) { return put(wire::GpaDirectHeader{0xdeadbeef, ranges}); }
  Bytes& range(uint32_t count, uint32_t offset) { return put(wire::GpaRangeHeader{count, offset}); }
  Bytes& frame(uint64_t number) { return put(number); }
  std::span<const std::byte> view() const { return bytes_; }

 private:
  template <typename T>
  Bytes& put(const T& value) {
    const auto bytes = bytes_of(value);
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  std::vector<std::byte> bytes_;
};

Error refusal(const Bytes& bytes, GpaLimits limits = {.ranges = 4, .frames = 64}) {
  auto ranges = GpaRanges::parse(bytes.view(), limits);
  EXPECT_FALSE(ranges);
  return ranges ? Error::Gone : ranges.error();
}

TEST(GpaRanges, GivesEachRangeWithItsFrames) {
  const auto bytes =
      Bytes().header(2).range(4096, 1).frame(7).frame(1ull << 40).range(1, 4095).frame(9);
  auto ranges = GpaRanges::parse(bytes.view(), {.ranges = 2, .frames = 3});
  ASSERT_TRUE(ranges);
  EXPECT_EQ(ranges->count(), 2u);
  EXPECT_EQ(ranges->byte_count(), 4097u);
  EXPECT_EQ(ranges->frame_count(), 3u);
  const auto first = ranges->next();
  ASSERT_TRUE(first);
  EXPECT_EQ(first->byte_count, 4096u);
  EXPECT_EQ(first->byte_offset, 1u);
  ASSERT_EQ(first->frames.size(), 2u);
  EXPECT_EQ(first->frames[0], 7u);
  EXPECT_EQ(first->frames[1], 1ull << 40);
  const auto second = ranges->next();
  ASSERT_TRUE(second);
  EXPECT_EQ(second->frames.size(), 1u);
  EXPECT_EQ(second->frames[0], 9u);
  EXPECT_FALSE(ranges->next());
  EXPECT_FALSE(ranges->next());
}

TEST(GpaRanges, ToleratesBytesBehindTheLastRange) {
  EXPECT_TRUE(GpaRanges::parse(Bytes().header(1).range(1, 0).frame(1).frame(2).view(), {}));
}

TEST(GpaRanges, RefusesWhatIsCutShort) {
  EXPECT_EQ(refusal(Bytes()), Error::Truncated);
  EXPECT_EQ(refusal(Bytes().header(1)), Error::Truncated);
  EXPECT_EQ(refusal(Bytes().header(1).range(4097, 0).frame(1)), Error::Truncated);
  EXPECT_EQ(refusal(Bytes().header(2).range(1, 0).frame(1)), Error::Truncated);
}

TEST(GpaRanges, RefusesNoRangeNoBytesAndAnOffsetBeyondThePage) {
  EXPECT_EQ(refusal(Bytes().header(0)), Error::BadValue);
  EXPECT_EQ(refusal(Bytes().header(1).range(0, 0).frame(1)), Error::BadValue);
  EXPECT_EQ(refusal(Bytes().header(1).range(1, 4096).frame(1)), Error::BadValue);
}

TEST(GpaRanges, RefusesMoreThanTheLimits) {
  const auto bytes = Bytes().header(2).range(8192, 0).frame(1).frame(2).range(1, 0).frame(3);
  EXPECT_EQ(refusal(bytes, {.ranges = 1, .frames = 64}), Error::Exhausted);
  EXPECT_EQ(refusal(bytes, {.ranges = 2, .frames = 2}), Error::Exhausted);
  EXPECT_EQ(refusal(Bytes().header(UINT32_MAX)), Error::Exhausted);
  EXPECT_TRUE(GpaRanges::parse(bytes.view(), {.ranges = 2, .frames = 3}));
}

TEST(GpaRanges, RefusesLengthsThatWrap) {
  EXPECT_EQ(refusal(Bytes().header(1).range(UINT32_MAX, 1).frame(1)), Error::Overflow);
  EXPECT_EQ(refusal(Bytes().header(1).range(UINT32_MAX, 0).frame(1)), Error::Truncated);
}

TEST(GpaFrames, TrapsBehindItsEnd) {
  const std::array<std::byte, 8> one{};
  EXPECT_DEATH((void)GpaFrames(one)[1], "");
}

TEST(GpaDirectBuilder, WritesWhatTheReaderReads) {
  std::array<std::byte, 64> storage{};
  GpaDirectBuilder builder(storage);
  ASSERT_TRUE(builder.range(5000, 100));
  ASSERT_TRUE(builder.frame(11));
  ASSERT_TRUE(builder.frame(12));
  ASSERT_TRUE(builder.range(1, 0));
  ASSERT_TRUE(builder.frame(13));
  auto bytes = builder.finish();
  ASSERT_TRUE(bytes);
  auto ranges = GpaRanges::parse(*bytes, {.ranges = 2, .frames = 3});
  ASSERT_TRUE(ranges);
  EXPECT_EQ(ranges->next()->frames[1], 12u);
  EXPECT_EQ(ranges->next()->frames[0], 13u);
}

TEST(GpaDirectBuilder, RefusesWhatWouldNotBeRead) {
  std::array<std::byte, 40> storage{};
  GpaDirectBuilder builder(storage);
  EXPECT_EQ(builder.finish().error(), Error::BadState);
  EXPECT_EQ(builder.frame(1).error(), Error::BadState);
  EXPECT_EQ(builder.range(0, 0).error(), Error::BadValue);
  EXPECT_EQ(builder.range(1, 4096).error(), Error::BadValue);
  EXPECT_EQ(builder.range(UINT32_MAX, 1).error(), Error::Overflow);
  ASSERT_TRUE(builder.range(4097, 0));
  ASSERT_TRUE(builder.frame(1));
  EXPECT_EQ(builder.range(1, 0).error(), Error::BadState);
  EXPECT_EQ(builder.finish().error(), Error::BadState);
  ASSERT_TRUE(builder.frame(2));
  EXPECT_EQ(builder.frame(3).error(), Error::BadState);
  EXPECT_TRUE(builder.finish());
  ASSERT_TRUE(builder.range(1, 0));
  EXPECT_EQ(builder.frame(1).error(), Error::Exhausted);
  EXPECT_EQ(builder.finish().error(), Error::BadState);
}

TEST(GpaDirectBuilder, SaysHowMuchItNeeds) {
  std::array<std::byte, GpaDirectBuilder::size_for(1)> storage{};
  GpaDirectBuilder builder(storage);
  ASSERT_TRUE(builder.range(1, 0));
  ASSERT_TRUE(builder.frame(1));
  EXPECT_EQ(builder.finish()->size(), storage.size());
}

}  // namespace
}  // namespace hv::vmbus
