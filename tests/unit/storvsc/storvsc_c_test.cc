// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include "core/storvsc/storvsc.h"
#include "tests/support/ring_pages.hpp"
#include "tests/unit/storvsc/answers.hpp"

namespace hv {
namespace {

constexpr size_t kRing = 4096;

/// The C face over real rings; the test plays the host at their other ends.
class StorvscC : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(hv_storvsc_create(&machine, slots, std::size(slots)), HV_OK);
    const hv_port_rings rings{.out = out.bytes().data(),
                              .out_bytes = 4096 + kRing,
                              .in = in.bytes().data(),
                              .in_bytes = 4096 + kRing,
                              .mirrored = 1};
    ASSERT_EQ(hv_storvsc_channel_create(&channel, &rings), HV_OK);
  }

  void host_sends(uint64_t id, std::span<const std::byte> payload,
                  wire::PacketType type = wire::PacketType::Completion) {
    ASSERT_TRUE(host_out.stage(type, 0, id, {}, payload).ok());
    (void)host_out.commit();
  }
  vmbus::Packet host_reads() { return host_in.read(buffer).take(); }

  test::RingPages out{kRing, true};
  test::RingPages in{kRing, true};
  vmbus::RingReader host_in = out.reader();
  vmbus::RingWriter host_out = in.writer();
  hv_storvsc_slot slots[8 + HV_STORVSC_CONTROL_SLOTS] = {};
  hv_storvsc machine;
  hv_storvsc_channel channel;
  hv_storvsc_event event;
  alignas(8) std::array<std::byte, 512> buffer;
};

TEST_F(StorvscC, ARequestGoesOutWithItsPagesAndComesBack) {
  const uint8_t cdb[10] = {0x28};
  uint64_t range[HV_STORVSC_RANGE_WORDS + 2] = {0, 0, 77, 78};
  hv_storvsc_request request{};
  request.cdb = cdb;
  request.cdb_length = sizeof(cdb);
  request.direction = HV_STORVSC_READ;
  request.length = 5000;
  request.range = range;
  request.frame_count = 2;
  request.offset = 100;
  ASSERT_EQ(hv_storvsc_submit(&machine, &channel, 5, &request), HV_OK);
  EXPECT_EQ(hv_storvsc_in_flight(&machine), 1u);
  EXPECT_EQ(host_in.readable().take(), 0u) << "staged is not published";
  EXPECT_EQ(hv_storvsc_publish(&channel), HV_SIGNAL);
  EXPECT_EQ(hv_storvsc_publish(&channel), HV_NO_SIGNAL);

  const auto packet = host_reads();
  EXPECT_EQ(packet.type, wire::PacketType::DataUsingGpaDirect);
  ASSERT_EQ(packet.extra.size(), 32u);
  const uint32_t expected[8] = {0, 1, 5000, 100, 77, 0, 78, 0};
  EXPECT_EQ(std::memcmp(packet.extra.data(), expected, 32), 0);
  EXPECT_TRUE(packet.wants_completion());

  host_sends(packet.transaction_id, test::completion(0x84, 2, 9999, test::sense(5, 0x24, 0)));
  ASSERT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_OK);
  EXPECT_EQ(event.kind, HV_STORVSC_COMPLETED);
  EXPECT_EQ(event.slot, 5u);
  hv_storvsc_outcome outcome;
  hv_storvsc_judge(0x28, 0, 5000, 5000, &event.completion, &outcome);
  EXPECT_EQ(outcome.verdict, HV_STORVSC_DONE);
  EXPECT_EQ(outcome.scsi_status, 2);
  EXPECT_EQ(outcome.sense_length, 18u);
  EXPECT_EQ(outcome.sense[12], 0x24);
  EXPECT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_RING_EMPTY);
  EXPECT_EQ(hv_storvsc_give_back(&channel), HV_NO_SIGNAL);
  EXPECT_EQ(hv_storvsc_in_flight(&machine), 0u);
}

