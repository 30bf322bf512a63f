// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include <memory>

#include "core/netvsc/netvsc.h"
#include "tests/support/ring_pages.hpp"
#include "tests/unit/netvsc/bytes.hpp"

namespace hv {
namespace {

namespace nvs = wire::netvsc;
namespace rndis = wire::rndis;
using test::Bytes;

constexpr size_t kRing = 8192;

/// The C face over real rings; the test plays the host at their other ends.
class NetvscC : public testing::Test {
 protected:
  void SetUp() override {
    const hv_port_rings rings{.out = out.bytes().data(),
                              .out_bytes = 4096 + kRing,
                              .in = in.bytes().data(),
                              .in_bytes = 4096 + kRing,
                              .mirrored = 1};
    memory.resize(hv_netvsc_queue_bytes(&plan));
    ASSERT_EQ(hv_netvsc_queue_create(queue.get(), memory.data(), memory.size(), &plan, &rings, 1),
              HV_OK);
    EXPECT_EQ(
        hv_netvsc_queue_create(queue.get(), memory.data(), memory.size() - 1, &plan, &rings, 1),
        HV_BAD_LENGTH);
    hv_netvsc_conversation_create(&conversation);
  }
  vmbus::Packet host_reads() {
    const auto packet = host_in.read(buffer).take();
    (void)host_in.commit();
    return packet;
  }
  void host_sends(wire::PacketType type, uint64_t id, std::span<const std::byte> payload,
                  std::span<const std::byte> extra = {}) {
    host_out.stage(type, 0, id, extra, payload).take();
    (void)host_out.commit();
  }
  void open() {
    const hv_netvsc_wishes wishes{.mtu = 1500, .virtual_function = 1, .isolated = 0};
    hv_netvsc_opening_create(&opening, &wishes);
    while (hv_netvsc_opening_state(&opening) != HV_NETVSC_OPENED) {
      if (hv_netvsc_opening_state(&opening) == HV_NETVSC_AT_RECEIVE_BUFFER) {
        ASSERT_EQ(hv_netvsc_opening_give(&opening, 1, sizeof(receive)), HV_OK);
      }
      if (hv_netvsc_opening_state(&opening) == HV_NETVSC_AT_SEND_BUFFER) {
        ASSERT_EQ(hv_netvsc_opening_give(&opening, 2, sizeof(send)), HV_OK);
      }
      int answered = 0;
      ASSERT_EQ(hv_netvsc_opening_send(&opening, queue.get(), &answered), HV_OK);
      (void)hv_netvsc_publish(queue.get());
      const auto packet = host_reads();
      EXPECT_EQ(packet.wants_completion(), answered != 0);
      if (!answered) continue;
      host_sends(wire::PacketType::Completion, packet.transaction_id,
                 answer(test::at<nvs::Header>(packet.payload).type));
      ASSERT_EQ(hv_netvsc_next(queue.get(), &event), HV_OK);
      ASSERT_EQ(event.kind, HV_NETVSC_ANSWERED);
      ASSERT_EQ(hv_netvsc_opening_answer(&opening, event.bytes, event.length), HV_OK);
    }
    hv_netvsc_opening_result(&opening, &opened);
    hv_netvsc_share_receive(queue.get(), receive, sizeof(receive), opened.version);
    ASSERT_EQ(
        hv_netvsc_share_send(queue.get(), send, opened.send_section_size, 0, opened.send_sections),
        HV_OK);
    const struct hv_netvsc_facts facts {
      .max_packets = 8, .max_transfer = 0x4000, .alignment = 8, .most_mtu = 1500, .link_speed = 0,
      .rss_queues = 1, .rss_entries = 0, .link_up = 1, .mac = {}, .capabilities = {}
    };
    hv_netvsc_adopt_limits(queue.get(), &facts);
  }
  static Bytes answer(nvs::MessageType type) {
    if (type == nvs::MessageType::Init)
      return test::nvsp(nvs::MessageType::InitComplete,
                        nvs::InitComplete{nvs::Version::V6_1, 0, nvs::Status::Success});
    if (type == nvs::MessageType::SendReceiveBuffer)
      return test::nvsp(nvs::MessageType::SendReceiveBufferComplete,
                        nvs::ReceiveBufferComplete{nvs::Status::Success, 1, {0, 1728, 2, 3456}});
    return test::nvsp(nvs::MessageType::SendSendBufferComplete,
                      nvs::SendBufferComplete{nvs::Status::Success, 512});
  }

