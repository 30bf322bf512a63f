// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The ring between two honest sides: contents, wrap, room, and exactly when a signal is due.
#include "core/vmbus/ring.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <random>
#include <vector>

#include "tests/support/ring_pages.hpp"
#include "tests/support/seed.hpp"

namespace hv::vmbus {
namespace {

using test::RingPages;
using wire::PacketType;
using Bytes = std::vector<std::byte>;

Bytes pattern(size_t size, uint32_t from) {
  Bytes bytes(size);
  for (size_t i = 0; i < size; i++) bytes[i] = static_cast<std::byte>(from + i * 7 + 1);
  return bytes;
}

Result<void> stage(RingWriter& writer, uint64_t id, std::span<const std::byte> payload,
                   std::span<const std::byte> extra = {}) {
  HV_TRY(writer.stage(PacketType::DataInBand, 0, id, extra, payload));
  return {};
}

/// One packet that takes `size` bytes of ring in all.
Signal send(RingWriter& writer, uint32_t size) {
  EXPECT_TRUE(stage(writer, 0, Bytes(size - RingWriter::packet_size(0, 0))));
  return writer.commit();
}

Signal receive(RingReader& reader) {
  Bytes buffer(65536);
  EXPECT_TRUE(reader.read(buffer));
  return reader.commit();
}

class Ring : public testing::TestWithParam<bool> {
 protected:
  RingPages pages_{4096, GetParam()};
  RingWriter writer_ = pages_.writer();
  RingReader reader_ = pages_.reader();
  Bytes buffer_ = Bytes(8192);
};
INSTANTIATE_TEST_SUITE_P(Mapped, Ring, testing::Bool(),
                         [](const auto& of) { return of.param ? "Twice" : "Once"; });

TEST_P(Ring, BringsAPacketAcross) {
  const auto extra = pattern(24, 1);
  const auto payload = pattern(61, 2);
  ASSERT_TRUE(writer_.stage(PacketType::DataUsingGpaDirect, wire::kPacketCompletionRequested,
                            0x1122334455667788, extra, payload));
  EXPECT_EQ(reader_.read(buffer_).error(), Error::RingEmpty);
  EXPECT_EQ(writer_.commit(), Signal::Yes);

  auto packet = reader_.read(buffer_);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->type, PacketType::DataUsingGpaDirect);
  EXPECT_TRUE(packet->wants_completion());
  EXPECT_EQ(packet->transaction_id, 0x1122334455667788u);
  EXPECT_TRUE(std::ranges::equal(packet->extra, extra));
  ASSERT_EQ(packet->payload.size(), 64u);
  EXPECT_TRUE(std::ranges::equal(packet->payload.first(61), payload));
  for (const auto byte : packet->payload.subspan(61)) EXPECT_EQ(byte, std::byte{0});
  EXPECT_EQ(reader_.commit(), Signal::No);
  EXPECT_EQ(reader_.read(buffer_).error(), Error::RingEmpty);
}

TEST_P(Ring, WritesWhatThePeersExpectOnTheWire) {
  ASSERT_TRUE(stage(writer_, 5, pattern(3, 0), pattern(8, 9)));
  ASSERT_TRUE(stage(writer_, 6, {}));
  (void)writer_.commit();
  std::array<uint64_t, 8> words;
  std::memcpy(words.data(), pages_.data().data(), sizeof(words));
  EXPECT_EQ(words[0], 6u | 3ull << 16 | 4ull << 32);  // type, offset and length in units of 8
  EXPECT_EQ(words[1], 5u);
  EXPECT_EQ(words[3] >> 24, 0u);
  EXPECT_EQ(words[4], 0u);  // trailer: where the packet began
  EXPECT_EQ(words[5], 6u | 2ull << 16 | 2ull << 32);
  EXPECT_EQ(words[7], 40ull << 32);
  EXPECT_EQ(pages_.control().write_index, 64u);
  EXPECT_EQ(pages_.control().read_index, 0u);
}

TEST_P(Ring, WrapsAtEveryOffset) {
  for (uint32_t shift = 0; shift < 4096; shift += 8) {
    for (const size_t size : {0u, 1u, 8u, 100u, 800u}) {
      pages_.memory().reset();
      pages_.control().write_index = pages_.control().read_index = shift;
      auto writer = pages_.writer();
      auto reader = pages_.reader();
      const auto extra = pattern(size / 16 * 8, shift);
      for (uint32_t i = 0; i < 3; i++) {
        const auto payload = pattern(size, shift + i);
        ASSERT_TRUE(writer.stage(PacketType::Completion, 0, shift + i, extra, payload));
      }
      EXPECT_EQ(writer.commit(), Signal::Yes);
      for (uint32_t i = 0; i < 3; i++) {
        auto packet = reader.read(buffer_);
        ASSERT_TRUE(packet) << shift << " " << size;
        ASSERT_EQ(packet->transaction_id, shift + i);
        ASSERT_TRUE(std::ranges::equal(packet->extra, extra));
        ASSERT_TRUE(std::ranges::equal(packet->payload.first(size), pattern(size, shift + i)));
        for (const auto byte : packet->payload.subspan(size)) ASSERT_EQ(byte, std::byte{0});
      }
      EXPECT_EQ(reader.commit(), Signal::No);
      EXPECT_EQ(pages_.control().read_index, pages_.control().write_index);
    }
  }
}

TEST_P(Ring, CopiesShortLengthsExactly) {
  uint32_t round = 0;
  for (size_t size = 0; size <= 140; size++) {
    for (size_t extra_size = 0; extra_size <= 80; extra_size += 8, round++) {
      const auto extra = pattern(extra_size, round);
      const auto payload = pattern(size, round + 1);
      Bytes exact(extra_size + (size + 7) / 8 * 8);
      ASSERT_TRUE(stage(writer_, round, payload, extra));
      (void)writer_.commit();
      auto packet = reader_.read(exact);
      ASSERT_TRUE(packet) << size << " " << extra_size;
      ASSERT_EQ(packet->transaction_id, round);
      ASSERT_TRUE(std::ranges::equal(packet->extra, extra)) << size << " " << extra_size;
      ASSERT_EQ(packet->payload.size(), exact.size() - extra_size);
      ASSERT_TRUE(std::ranges::equal(packet->payload.first(size), payload)) << size;
      for (const auto byte : packet->payload.subspan(size)) ASSERT_EQ(byte, std::byte{0});
      (void)reader_.commit();
    }
  }
}

TEST_P(Ring, KeepsTheOrderOfAnyMixOfPackets) {
  auto random = test::seeded();
  std::deque<std::pair<uint64_t, Bytes>> under_way;
  uint64_t id = 0;
  for (int step = 0; step < 20000; step++) {
    if (random() % 2) {
      const auto payload = pattern(random() % 900, static_cast<uint32_t>(random()));
      const auto result = stage(writer_, id, payload);
      if (result) {
        under_way.emplace_back(id++, payload);
      } else {
        ASSERT_EQ(result.error(), Error::RingFull);
      }
      (void)writer_.commit();
    } else {
      auto packet = reader_.read(buffer_);
      if (packet) {
        ASSERT_FALSE(under_way.empty());
        ASSERT_EQ(packet->transaction_id, under_way.front().first);
        ASSERT_TRUE(std::ranges::equal(packet->payload.first(under_way.front().second.size()),
                                       under_way.front().second));
        under_way.pop_front();
      } else {
        ASSERT_EQ(packet.error(), Error::RingEmpty);
        ASSERT_TRUE(under_way.empty());
      }
      if (random() % 3 == 0) (void)reader_.commit();
    }
  }
}

TEST_P(Ring, LeavesEightBytesFreeSoThatFullIsNotEmpty) {
  EXPECT_EQ(writer_.capacity(), 4088u);
  EXPECT_EQ(*writer_.free_bytes(), 4088u);
  EXPECT_EQ(send(writer_, 4088), Signal::Yes);
  EXPECT_EQ(*writer_.free_bytes(), 0u);
  EXPECT_EQ(*reader_.readable(), 4088u);
  EXPECT_EQ(stage(writer_, 0, {}).error(), Error::RingFull);
  (void)receive(reader_);
  EXPECT_EQ(*writer_.free_bytes(), 4088u);
  EXPECT_EQ(*reader_.readable(), 0u);
  EXPECT_EQ(send(writer_, 4088), Signal::Yes);  // the same again, across the end
  auto packet = reader_.read(buffer_);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->payload.size(), 4088 - RingWriter::packet_size(0, 0));
}