TEST_F(StorvscC, TheDialogueIsDrivenToItsEnd) {
  hv_storvsc_handshake handshake;
  ASSERT_EQ(hv_storvsc_handshake_create(&handshake, 0, 3), HV_OK);
  wire::storvsc::ChannelProperties properties{};
  properties.max_transfer_bytes = 1 << 20;
  properties.max_sub_channels = 2;
  properties.flags = wire::storvsc::kSupportsMultiChannel;
  int rounds = 0;
  bool asked = false;
  while (!hv_storvsc_handshake_done(&handshake)) {
    ASSERT_LT(rounds++, 10);
    asked |= hv_storvsc_handshake_at_sub_channels(&handshake) != 0;
    ASSERT_EQ(hv_storvsc_handshake_send(&handshake, &machine, &channel), HV_OK);
    (void)hv_storvsc_publish(&channel);
    host_sends(host_reads().transaction_id, test::answer_with(properties));
    ASSERT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_OK);
    ASSERT_EQ(event.kind, HV_STORVSC_ANSWERED);
    ASSERT_EQ(event.slot, hv_storvsc_control_slot(&machine, HV_STORVSC_DIALOGUE));
    ASSERT_EQ(hv_storvsc_handshake_answer(&handshake, event.packet, event.packet_length), HV_OK);
  }
  EXPECT_TRUE(asked);
  hv_storvsc_properties found;
  hv_storvsc_adopt(&machine, &handshake, &found);
  EXPECT_EQ(found.version, HV_STORVSC_WIN10);
  EXPECT_EQ(found.max_transfer, 1u << 20);
  EXPECT_EQ(found.sub_channels, 2);
}

TEST_F(StorvscC, ABatchCostsOneSignal) {
  const uint8_t cdb[6] = {};
  hv_storvsc_request request{};
  request.cdb = cdb;
  request.cdb_length = sizeof(cdb);
  request.direction = HV_STORVSC_NO_DATA;
  for (size_t slot = 0; slot < 8; slot++)
    ASSERT_EQ(hv_storvsc_submit(&machine, &channel, slot, &request), HV_OK);
  EXPECT_EQ(hv_storvsc_publish(&channel), HV_SIGNAL);
  for (size_t slot = 0; slot < 8; slot++)
    EXPECT_EQ(host_reads().type, wire::PacketType::DataInBand);
}

TEST_F(StorvscC, AResetIsAnsweredInItsSlot) {
  ASSERT_EQ(hv_storvsc_submit_reset(&machine, &channel, 0), HV_OK);
  EXPECT_EQ(hv_storvsc_submit_reset(&machine, &channel, 0), HV_BAD_STATE);
  (void)hv_storvsc_publish(&channel);
  host_sends(host_reads().transaction_id, test::answer());
  ASSERT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_OK);
  EXPECT_EQ(event.slot, hv_storvsc_control_slot(&machine, HV_STORVSC_RESET));
}

TEST_F(StorvscC, AnImpossibleIndexBreaksTheChannelForGood) {
  in.memory().control().write_index = 5;
  EXPECT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_RING_CORRUPT);
  in.memory().control().write_index = 0;
  EXPECT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_RING_CORRUPT);
}

TEST_F(StorvscC, APacketTooLongForAnyHostIsRefusedAlone) {
  const std::vector<std::byte> much(1024);
  host_sends(1, much, wire::PacketType::DataInBand);
  host_sends(0, test::answer(0, wire::storvsc::Operation::EnumerateBus),
             wire::PacketType::DataInBand);
  EXPECT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_BAD_LENGTH);
  ASSERT_EQ(hv_storvsc_receive(&machine, &channel, &event), HV_OK);
  EXPECT_EQ(event.kind, HV_STORVSC_DEVICES_CHANGED);
}

TEST_F(StorvscC, RingsTooSmallAreRefused) {
  const hv_port_rings rings{.out = out.bytes().data(),
                            .out_bytes = 4096,
                            .in = in.bytes().data(),
                            .in_bytes = 4096 + kRing,
                            .mirrored = 1};
  EXPECT_EQ(hv_storvsc_channel_create(&channel, &rings), HV_BAD_LENGTH);
}

}  // namespace
}  // namespace hv
