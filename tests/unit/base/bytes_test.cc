// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/bytes.hpp"

#include <gtest/gtest.h>

#include <array>

namespace hv {
namespace {

struct Pair {
  uint32_t first;
  uint32_t second;
  friend bool operator==(const Pair&, const Pair&) = default;
};
struct Padded {
  uint8_t small;
  uint32_t large;
};
static_assert(WireStruct<Pair>);
static_assert(!WireStruct<Padded>, "padding would leak");

constexpr std::array<std::byte, 10> kBytes = {std::byte{1}, {}, {}, {},           std::byte{2},
                                              {},           {}, {}, std::byte{9}, std::byte{8}};

TEST(ByteReader, TakesStructuresLittleEndian) {
  ByteReader reader(kBytes);
  EXPECT_EQ(*reader.take<Pair>(), (Pair{1, 2}));
  EXPECT_EQ(reader.remaining(), 2u);
  EXPECT_EQ(*reader.take<uint16_t>(), 0x0809);
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(ByteReader, StaysWhereItIsWhenBytesAreMissing) {
  ByteReader reader(kBytes);
  ASSERT_TRUE(reader.skip(4));
  EXPECT_EQ(reader.take<Pair>().error(), Error::Truncated);
  EXPECT_EQ(reader.skip(7).error(), Error::Truncated);
  EXPECT_EQ(reader.take_bytes(7).error(), Error::Truncated);
  EXPECT_EQ(reader.take_bytes(SIZE_MAX).error(), Error::Truncated);
  EXPECT_EQ(reader.take_at_least<Pair>(7).error(), Error::Truncated);
  EXPECT_EQ(reader.remaining(), 6u);
  EXPECT_EQ(*reader.take<uint32_t>(), 2u);
}

TEST(ByteReader, FillsUpWhatAnOlderPeerLeavesOut) {
  ByteReader reader{std::span(kBytes).first(5)};
  EXPECT_EQ(*reader.take_at_least<Pair>(4), (Pair{1, 2}));
  EXPECT_EQ(reader.remaining(), 0u);
  ByteReader whole(kBytes);
  EXPECT_EQ(*whole.take_at_least<Pair>(4), (Pair{1, 2}));
  EXPECT_EQ(whole.remaining(), 2u);
}

TEST(ByteReader, GivesViewsWithoutCopying) {
  ByteReader reader(kBytes);
  const auto view = reader.take_bytes(8);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->data(), kBytes.data());
  EXPECT_EQ(reader.rest().data(), kBytes.data() + 8);
  EXPECT_TRUE(reader.take_bytes(0));
}

TEST(ByteReader, OfNothingHasNothing) {
  ByteReader reader({});
  EXPECT_EQ(reader.take<uint8_t>().error(), Error::Truncated);
  EXPECT_TRUE(reader.take_bytes(0));
  EXPECT_TRUE(reader.skip(0));
}

TEST(ByteWriter, WritesWhatTheReaderReads) {
  std::array<std::byte, 16> storage;
  ByteWriter writer(storage);
  ASSERT_TRUE(writer.put(Pair{1, 2}));
  ASSERT_TRUE(writer.put_zeros(3));
  ASSERT_TRUE(writer.put_bytes(std::span(kBytes).subspan(8)));
  ASSERT_TRUE(writer.put_bytes({}));
  EXPECT_EQ(writer.size(), 13u);
  ByteReader reader(writer.written());
  EXPECT_EQ(*reader.take<Pair>(), (Pair{1, 2}));
  ASSERT_TRUE(reader.skip(3));
  EXPECT_EQ(*reader.take<uint16_t>(), 0x0809);
}

TEST(ByteWriter, WritesNothingWhenThereIsNoRoom) {
  std::array<std::byte, 9> storage{};
  ByteWriter writer(storage);
  ASSERT_TRUE(writer.put(uint32_t{7}));
  EXPECT_EQ(writer.put(Pair{1, 2}).error(), Error::Exhausted);
  EXPECT_EQ(writer.put_zeros(6).error(), Error::Exhausted);
  const volatile size_t huge = SIZE_MAX;
  EXPECT_EQ(writer.put_zeros(huge).error(), Error::Exhausted);
  EXPECT_EQ(writer.put_bytes(kBytes).error(), Error::Exhausted);
  EXPECT_EQ(writer.size(), 4u);
  EXPECT_TRUE(writer.put_zeros(5));
}

TEST(BytesOf, LooksAtTheValueItself) {
  Pair pair{1, 2};
  EXPECT_EQ(bytes_of(pair).size(), 8u);
  writable_bytes_of(pair)[4] = std::byte{3};
  EXPECT_EQ(pair.second, 3u);
}

}  // namespace
}  // namespace hv