TEST_P(Ring, GivesRoomBackOnlyOnCommitOfTheReader) {
  (void)send(writer_, 4088);
  ASSERT_TRUE(reader_.read(buffer_));
  EXPECT_EQ(*reader_.readable(), 0u);
  EXPECT_EQ(stage(writer_, 0, {}).error(), Error::RingFull);
  EXPECT_EQ(reader_.commit(), Signal::No);
  EXPECT_TRUE(stage(writer_, 0, {}));
}

TEST_P(Ring, WhatIsUnreadComesAgainAndKeepsItsRoom) {
  ASSERT_TRUE(stage(writer_, 1, Bytes(100)));
  ASSERT_TRUE(stage(writer_, 2, pattern(2000, 2)));
  (void)writer_.commit();
  EXPECT_EQ(reader_.read(buffer_)->transaction_id, 1u);
  EXPECT_EQ(reader_.read(buffer_)->transaction_id, 2u);
  reader_.unread();
  (void)reader_.commit();
  EXPECT_EQ(*writer_.free_bytes(), 4088u - RingWriter::packet_size(0, 2000));
  auto packet = reader_.read(buffer_);
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->transaction_id, 2u);
  EXPECT_TRUE(std::ranges::equal(packet->payload, pattern(2000, 2)));
  (void)reader_.commit();
  EXPECT_EQ(*writer_.free_bytes(), 4088u);
}

