// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/receiver.hpp"

#include <gtest/gtest.h>

#include "tests/unit/netvsc/queue_pair.hpp"

namespace hv::netvsc {
namespace {

namespace rndis = wire::rndis;
using Kind = Event::Kind;
using test::Bytes;
using wire::netvsc::MessageType;
using wire::netvsc::Status;

/// A frame of the host, and as a part of a joined one when `part` says so.
Bytes packet(size_t length, uint8_t fill, uint8_t part = 0) {
  rndis::Packet body{};
  Bytes tail;
  if (part) {
    tail = test::join(rndis::PpiHeader{16, rndis::kPpiPacketId, 12}, rndis::PacketId{1, part, 0});
    body.ppi_offset = sizeof(body);
    body.ppi_length = 16;
  }
  body.data_offset = sizeof(body) + body.ppi_length;
  body.data_length = static_cast<uint32_t>(length);
  tail.insert(tail.end(), length, std::byte{fill});
  return test::rndis(rndis::MessageType::Packet, body, tail);
}
constexpr uint8_t kFirst = rndis::kPart | rndis::kPartFirst, kMiddle = rndis::kPart,
                  kLast = rndis::kPart | rndis::kPartLast;

struct Receive : testing::Test, test::QueuePair {
  Receiver& receiving = queue.receiving();
  Event next() { return receiving.next().take(); }
  Kind next_kind() { return next().kind; }
  void expect_end() { EXPECT_EQ(receiving.next().error(), Error::RingEmpty); }
  /// What the host is told of the packet that ended last.
  Status paid() {
    EXPECT_TRUE(receiving.owes());
    const auto status = receiving.oldest().status;
    receiving.pay();
    EXPECT_FALSE(receiving.owes());
    return status;
  }
};

TEST_F(Receive, FramesOfAPacketComeOneByOneThenItsCompletion) {
  host_delivers(55, {packet(60, 1), packet(100, 2)});
  auto event = next();
  ASSERT_EQ(event.kind, Kind::Frame);
  EXPECT_EQ(event.length, 60u);
  ASSERT_EQ(event.fragments.size(), 1u);
  EXPECT_EQ(event.fragments[0].data[0], std::byte{1});
  event = next();
  EXPECT_EQ(event.length, 100u);
  EXPECT_FALSE(receiving.owes()) << "the second frame is still being looked at";
  expect_end();
  EXPECT_EQ(receiving.oldest().id, 55u);
  queue.pay_completions().take();
  (void)queue.sending().publish();
  const auto completion = host_reads();
  EXPECT_EQ(completion.type, wire::PacketType::Completion);
  EXPECT_EQ(completion.transaction_id, 55u);
  EXPECT_EQ(test::at<Status>(completion.payload, 4), Status::Success);
}

TEST_F(Receive, RangesOutOfTheBufferAreRefusedAndTheOthersKept) {
  std::memcpy(receive.data(), packet(60, 1).data(), 104);
  const wire::TransferPageRange bad[] = {{104, kReceive - 103},
                                         {104, kReceive},
                                         {104, 0xffffffff},
                                         {0xffffffff, 0},
                                         {0xfffffff8, 104},
                                         {0, 0},
                                         {7, 0},
                                         {8, 0}};
  for (const auto& range : bad) {
    host_delivers_ranges(
        1, test::join(wire::TransferPageHeader{wire::netvsc::kReceiveBufferId, 0, 0, 2}, range,
                      wire::TransferPageRange{104, 0}));
    EXPECT_EQ(next_kind(), Kind::Dropped) << range.byte_count << " at " << range.byte_offset;
    EXPECT_EQ(next_kind(), Kind::Frame);
    expect_end();
    EXPECT_EQ(paid(), Status::Failure);
  }
}

TEST_F(Receive, ARangeCountThatIsALieIsRefusedAndCompleted) {
  for (const uint32_t count : {2u, 0x10000000u, 0x20000000u, 0xffffffffu}) {
    host_delivers_ranges(
        9, test::join(wire::TransferPageHeader{wire::netvsc::kReceiveBufferId, 0, 0, count},
                      wire::TransferPageRange{104, 0}));
    EXPECT_EQ(receiving.next().error(), Error::BadValue) << count;
    EXPECT_EQ(paid(), Status::Failure);
  }
  host_delivers_ranges(9, {});
  EXPECT_EQ(receiving.next().error(), Error::BadValue);
  EXPECT_EQ(paid(), Status::Failure);
  host_delivers(9, {packet(60, 1)}, 0xbeef);
  EXPECT_EQ(receiving.next().error(), Error::BadValue) << "another buffer";
  EXPECT_EQ(paid(), Status::Failure);
}

TEST_F(Receive, NothingIsReadBeforeTheBufferIsThere) {
  receiving.share({});
  host_delivers(1, {packet(60, 1)});
  EXPECT_EQ(next_kind(), Kind::Dropped);
}

TEST_F(Receive, PartsBecomeOneFrame) {
  host_delivers(
      1, {packet(100, 1, kFirst), packet(50, 2, kMiddle), packet(25, 3, kLast), packet(60, 4)});
  auto event = next();
  ASSERT_EQ(event.kind, Kind::Frame);
  EXPECT_EQ(event.length, 175u);
  ASSERT_EQ(event.fragments.size(), 3u);
  EXPECT_EQ(event.fragments[2].data[24], std::byte{3});
  event = next();
  EXPECT_EQ(event.fragments.size(), 1u);
  expect_end();
  EXPECT_EQ(paid(), Status::Success);
}

TEST_F(Receive, PartsThatAreOutOfPlaceAreDropped) {
  host_delivers(1, {packet(100, 1, kMiddle), packet(100, 2, kLast), packet(100, 3, kFirst)});
  EXPECT_EQ(next_kind(), Kind::Dropped);
  EXPECT_EQ(next_kind(), Kind::Dropped);
  EXPECT_EQ(next_kind(), Kind::Dropped) << "its end never came";
  EXPECT_EQ(paid(), Status::Failure);
  host_delivers(2, {packet(100, 4, kLast)});
  EXPECT_EQ(next_kind(), Kind::Dropped) << "parts of another packet are not its beginning";
  expect_end();
  EXPECT_EQ(paid(), Status::Failure);
  host_delivers(3, {packet(100, 1, kFirst), packet(60, 2), packet(10, 3, kLast)});
  EXPECT_EQ(next().fragments.size(), 1u) << "a whole frame ends what was forming";
  EXPECT_EQ(next_kind(), Kind::Dropped);
  expect_end();
  EXPECT_EQ(paid(), Status::Failure);
}

TEST_F(Receive, AFrameShorterThanItsOwnHeaderIsNone) {
  host_delivers(1, {packet(13, 1), packet(14, 2)});
  EXPECT_EQ(next_kind(), Kind::Dropped);
  EXPECT_EQ(next_kind(), Kind::Frame);
}

TEST_F(Receive, JoinedFramesAreNoLongerThanIpAllows) {
  // The same bytes, over and over: the host may name a range as often as it likes.
  std::memcpy(receive.data(), packet(4000, 1, kFirst).data(), 4060);
  std::memcpy(receive.data() + 4096, packet(4000, 2, kMiddle).data(), 4060);
  Bytes extra = test::join(wire::TransferPageHeader{wire::netvsc::kReceiveBufferId, 0, 0, 20},
                           wire::TransferPageRange{4060, 0});
  for (int i = 0; i < 19; i++) {
    const Bytes more = test::join(wire::TransferPageRange{4060, 4096});
    extra.insert(extra.end(), more.begin(), more.end());
  }
  host_delivers_ranges(1, extra);
  EXPECT_EQ(next_kind(), Kind::Dropped);
}

TEST_F(Receive, ACompletionOfAnotherKindIsNotTakenForAFrames) {
  // A frame in pages is in flight, and the host answers as if it had been asked to open.
  std::array<std::byte, kHeaderRoom> header;
  auto& sending = queue.sending();
  sending.list_header({.length = 1500}, 0).take();
  sending.list_piece(77 * 4096, 1500).take();
  sending.send_pages(sending.take_pages().take(), {.length = 1500}, header).take();
  (void)sending.publish();
  const uint64_t id = host_reads().transaction_id;
  host_sends(wire::PacketType::Completion, id,
             test::nvsp(MessageType::InitComplete, wire::netvsc::InitComplete{}));
  const auto event = next();
  EXPECT_EQ(event.kind, Kind::Sent) << "its slot says what it was";
  EXPECT_EQ(event.slot_kind, SlotKind::Pages);
  EXPECT_FALSE(event.good);
  host_completes(id);
  EXPECT_EQ(receiving.next().error(), Error::BadId) << "repeated";
  for (const uint64_t forged : {uint64_t{0}, uint64_t{1}, id ^ 1, id + 2, ~uint64_t{0}}) {
    host_completes(forged);
    EXPECT_EQ(receiving.next().error(), Error::BadId) << forged;
  }
}

TEST_F(Receive, AnswersAreOnlyThoseThatWereAskedFor) {
  queue.sending().send_setup(sub_channel_request(3)).take();
  (void)queue.sending().publish();
  const uint64_t id = host_reads().transaction_id;
  host_sends(
      wire::PacketType::Completion, id,
      test::nvsp(MessageType::SubChannel, wire::netvsc::SubChannelComplete{Status::Success, 2}));
  const auto event = next();
  ASSERT_EQ(event.kind, Kind::Answered);
  EXPECT_EQ(parse_sub_channel_answer(event.bytes, 3).take(), 2u);
}

TEST_F(Receive, ControlMessagesAreCopiedAndBounded) {
  Bytes message = test::rndis(rndis::MessageType::IndicateStatus,
                              rndis::IndicateStatus{rndis::Status::MediaConnect, 0, 0});
  host_delivers(1, {message});
  auto event = next();
  ASSERT_EQ(event.kind, Kind::Control);
  EXPECT_EQ(event.bytes.size(), 20u);
  EXPECT_TRUE(event.bytes.data() < receive.data() ||
              event.bytes.data() >= receive.data() + receive.size())
      << "a private copy";
  expect_end();
  std::memcpy(receive.data(), message.data(), message.size());
  host_delivers_ranges(2,
                       test::join(wire::TransferPageHeader{wire::netvsc::kReceiveBufferId, 0, 0, 1},
                                  wire::TransferPageRange{kReceive, 0}));
  event = next();
  EXPECT_EQ(event.bytes.size(), Receiver::kMostControl);
}

TEST(ReceiveOnASubChannel, ControlAndTablesArePassedOver) {
  test::QueuePair pair({.sections = 1, .pages = 1}, false);
  pair.host_delivers(1, {test::rndis(rndis::MessageType::IndicateStatus,
                                     rndis::IndicateStatus{rndis::Status::MediaConnect, 0, 0})});
  EXPECT_EQ(pair.queue.receiving().next().take().kind, Kind::Ignored);
  pair.host_sends(wire::PacketType::DataInBand, 0, Bytes(200));
  EXPECT_EQ(pair.queue.receiving().next().take().kind, Kind::Ignored);
}

TEST_F(Receive, CompletionsThatFindNoRoomStayOwed) {
  while (queue.sending().send_notice(revoke_send_buffer())) {
  }
  for (size_t i = 0; i < Receiver::kMostOwed; i++) {
    host_delivers(i + 1, {packet(60, 1)});
    EXPECT_EQ(next_kind(), Kind::Frame);
    EXPECT_FALSE(receiving.next().ok()) << "and that was all of this packet";
    (void)receiving.give_back();
  }
  host_delivers(1000, {packet(60, 1)});
  EXPECT_EQ(receiving.next().error(), Error::Exhausted)
      << "the host is not read from before it is paid";
  EXPECT_EQ(queue.pay_completions().error(), Error::RingFull);
  (void)queue.sending().publish();
  std::vector<uint64_t> completed;
  const auto host_reads_all = [&] {
    while (!host_has_none()) {
      const auto packet = host_reads();
      if (packet.type == wire::PacketType::Completion) completed.push_back(packet.transaction_id);
    }
  };
  host_reads_all();
  queue.pay_completions().take();
  EXPECT_EQ(next_kind(), Kind::Frame);
  (void)queue.sending().publish();
  host_reads_all();
  ASSERT_EQ(completed.size(), Receiver::kMostOwed);
  for (size_t i = 0; i < completed.size(); i++)
    EXPECT_EQ(completed[i], i + 1) << "in order, each once";
  EXPECT_TRUE(host_has_none());
}

Bytes table_message(uint32_t count, uint32_t offset, size_t table_at) {
  Bytes message = test::join(wire::netvsc::Header{MessageType::SendIndirectionTable},
                             wire::netvsc::SendTable{count, offset});
  message.resize(table_at);
  for (uint32_t i = 0; i < 16; i++) {
    const Bytes entry = test::join(i + 1);
    message.insert(message.end(), entry.begin(), entry.end());
  }
  return message;
}

/// Bug 34: hosts up to version 6 say an offset that is too small.
TEST(SendTable, IsFoundWhereOldHostsPutItWhateverTheySay) {
  const Dialect old(wire::netvsc::Version::V6), newest(wire::netvsc::Version::V6_1);
  const auto misstated = table_message(16, 36, wire::netvsc::kMessageSize);
  EXPECT_EQ(parse_send_table(misstated, old).take()[0], 1u);
  EXPECT_NE(parse_send_table(misstated, newest).take()[0], 1u)
      << "a newer host is taken at its word";
  const auto right = table_message(16, 64, 64);
  EXPECT_EQ(parse_send_table(right, newest).take()[15], 16u);
}

TEST(SendTable, NeverReachesOutOfItsMessage) {
  const Dialect newest(wire::netvsc::Version::V6_1);
  for (const uint32_t offset : {41u, 104u, 0xffffffffu, 0xffffffc0u})
    EXPECT_FALSE(parse_send_table(table_message(16, offset, 40), newest).ok()) << offset;
  for (const uint32_t count : {0u, 15u, 17u, 0x40000010u})
    EXPECT_EQ(parse_send_table(table_message(count, 40, 40), newest).error(), Error::BadValue);
  EXPECT_EQ(parse_send_table(Bytes(8), newest).error(), Error::Truncated);
}

TEST(SendTable, NamesNoQueueThatCannotBe) {
  auto message = table_message(16, 64, 64);
  for (size_t i = 0; i < 8; i++) message[64 + i] = std::byte{0xff};
  const auto table = parse_send_table(message, Dialect(wire::netvsc::Version::V6_1)).take();
  for (const uint32_t queue : table) EXPECT_LT(queue, wire::netvsc::kMaxQueues);
  EXPECT_EQ(table[2], 3u);
}

}  // namespace
}  // namespace hv::netvsc
