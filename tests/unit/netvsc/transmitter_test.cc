// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/transmitter.hpp"

#include <gtest/gtest.h>

#include "core/vmbus/gpa_direct.hpp"
#include "tests/unit/netvsc/queue_pair.hpp"

namespace hv::netvsc {
namespace {

namespace rndis = wire::rndis;
using test::QueuePair;
using wire::netvsc::RndisPacket;

SendFrame frame_of(uint32_t length) { return {.length = length}; }

struct Transmit : testing::Test, QueuePair {
  Transmitter& sending = queue.sending();
  RndisPacket sent(const vmbus::Packet& packet) {
    EXPECT_EQ(test::at<wire::netvsc::Header>(packet.payload).type,
              wire::netvsc::MessageType::SendRndisPacket);
    return test::at<RndisPacket>(packet.payload, 4);
  }
  void copy(uint32_t length, uint8_t fill) {
    auto place = sending.copy(frame_of(length));
    ASSERT_TRUE(place.ok());
    std::memset(*place, fill, length);
  }
  /// The messages that a section holds, by their lengths.
  std::vector<uint32_t> messages_in(uint32_t section, uint32_t bytes) {
    std::vector<uint32_t> lengths;
    for (uint32_t at = 0; at < bytes;) {
      const auto header = test::at<rndis::Header>(send, (section - 100) * kSection + at);
      EXPECT_EQ(header.type, rndis::MessageType::Packet);
      EXPECT_GE(header.length, 44u);
      lengths.push_back(header.length);
      at += header.length;
      if (header.length < 44) break;
    }
    return lengths;
  }
};

TEST_F(Transmit, FramesShareASectionUntilTheBatchEnds) {
  copy(61, 1);
  copy(60, 2);
  EXPECT_TRUE(sending.batch_open());
  EXPECT_EQ(sending.publish(), vmbus::Signal::No) << "nothing is staged before the batch ends";
  sending.flush().take();
  EXPECT_EQ(sending.publish(), vmbus::Signal::Yes);
  const auto packet = host_reads();
  EXPECT_EQ(packet.type, wire::PacketType::DataInBand);
  EXPECT_TRUE(packet.wants_completion());
  const auto message = sent(packet);
  EXPECT_EQ(message.channel, wire::netvsc::RndisChannel::Data);
  EXPECT_EQ(message.section, 100u);
  EXPECT_EQ(message.section_size, 112u + 104);
  EXPECT_EQ(messages_in(100, message.section_size), (std::vector<uint32_t>{112, 104}))
      << "each is padded to 8";
  EXPECT_TRUE(host_has_none()) << "one packet for both";
  EXPECT_EQ(send[44], std::byte{1});
  EXPECT_EQ(send[112 + 44], std::byte{2});
  EXPECT_EQ(send[105], std::byte{0}) << "no old byte in the padding";
}

TEST_F(Transmit, ABatchEndsWhenTheHostTakesNoMoreInOneMessage) {
  for (int i = 0; i < 4; i++) copy(60, 1);
  sending.flush().take();
  (void)sending.publish();
  EXPECT_EQ(sent(host_reads()).section_size, 3u * 104);
  EXPECT_EQ(sent(host_reads()).section_size, 104u);
}

TEST_F(Transmit, ABatchEndsWhenTheSectionIsFull) {
  copy(300, 1);
  copy(300, 2);
  sending.flush().take();
  (void)sending.publish();
  const auto first = sent(host_reads()), second = sent(host_reads());
  EXPECT_EQ(first.section_size, 344u);
  EXPECT_NE(first.section, second.section);
}

TEST_F(Transmit, AFrameMayFillItsSectionToTheLastByte) {
  EXPECT_TRUE(sending.fits_section(frame_of(kSection - 44)));
  EXPECT_FALSE(sending.fits_section(frame_of(kSection - 43)));
  copy(kSection - 44, 7);
  EXPECT_EQ(sending.copy(frame_of(kSection)).error(), Error::BadLength);
  copy(kSection - 44 - 3, 7);
  sending.flush().take();
  (void)sending.publish();
  EXPECT_EQ(sent(host_reads()).section_size, kSection);
  EXPECT_EQ(sent(host_reads()).section_size, kSection) << "padded up to the end and not over it";
}

TEST_F(Transmit, SectionsRunOutAndComeBack) {
  for (int i = 0; i < 4; i++) {
    copy(400, 1);
    sending.flush().take();
  }
  EXPECT_EQ(sending.copy(frame_of(400)).error(), Error::Exhausted);
  (void)sending.publish();
  host_completes(host_reads().transaction_id);
  const auto event = queue.receiving().next().take();
  EXPECT_EQ(event.kind, Event::Kind::Sent);
  EXPECT_EQ(sending.copy(frame_of(400)).error(), Error::Exhausted) << "until it is released";
  queue.release(event.slot);
  EXPECT_TRUE(sending.copy(frame_of(400)).ok());
}

TEST_F(Transmit, AFrameInPagesNamesItsHeaderFirst) {
  std::array<std::byte, kHeaderRoom> header;
  const uint16_t slot = sending.take_pages().take();
  copy(60, 1);
  sending.list_header(frame_of(5620), 5 * 4096 + 128).take();
  sending.list_piece(77 * 4096 + 3000, 1000).take();
  sending.list_piece(79 * 4096 + 4090, 4620).take();
  sending.send_pages(slot, frame_of(5620), header).take();
  (void)sending.publish();
  EXPECT_EQ(sent(host_reads()).section, 100u) << "what was copied before goes before";
  const auto packet = host_reads();
  EXPECT_EQ(packet.type, wire::PacketType::DataUsingGpaDirect);
  EXPECT_EQ(sent(packet).section, wire::netvsc::kNoSection);
  auto ranges = vmbus::GpaRanges::parse(packet.extra, {.ranges = 32, .frames = 64}).take();
  ASSERT_EQ(ranges.count(), 3u);
  EXPECT_EQ(ranges.byte_count(), 44u + 5620);
  EXPECT_EQ(ranges.frame_count(), 5u);
  const auto first = ranges.next();
  EXPECT_EQ(first->byte_offset, 128u);
  EXPECT_EQ(first->frames[0], 5u);
  EXPECT_EQ(ranges.next()->frames[0], 77u);
  const auto last = ranges.next();
  ASSERT_EQ(last->frames.size(), 3u) << "a piece is one range, however many pages it touches";
  EXPECT_EQ(last->byte_offset, 4090u);
  EXPECT_EQ(last->byte_count, 4620u);
  EXPECT_EQ(last->frames[0], 79u);
  EXPECT_EQ(last->frames[2], 81u);
  EXPECT_EQ(test::at<rndis::Header>(header).length, 44u + 5620);
}

TEST_F(Transmit, AFrameTouchesNoMorePagesThanHostsTake) {
  sending.list_header(frame_of(31 * 4096), 0).take();
  sending.list_piece(4096, 30 * 4096).take();
  EXPECT_EQ(sending.list_piece(50 * 4096 + 4095, 2).error(), Error::BadLength);
  sending.list_piece(50 * 4096, 4096).take();
  EXPECT_EQ(sending.list_piece(60 * 4096, 1).error(), Error::BadLength);
  std::array<std::byte, kHeaderRoom> header;
  EXPECT_TRUE(sending.send_pages(sending.take_pages().take(), frame_of(31 * 4096), header).ok())
      << "what was refused is not listed";

  sending.list_header(frame_of(4096), 0).take();
  for (uint64_t page = 1; page < 32; page++) sending.list_piece(2 * page * 4096, 4096).take();
  EXPECT_EQ(sending.list_piece(0, 1).error(), Error::BadLength) << "each a range of its own";
}

TEST_F(Transmit, ExactlyTheFrameIsListed) {
  std::array<std::byte, kHeaderRoom> header;
  const uint16_t slot = sending.take_pages().take();
  sending.list_header(frame_of(1500), 0).take();
  EXPECT_EQ(sending.send_pages(slot, frame_of(1500), header).error(), Error::BadLength);
  EXPECT_EQ(sending.list_piece(77 * 4096, 0).error(), Error::BadValue);
  sending.list_piece(77 * 4096, 1499).take();
  EXPECT_EQ(sending.send_pages(slot, frame_of(1500), header).error(), Error::BadLength);
  sending.list_piece(78 * 4096, 1).take();
  EXPECT_TRUE(sending.send_pages(slot, frame_of(1500), header).ok());
}

/// Bug 37: hosts refuse a header in two pieces.
TEST_F(Transmit, AHeaderNeverCrossesAPage) {
  EXPECT_EQ(sending.list_header(frame_of(1500), 4096 - 43).error(), Error::BadLength);
  EXPECT_TRUE(sending.list_header(frame_of(1500), 4096 - 44).ok());
}

TEST_F(Transmit, AFullRingGivesBackAllThatWasTaken) {
  std::array<std::byte, kHeaderRoom> header;
  const netvsc::Message message = revoke_send_buffer();
  while (sending.send_notice(message)) {
  }
  const uint16_t slot = sending.take_pages().take();
  sending.list_header(frame_of(1500), 0).take();
  sending.list_piece(77 * 4096, 1500).take();
  EXPECT_EQ(sending.send_pages(slot, frame_of(1500), header).error(), Error::RingFull);
  EXPECT_FALSE(queue.alive(slot));
  sending.drop_pages(slot);
  copy(60, 1);
  EXPECT_EQ(sending.flush().error(), Error::RingFull);
  EXPECT_TRUE(sending.batch_open()) << "what was accepted is not lost";
  EXPECT_EQ(queue.in_flight(), 0u);
  (void)sending.publish();
  while (!host_has_none()) host_reads();
  sending.flush().take();
  EXPECT_EQ(queue.in_flight(), 1u);
}

TEST_F(Transmit, WithoutASendBufferNothingIsCopied) {
  QueuePair bare({.sections = 0, .pages = 2});
  EXPECT_FALSE(bare.queue.sending().fits_section(frame_of(60)));
  EXPECT_EQ(bare.queue.sending().copy(frame_of(60)).error(), Error::BadLength);
  EXPECT_EQ(bare.queue.sending().share({.bytes = bare.send, .first = 0, .section_size = 0}).error(),
            Error::BadValue);
}

TEST_F(Transmit, StopsWhenPagesOrTheRingRunOut) {
  EXPECT_TRUE(sending.may_send(sending.ring_capacity()).take());
  for (int i = 0; i < 4; i++) (void)sending.take_pages().take();
  EXPECT_FALSE(sending.may_send(0).take());
  sending.drop_pages(4);
  EXPECT_TRUE(sending.may_send(0).take());
  sending.send_notice(revoke_send_buffer()).take();
  EXPECT_FALSE(sending.may_send(sending.ring_capacity()).take());
}

}  // namespace
}  // namespace hv::netvsc