TEST_P(Ring, RefusesLengthsThatNoPacketCanHave) {
  EXPECT_EQ(stage(writer_, 0, Bytes(4088 - RingWriter::packet_size(0, 0) + 1)).error(),
            Error::BadLength);
  EXPECT_EQ(stage(writer_, 0, {}, Bytes(12)).error(), Error::BadLength);
  EXPECT_EQ(stage(writer_, 0, {}, Bytes(4096)).error(), Error::BadLength);
  // Sums with these wrap around.
  const std::span<const std::byte> huge(buffer_.data(), SIZE_MAX);
  const std::span<const std::byte> huge8(buffer_.data(), SIZE_MAX - 7);
  EXPECT_EQ(stage(writer_, 0, huge).error(), Error::BadLength);
  EXPECT_EQ(stage(writer_, 0, {}, huge8).error(), Error::BadLength);
  EXPECT_EQ(stage(writer_, 0, huge, huge8).error(), Error::BadLength);

  RingPages large(1 << 20, GetParam());
  auto writer = large.writer();
  EXPECT_EQ(stage(writer, 0, Bytes(65536 * 8 - 16)).error(), Error::BadLength);
  EXPECT_EQ(stage(writer, 0, {}, Bytes(65536 * 8 - 16)).error(), Error::BadLength);
  EXPECT_TRUE(stage(writer, 0, Bytes(65535 * 8 - 16)));
  (void)writer.commit();
  Bytes buffer(65535 * 8);
  EXPECT_EQ(large.reader().read(buffer)->payload.size(), size_t{65535 * 8 - 16});
}

TEST_P(Ring, RevertForgetsWhatIsStaged) {
  ASSERT_TRUE(stage(writer_, 1, Bytes(100)));
  (void)writer_.commit();
  ASSERT_TRUE(stage(writer_, 2, Bytes(100)));
  ASSERT_TRUE(stage(writer_, 3, Bytes(100)));
  writer_.revert();
  EXPECT_EQ(writer_.commit(), Signal::No);
  ASSERT_TRUE(stage(writer_, 4, Bytes(100)));
  (void)writer_.commit();
  EXPECT_EQ(reader_.read(buffer_)->transaction_id, 1u);
  EXPECT_EQ(reader_.read(buffer_)->transaction_id, 4u);
  EXPECT_EQ(reader_.read(buffer_).error(), Error::RingEmpty);
}

TEST_P(Ring, StepsOverAPacketThatDoesNotFitTheBuffer) {
  ASSERT_TRUE(stage(writer_, 1, Bytes(104)));
  ASSERT_TRUE(stage(writer_, 2, pattern(8, 2)));
  (void)writer_.commit();
  EXPECT_EQ(reader_.read(std::span(buffer_).first(103)).error(), Error::BadLength);
  auto packet = reader_.read(std::span(buffer_).first(8));
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->transaction_id, 2u);
  EXPECT_EQ(reader_.commit(), Signal::No);
  EXPECT_EQ(*writer_.free_bytes(), 4088u);
}

TEST_P(Ring, GoesOnWhereAnEarlierPairStopped) {
  (void)send(writer_, 1000);
  auto writer = pages_.writer();
  auto reader = pages_.reader();
  (void)send(writer, 2000);
  EXPECT_EQ(*reader.readable(), 3000u);
  (void)receive(reader);
  EXPECT_EQ(*pages_.reader().readable(), 2000u);
  EXPECT_EQ(*pages_.writer().free_bytes(), 4088u - 2000u);
}