  const hv_netvsc_plan plan{.sections = 16, .pages = 4};
  test::RingPages out{kRing, true};
  test::RingPages in{kRing, true};
  vmbus::RingReader host_in = out.reader();
  vmbus::RingWriter host_out = in.writer();
  std::unique_ptr<hv_netvsc_queue> queue = std::make_unique<hv_netvsc_queue>();
  alignas(8) Bytes memory;
  hv_netvsc_conversation conversation;
  hv_netvsc_opening opening;
  struct hv_netvsc_opened opened;
  hv_netvsc_event event;
  alignas(8) std::byte receive[4096] = {};
  alignas(8) std::byte send[4096] = {};
  alignas(8) std::array<std::byte, 8192> buffer;
};

TEST_F(NetvscC, OpensAndMovesAFrameEachWay) {
  ASSERT_NO_FATAL_FAILURE(open());
  EXPECT_EQ(opened.version, HV_NETVSC_V6_1);
  EXPECT_EQ(opened.send_sections, 8u);

  const hv_netvsc_frame frame{.length = 60,
                              .hash = 0,
                              .transport_offset = 0,
                              .segment = 0,
                              .vlan = 0,
                              .offload = 0,
                              .ipv6 = 0,
                              .udp = 0,
                              .tagged = 0,
                              .hashed = 0};
  void* place = nullptr;
  ASSERT_EQ(hv_netvsc_copy(queue.get(), &frame, &place), HV_OK);
  EXPECT_EQ(place, send + 44);
  EXPECT_EQ(hv_netvsc_publish(queue.get()), HV_SIGNAL);
  const uint64_t id = host_reads().transaction_id;
  EXPECT_EQ(hv_netvsc_in_flight(queue.get()), 1u);
  host_sends(wire::PacketType::Completion, id,
             test::join(nvs::Header{nvs::MessageType::SendRndisPacketComplete},
                        nvs::RndisPacketComplete{nvs::Status::Success}));
  ASSERT_EQ(hv_netvsc_next(queue.get(), &event), HV_OK);
  EXPECT_EQ(event.kind, HV_NETVSC_SENT);
  EXPECT_FALSE(event.pages);
  hv_netvsc_release(queue.get(), event.slot);
  EXPECT_EQ(hv_netvsc_in_flight(queue.get()), 0u);

  rndis::Packet body{};
  body.data_offset = sizeof(body);
  body.data_length = 60;
  const Bytes message = test::rndis(rndis::MessageType::Packet, body, Bytes(60, std::byte{9}));
  std::memcpy(receive, message.data(), message.size());
  host_sends(wire::PacketType::DataUsingTransferPages, 5,
             test::nvsp(nvs::MessageType::SendRndisPacket, nvs::RndisPacket{}),
             test::join(wire::TransferPageHeader{nvs::kReceiveBufferId, 0, 0, 1},
                        wire::TransferPageRange{104, 0}));
  ASSERT_EQ(hv_netvsc_next(queue.get(), &event), HV_OK);
  ASSERT_EQ(event.kind, HV_NETVSC_FRAME);
  EXPECT_EQ(event.length, 60u);
  EXPECT_EQ(event.fragments[0].data, receive + 44);
  EXPECT_FALSE(hv_netvsc_owes(queue.get())) << "the frame is still being looked at";
  EXPECT_EQ(hv_netvsc_next(queue.get(), &event), HV_RING_EMPTY);
  EXPECT_TRUE(hv_netvsc_owes(queue.get()));
  const hv_round_end end = hv_netvsc_finish_round(queue.get(), 1, 0);
  EXPECT_FALSE(end.again || end.broken || end.arm_timer);
  EXPECT_FALSE(hv_netvsc_owes(queue.get()));
}

TEST_F(NetvscC, AControlRequestIsAnsweredOnce) {
  ASSERT_NO_FATAL_FAILURE(open());
  std::byte page[HV_NETVSC_MOST_CONTROL];
  const int size =
      hv_netvsc_write_filter(&conversation, page, sizeof(page), HV_NETVSC_FILTER_DIRECTED);
  ASSERT_EQ(size, 32);
  ASSERT_EQ(hv_netvsc_send_control(queue.get(), 3 * 4096 + 8, static_cast<uint32_t>(size)), HV_OK);
  EXPECT_EQ(hv_netvsc_send_control(queue.get(), 3 * 4096 + 8, 32), HV_BAD_STATE)
      << "the page is the host's";
  EXPECT_TRUE(hv_netvsc_alive(queue.get(), hv_netvsc_control_slot(queue.get())));
  const auto id = test::at<uint32_t>(page, 8);
  const Bytes answer =
      test::rndis(rndis::MessageType::SetComplete, rndis::Complete{id, rndis::Status::Failure});
  uint32_t value = 0;
  EXPECT_EQ(hv_netvsc_control(&conversation, answer.data(), answer.size(), &value),
            HV_NETVSC_TOLD_ANSWER);
  EXPECT_EQ(hv_netvsc_set_done(&conversation), HV_REFUSED);
  EXPECT_EQ(hv_netvsc_control(&conversation, answer.data(), answer.size(), &value),
            HV_NETVSC_TOLD_NOTHING);
  EXPECT_EQ(hv_netvsc_control(&conversation, answer.data(), 5, &value), HV_NETVSC_TOLD_NONSENSE);
}

TEST_F(NetvscC, TheDataPathIsSwitchedByTheSetupSlot) {
  ASSERT_NO_FATAL_FAILURE(open());
  const uint8_t mac[6] = {0, 0x15, 0x5d, 1, 2, 3};
  hv_netvsc_function function;
  hv_netvsc_function_create(&function);
  hv_netvsc_function_adopt(&function, mac);
  hv_netvsc_function_opened(&function, opened.version, 0);
  hv_netvsc_candidate candidate{
      .permanent = {}, .address = {}, .serial = 4, .has_serial = 1, .stand_in = 0};
  EXPECT_EQ(hv_netvsc_function_match(&function, &candidate), HV_NETVSC_NO_MATCH);
  std::memcpy(candidate.permanent, mac, sizeof(mac));
  EXPECT_EQ(hv_netvsc_function_match(&function, &candidate), HV_NETVSC_ADDRESS_MATCHES);

  host_sends(wire::PacketType::DataInBand, 0,
             test::nvsp(nvs::MessageType::SendVfAssociation, nvs::VfAssociation{1, 4}));
  ASSERT_EQ(hv_netvsc_next(queue.get(), &event), HV_OK);
  ASSERT_EQ(event.kind, HV_NETVSC_VF_ASSOCIATION);
  hv_netvsc_function_associated(&function, event.vf_allocated, event.vf_serial);
  EXPECT_TRUE(hv_netvsc_function_allocated(&function));
  EXPECT_EQ(hv_netvsc_function_serial(&function), 4u);
  EXPECT_EQ(hv_netvsc_function_match(&function, &candidate), HV_NETVSC_SERIAL_MATCHES);

  hv_netvsc_function_joined(&function);
  EXPECT_EQ(hv_netvsc_function_begin(&function, queue.get()), 0);
  hv_netvsc_function_up(&function);
  ASSERT_EQ(hv_netvsc_function_begin(&function, queue.get()), 1);
  (void)hv_netvsc_publish(queue.get());
  const auto packet = host_reads();
  EXPECT_TRUE(packet.wants_completion());
  EXPECT_EQ(test::at<nvs::SwitchDataPath>(packet.payload, 4).active, nvs::DataPath::Vf);
  EXPECT_FALSE(hv_netvsc_function_carries(&function));
  host_sends(wire::PacketType::Completion, packet.transaction_id, {});
  ASSERT_EQ(hv_netvsc_next(queue.get(), &event), HV_OK);
  ASSERT_EQ(event.kind, HV_NETVSC_ANSWERED);
  hv_netvsc_function_answered(&function);
  EXPECT_TRUE(hv_netvsc_function_carries(&function));
}

TEST_F(NetvscC, AKeepAliveIsAnsweredWithItsId) {
  const Bytes question = test::rndis(rndis::MessageType::KeepAlive, uint32_t{0x1234});
  uint32_t value = 0;
  ASSERT_EQ(hv_netvsc_control(&conversation, question.data(), question.size(), &value),
            HV_NETVSC_TOLD_KEEP_ALIVE);
  EXPECT_EQ(value, 0x1234u);
  std::byte page[64];
  ASSERT_EQ(hv_netvsc_write_keep_alive_complete(page, sizeof(page), value), 16);
  EXPECT_EQ(test::at<rndis::Header>(page).type, rndis::MessageType::KeepAliveComplete);
  EXPECT_EQ(test::at<uint32_t>(page, 8), 0x1234u);
  const Bytes nothing =
      test::join(rndis::Header{rndis::MessageType::KeepAlive, sizeof(rndis::Header)});
  EXPECT_EQ(hv_netvsc_control(&conversation, nothing.data(), nothing.size(), &value),
            HV_NETVSC_TOLD_NONSENSE);
}

}  // namespace
}  // namespace hv