// When the producer signals: the ring was empty before, and the consumer has not asked for quiet.

TEST_P(Ring, SignalsTheStepFromEmptyAlone) {
  EXPECT_EQ(send(writer_, 64), Signal::Yes);
  EXPECT_EQ(send(writer_, 64), Signal::No);
  (void)receive(reader_);
  EXPECT_EQ(send(writer_, 64), Signal::No);
  (void)receive(reader_);
  (void)receive(reader_);
  EXPECT_EQ(send(writer_, 64), Signal::Yes);
}

TEST_P(Ring, SignalsABatchOnce) {
  for (int i = 0; i < 5; i++) ASSERT_TRUE(stage(writer_, i, Bytes(16)));
  EXPECT_EQ(writer_.commit(), Signal::Yes);
  EXPECT_EQ(writer_.commit(), Signal::No);
}

TEST_P(Ring, SignalsNothingBehindPacketsReadButNotGivenBack) {
  // The consumer is still at work: it commits, and looks again before it sleeps.
  (void)send(writer_, 64);
  ASSERT_TRUE(reader_.read(buffer_));
  EXPECT_EQ(send(writer_, 64), Signal::No);
  EXPECT_EQ(reader_.commit(), Signal::No);
  EXPECT_TRUE(*reader_.unmask());
}

TEST_P(Ring, IsQuietWhileMasked) {
  reader_.mask();
  EXPECT_EQ(pages_.control().interrupt_mask, 1u);
  EXPECT_EQ(send(writer_, 64), Signal::No);
  (void)receive(reader_);
  EXPECT_FALSE(*reader_.unmask());
  EXPECT_EQ(pages_.control().interrupt_mask, 0u);
  EXPECT_EQ(send(writer_, 64), Signal::Yes);
}

TEST_P(Ring, UnmaskBehindAPositionTellsOfWhatCameSince) {
  reader_.mask();
  (void)send(writer_, 64);
  (void)receive(reader_);
  const uint32_t position = reader_.position();
  EXPECT_FALSE(reader_.unmask_behind(position));
  EXPECT_EQ(pages_.control().interrupt_mask, 0u);
  reader_.mask();
  EXPECT_EQ(send(writer_, 64), Signal::No);
  EXPECT_TRUE(reader_.unmask_behind(position));
  pages_.control().write_index = 0xfffffff8;
  EXPECT_TRUE(reader_.unmask_behind(position)) << "reading on finds it out";
  EXPECT_EQ(reader_.read(buffer_).error(), Error::RingCorrupt);
}

TEST_P(Ring, UnmaskTellsOfWhatCameInBetween) {
  reader_.mask();
  (void)send(writer_, 64);
  EXPECT_TRUE(*reader_.unmask());
  (void)receive(reader_);
  EXPECT_FALSE(*reader_.unmask());
}

// When the consumer signals: free room steps from at most the wish to above it.

TEST_P(Ring, SignalsNoRoomThatNobodyWaitsFor) {
  (void)send(writer_, 4088);
  EXPECT_EQ(receive(reader_), Signal::No);
  EXPECT_EQ(reader_.commit(), Signal::No);
}

TEST_P(Ring, SignalsTheStepToEnoughRoomOnce) {
  for (int i = 0; i < 4; i++) (void)send(writer_, 1000);
  EXPECT_EQ(stage(writer_, 0, Bytes(1500)).error(), Error::RingFull);
  const auto wanted = static_cast<uint32_t>(RingWriter::packet_size(0, 1500));
  EXPECT_FALSE(*writer_.wait_for_space(wanted));
  EXPECT_EQ(pages_.control().pending_send_size, wanted);
  EXPECT_EQ(receive(reader_), Signal::No);
  EXPECT_FALSE(*writer_.wait_for_space(wanted));
  EXPECT_EQ(receive(reader_), Signal::Yes);
  EXPECT_EQ(receive(reader_), Signal::No);  // the wish still stands, but the producer knows
  EXPECT_TRUE(*writer_.wait_for_space(wanted));
  EXPECT_EQ(pages_.control().pending_send_size, 0u);
  EXPECT_TRUE(stage(writer_, 0, Bytes(1500)));
}

TEST_P(Ring, SignalsExactlyWhenStagingWouldSucceed) {
  // For each fill and each wish: the signal comes if and only if the packet did not fit before and
  // fits now.
  for (uint32_t first = 24; first <= 4088 - 24; first += 8 * 37) {
    for (uint32_t wish = 24; wish <= 4088; wish += 8) {
      pages_.memory().reset();
      auto writer = pages_.writer();
      auto reader = pages_.reader();
      (void)send(writer, first);
      if (4088 - first >= 24) (void)send(writer, std::max(24u, (4088 - first) / 2 / 8 * 8));
      const uint32_t before = *writer.free_bytes();
      const bool fits = *writer.wait_for_space(wish);
      ASSERT_EQ(fits, before >= wish);
      const Signal signal = receive(reader);
      const bool fits_now = *writer.free_bytes() >= wish;
      ASSERT_EQ(signal == Signal::Yes, !fits && fits_now) << first << " " << wish;
    }
  }
}

TEST_P(Ring, SignalsAWaiterForTheWholeRingWhenItIsEmpty) {
  (void)send(writer_, 1000);
  (void)send(writer_, 1000);
  EXPECT_FALSE(*writer_.wait_for_space(writer_.capacity()));
  EXPECT_EQ(receive(reader_), Signal::No);
  EXPECT_EQ(receive(reader_), Signal::Yes);
}

TEST_P(Ring, UnderstandsTheWishOfPeersThatAskForOneByteLessThanTheRing) {
  (void)send(writer_, 1000);
  (void)send(writer_, 1000);
  pages_.control().pending_send_size = 4095;
  EXPECT_EQ(receive(reader_), Signal::No);
  EXPECT_EQ(receive(reader_), Signal::Yes);
}

TEST_P(Ring, CountsWhatWasWrittenSinceTheWish) {
  (void)send(writer_, 2000);
  (void)send(writer_, 1000);
  pages_.control().pending_send_size = 2000;
  ASSERT_TRUE(reader_.read(buffer_));
  (void)send(writer_, 1000);  // the producer went on with smaller packets: there is less room than
                              // the reader gives back
  EXPECT_EQ(reader_.commit(), Signal::Yes);
  EXPECT_EQ(*writer_.free_bytes(), 2088u);
}

TEST_P(Ring, HasNoSignalForRoomWithoutTheFeature) {
  (void)send(writer_, 4088);
  EXPECT_FALSE(*writer_.wait_for_space(1000));
  pages_.control().feature_bits = 0;
  EXPECT_EQ(receive(reader_), Signal::No);
}

TEST_P(Ring, WaitsForRoomBehindWhatIsStaged) {
  ASSERT_TRUE(stage(writer_, 0, Bytes(2976)));
  EXPECT_TRUE(*writer_.wait_for_space(1088));
  EXPECT_FALSE(*writer_.wait_for_space(1096));
  EXPECT_EQ(writer_.wait_for_space(4096).error(), Error::BadLength);
  EXPECT_TRUE(*writer_.wait_for_space(0));
  EXPECT_EQ(pages_.control().pending_send_size, 0u);
}

TEST(RingWriter, SaysWhatAPacketTakes) {
  static_assert(RingWriter::packet_size(0, 0) == 24);
  static_assert(RingWriter::packet_size(0, 1) == 32);
  static_assert(RingWriter::packet_size(24, 64) == 112);
}

TEST(RingWriter, SaysThatItSpeaksOfWishes) {
  RingPages pages(4096);
  pages.control().feature_bits = 0;
  pages.control().pending_send_size = 77;
  (void)pages.writer();
  EXPECT_EQ(pages.control().feature_bits, wire::kRingFeaturePendingSendSize);
  EXPECT_EQ(pages.control().pending_send_size, 0u);
}

TEST(RingMemory, TakesWholePagesAlone) {
  alignas(8) static std::byte bytes[4 * 4096 + 8];
  EXPECT_EQ(RingMemory::create({}).error(), Error::BadLength);
  EXPECT_EQ(RingMemory::create(std::span(bytes, 4096)).error(), Error::BadLength);
  EXPECT_EQ(RingMemory::create(std::span(bytes, 2 * 4096 + 8)).error(), Error::BadLength);
  EXPECT_EQ(RingMemory::create(std::span(bytes, RingMemory::kMaxDataSize + 2 * 4096)).error(),
            Error::BadLength);
  EXPECT_EQ(RingMemory::create(std::span(bytes + 4, 2 * 4096)).error(), Error::BadValue);
  auto memory = RingMemory::create(std::span(bytes, 4 * 4096));
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->size(), 3u * 4096);
  EXPECT_FALSE(memory->mirrored());
}

}  // namespace
}  // namespace hv::vmbus
