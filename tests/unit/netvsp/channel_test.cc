// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include "frames.hpp"
#include "host/net/offload.hpp"
#include "host/netvsp/channel_service.hpp"
#include "tests/support/network_guest.hpp"

namespace hv::host::netvsp {
namespace {

namespace nvsp = wire::netvsc;
namespace rndis = wire::rndis;
using test::Bytes;
using test::NetworkGuest;

/// Keeps what the guest sends.
class Catcher final : public NetBackend {
 public:
  void start(Receive) override {}
  void stop() override {}
  bool send(std::span<std::byte> frame, const net::Offload& offload, uint16_t) override {
    frames.emplace_back(frame.begin(), frame.end());
    offloads.push_back(offload);
    return true;
  }
  void join(bool joined) override { joins = joined; }
  std::string describe() const override { return "test"; }
  bool joins = false;
  std::vector<Bytes> frames;
  std::vector<net::Offload> offloads;
};

class NetChannelTest : public ::testing::Test {
 protected:
  NetChannelTest() {
    shared.handle = &handle;
    handle.machine = &machine;
    handle.service = &service;
    handle.gpadls[1] = test::frames_from(0, NetworkGuest::kReceivePages);
    handle.gpadls[2] = test::frames_from(NetworkGuest::kReceivePages, NetworkGuest::kSendPages);
  }

  void turns() {
    for (int i = 0; i < 10 && !service.step(); i++) {
    }
  }
  /// Sends an NVSP message and gives the payload of its completion.
  Bytes ask(std::span<const std::byte> message) {
    const uint64_t id = guest.send(message).value();
    return answer(id);
  }
  Bytes answer(uint64_t id) {
    for (int i = 0; i < 3; i++) {
      turns();
      while (auto packet = guest.poll()) {
        if (packet->type == wire::PacketType::Completion && packet->id == id)
          return packet->payload;
        others.push_back(std::move(*packet));
      }
    }
    ADD_FAILURE() << "no completion of " << id;
    return Bytes(nvsp::kMessageSize);
  }
  template <typename T>
  static T body(const Bytes& payload) {
    T value{};
    std::memcpy(&value, payload.data() + 4, sizeof(value));
    return value;
  }
  nvsp::Status status_of(uint64_t id) { return body<nvsp::RndisPacketComplete>(answer(id)).status; }
  static nvsp::MessageType type_of(const Bytes& payload) {
    nvsp::Header header{};
    std::memcpy(&header, payload.data(), sizeof(header));
    return header.type;
  }
  void set_up(uint64_t capabilities = 0) {
    ask(NetworkGuest::nvsp(nvsp::MessageType::Init,
                           nvsp::Init{nvsp::Version::V6_1, nvsp::Version::V6_1}));
    guest.send(NetworkGuest::nvsp(nvsp::MessageType::SendNdisConfig,
                                  nvsp::NdisConfig{1514, 0, capabilities}),
               {}, wire::PacketType::DataInBand, false);
    const auto receive = body<nvsp::ReceiveBufferComplete>(
        ask(NetworkGuest::nvsp(nvsp::MessageType::SendReceiveBuffer, nvsp::SendBuffer{1, 0xcafe})));
    ASSERT_EQ(receive.status, nvsp::Status::Success);
    sections = receive.run.section_count;
    ASSERT_EQ(
        body<nvsp::SendBufferComplete>(
            ask(NetworkGuest::nvsp(nvsp::MessageType::SendSendBuffer, nvsp::SendBuffer{2, 0})))
            .status,
        nvsp::Status::Success);
    control(
        NetworkGuest::rndis(rndis::MessageType::Initialize, rndis::Initialize{1, 1, 0, 0x4000}));
  }
  /// A control message's answer.
  Bytes control(const Bytes& message) {
    EXPECT_EQ(status_of(guest.send_pages(nvsp::RndisChannel::Control, message).value()),
              nvsp::Status::Success);
    return next_message();
  }
  Bytes next_message() {
    turns();
    while (auto packet = guest.poll()) others.push_back(std::move(*packet));
    for (auto at = others.begin(); at != others.end(); ++at) {
      if (at->messages.empty()) continue;
      const Bytes message = at->messages.front();
      guest.complete(at->id);
      others.erase(at);
      turns();
      return message;
    }
    return {};
  }

  test::FakeMachine machine{NetworkGuest::kPages};
  test::FakeChannel channel{machine};
  Catcher net;
  NicShared shared{{.newest = nvsp::Version::V6_1, .queues = 2},
                   {.mac = parse_mac("00:15:5d:01:02:03").value(), .name = "nic0"},
                   net};
  ChannelService service{channel, shared};
  test::NetHandle handle;
  NetworkGuest guest{channel, machine};
  std::vector<NetworkGuest::Received> others;
  uint32_t sections = 0;
};

TEST_F(NetChannelTest, SeveralPacketsOfOneSectionAreSent) {
  set_up();
  const Bytes first = test::ip_frame(false, true, 10), second = test::ip_frame(true, false, 20);
  Bytes messages = NetworkGuest::packet(first);
  const Bytes more = NetworkGuest::packet(second);
  messages.insert(messages.end(), more.begin(), more.end());
  EXPECT_EQ(status_of(guest.send_section(2, messages).value()), nvsp::Status::Success);
  EXPECT_EQ(net.frames, (std::vector<Bytes>{first, second}));
}

TEST_F(NetChannelTest, AMessageMayBeginInASectionAndEndInPages) {
  set_up();
  const Bytes frame = test::ip_frame(false, true, 500);
  const Bytes message = NetworkGuest::packet(frame);
  std::memcpy(machine.memory(NetworkGuest::kReceivePages * 4096, 44)->data(), message.data(), 44);
  std::memcpy(machine.memory(NetworkGuest::kMessagePage * 4096 + 100, frame.size())->data(),
              frame.data(), frame.size());
  std::array<std::byte, 64> storage;
  hv::vmbus::GpaDirectBuilder builder(storage);
  builder.range(static_cast<uint32_t>(frame.size()), 100).take();
  builder.frame(NetworkGuest::kMessagePage).take();
  const auto id = guest.send(NetworkGuest::nvsp(nvsp::MessageType::SendRndisPacket,
                                                nvsp::RndisPacket{nvsp::RndisChannel::Data, 0, 44}),
                             builder.finish().take(), wire::PacketType::DataUsingGpaDirect);
  EXPECT_EQ(status_of(id.value()), nvsp::Status::Success);
  EXPECT_EQ(net.frames, std::vector<Bytes>{frame});
}

TEST_F(NetChannelTest, OffloadsReachTheBackend) {
  set_up();
  const Bytes frame = test::ip_frame(false, true, 3000);
  EXPECT_EQ(status_of(guest
                          .send_pages(nvsp::RndisChannel::Data,
                                      NetworkGuest::packet(frame, {{2, 1448 | 1u << 30}}))
                          .value()),
            nvsp::Status::Success);
  ASSERT_EQ(net.offloads.size(), 1u);
  EXPECT_EQ(net.offloads[0].kind, net::Offload::Kind::Segment);
  EXPECT_EQ(net.offloads[0].segment_size, 1448);
  EXPECT_EQ(
      status_of(guest.send_pages(nvsp::RndisChannel::Data, NetworkGuest::packet(frame, {{6, 0x50}}))
                    .value()),
      nvsp::Status::Success);
  EXPECT_EQ(net.frames[1].size(), frame.size() + 4);
}

TEST_F(NetChannelTest, BadMessagesFailAloneAndAreCounted) {
  set_up();
  Bytes bad = NetworkGuest::packet(test::ip_frame(false, true, 10), {{0, 0x14}});
  bad[44] = std::byte{0};  // information of size 0
  EXPECT_EQ(status_of(guest.send_section(0, bad).value()), nvsp::Status::InvalidRndisPacket);
  const auto section = [&](uint32_t index, uint32_t size) {
    return status_of(
        guest
            .send(NetworkGuest::nvsp(nvsp::MessageType::SendRndisPacket,
                                     nvsp::RndisPacket{nvsp::RndisChannel::Data, index, size}))
            .value());
  };
  EXPECT_EQ(section(4, 60), nvsp::Status::InvalidRndisPacket);  // there are 0 to 3
  EXPECT_EQ(section(0xfffffffe, 60), nvsp::Status::InvalidRndisPacket);
  EXPECT_EQ(section(0, 6145), nvsp::Status::InvalidRndisPacket);
  EXPECT_EQ(section(0, 0xffffffff), nvsp::Status::InvalidRndisPacket);
  EXPECT_EQ(shared.counters.bad_packets, 5u);
  EXPECT_TRUE(net.frames.empty());
  EXPECT_EQ(
      status_of(
          guest.send_section(0, NetworkGuest::packet(test::ip_frame(false, true, 10))).value()),
      nvsp::Status::Success);
  EXPECT_FALSE(channel.failed);
}

TEST_F(NetChannelTest, FramesBehindTheHaltAreDroppedAndCounted) {
  set_up();
  const Bytes frame = NetworkGuest::packet(test::ip_frame(false, true, 10));
  EXPECT_EQ(status_of(guest
                          .send_pages(nvsp::RndisChannel::Control,
                                      NetworkGuest::rndis(rndis::MessageType::Halt, uint32_t{1}))
                          .value()),
            nvsp::Status::Success);
  EXPECT_EQ(status_of(guest.send_section(0, frame).value()), nvsp::Status::Success);
  EXPECT_TRUE(net.frames.empty());
  EXPECT_EQ(shared.counters.dropped_halted, 1u);
  EXPECT_EQ(shared.counters.bad_packets, 0u);
}

TEST_F(NetChannelTest, FramesComeInSectionsThatAreGivenBack) {
  set_up();
  const Bytes frame = test::ip_frame(false, true, 100);
  const uint32_t share = sections / 2;
  ASSERT_GT(share, 2u);
  for (uint32_t i = 0; i < share + 3; i++)
    EXPECT_TRUE(service.deliver({.bytes = frame, .checked = false}, {}));
  turns();
  size_t seen = 0;
  uint64_t first = 0;  // of as many sections as a packet can have
  while (auto packet = guest.poll()) {
    for (const Bytes& message : packet->messages) {
      seen++;
      const auto parsed = parse_packet(first_message(message).take()).take();
      EXPECT_EQ(Bytes(message.begin() + static_cast<ptrdiff_t>(parsed.data_at), message.end()),
                frame);
    }
    if (first == 0) first = packet->id;
  }
  EXPECT_EQ(seen, share);  // no more than its share; the rest waits
  guest.complete(first);
  guest.complete(first);        // twice: nothing happens
  guest.complete(0x123456789);  // forged
  turns();
  seen = 0;
  while (auto packet = guest.poll()) seen += packet->messages.size();
  EXPECT_EQ(seen, 3u);
  EXPECT_EQ(shared.counters.stray_completions, 2u);
}

/// What stands behind the header of an information of that type, if the message has one.
std::optional<uint32_t> info_of(const Bytes& message, uint32_t type) {
  rndis::Packet packet{};
  std::memcpy(&packet, message.data() + sizeof(rndis::Header), sizeof(packet));
  for (size_t at = 0; at < packet.ppi_length;) {
    rndis::PpiHeader header{};
    const std::byte* const info = message.data() + sizeof(rndis::Header) + packet.ppi_offset + at;
    std::memcpy(&header, info, sizeof(header));
    if (header.type == type) {
      uint32_t value = 0;
      std::memcpy(&value, info + header.offset, sizeof(value));
      return value;
    }
    at += header.size;
  }
  return std::nullopt;
}
/// The flags of the part that a message is; nothing: it is a whole frame.
std::optional<uint8_t> part_of(const Bytes& message) {
  const auto id = info_of(message, rndis::kPpiPacketId);
  return id ? std::optional(static_cast<uint8_t>(*id >> 8)) : std::nullopt;
}
std::optional<uint32_t> checksum_of(const Bytes& message) {
  return info_of(message, static_cast<uint32_t>(rndis::PpiType::Checksum));
}

TEST_F(NetChannelTest, JoinedSegmentsComeInPartsOrAreCutForWhoDoesNotTakeThem) {
  set_up();
  Bytes whole = test::ip_frame(false, true, 4000);
  const auto joined = net::prepare_segments(whole, 1448).take();
  ASSERT_EQ(joined.kind, net::Offload::Kind::Segment);
  const auto received = [&] {
    turns();
    std::vector<Bytes> messages;
    while (auto packet = guest.poll()) {
      messages.insert(messages.end(), packet->messages.begin(), packet->messages.end());
      guest.complete(packet->id);
    }
    return messages;
  };
  const auto data_of = [](const Bytes& message) {
    const auto parsed = parse_packet(first_message(message).take()).take();
    return Bytes(message.begin() + static_cast<ptrdiff_t>(parsed.data_at), message.end());
  };

  service.deliver({.bytes = whole, .checked = true, .joined = joined}, {});
  auto messages = received();
  ASSERT_EQ(messages.size(), 3u);
  size_t payload = 0;
  for (const Bytes& message : messages) {
    EXPECT_FALSE(part_of(message));
    EXPECT_EQ(test::transport_checksum(data_of(message)), 0);
    payload += data_of(message).size() - 54;
  }
  EXPECT_EQ(payload, 4000u);
  EXPECT_FALSE(net.joins);

  struct {
    rndis::OffloadParameters head{};
    rndis::OffloadParametersTail tail{};
  } parameters;
  parameters.head.tcp_ipv4_checksum = rndis::kChecksumBoth;
  parameters.tail.rsc_ipv4 = rndis::kOffloadOn;
  control(NetworkGuest::rndis(rndis::MessageType::Set,
                              rndis::Set{2, static_cast<uint32_t>(rndis::Oid::OffloadParameters),
                                         sizeof(parameters), sizeof(rndis::Set), 0},
                              bytes_of(parameters)));
  EXPECT_TRUE(net.joins);
  service.deliver({.bytes = whole, .checked = true, .joined = joined}, {});
  messages = received();
  ASSERT_EQ(messages.size(), 3u);
  Bytes together;
  for (const Bytes& message : messages) {
    const Bytes data = data_of(message);
    together.insert(together.end(), data.begin(), data.end());
  }
  EXPECT_EQ(together, whole);
  EXPECT_EQ(part_of(messages[0]), uint8_t{rndis::kPart | rndis::kPartFirst});
  EXPECT_EQ(part_of(messages[1]), uint8_t{rndis::kPart});
  EXPECT_EQ(part_of(messages[2]), uint8_t{rndis::kPart | rndis::kPartLast});
  EXPECT_EQ(shared.counters.received_joined, 1u);
  EXPECT_EQ(checksum_of(messages[0]), rndis::kTcpChecksumGood);

  // With a stale header checksum, as the first part says.
  Faults faults;
  shared.device.set_faults(faults);
  faults.rsc_stale_sum.set(1);
  service.deliver({.bytes = whole, .checked = true, .joined = joined}, {});
  messages = received();
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_EQ(checksum_of(messages[0]), 0x128u);
  EXPECT_FALSE(checksum_of(messages[1]));
  const Bytes stale = data_of(messages[0]);
  EXPECT_EQ(test::ip_checksum(whole), 0);
  EXPECT_NE(test::ip_checksum(stale), 0);
  EXPECT_EQ(faults.rsc_stale_sum.status().struck, 1u);
  // What is not joined is as before.
  service.deliver({.bytes = test::ip_frame(false, true, 100), .checked = true}, {});
  messages = received();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(checksum_of(messages[0]), rndis::kTcpChecksumGood);
  faults.rsc_stale_sum.set(0);

  // More parts than the channel has sections: cut.
  Bytes longer = test::ip_frame(false, true, 60000);
  const auto much = net::prepare_segments(longer, 1448).take();
  service.deliver({.bytes = longer, .checked = true, .joined = much}, {});
  payload = 0;
  for (auto some = received(); !some.empty(); some = received()) {
    for (const Bytes& message : some) {
      EXPECT_FALSE(part_of(message));
      payload += data_of(message).size() - 54;
    }
  }
  EXPECT_EQ(payload, 60000u);
}

TEST_F(NetChannelTest, AnAdapterThatLeavesSendsNothingMoreAndAnswersAsBefore) {
  set_up();
  const Bytes frame = test::ip_frame(false, true, 100);
  EXPECT_TRUE(service.deliver({.bytes = frame, .checked = false}, {}));
  turns();
  const auto held = guest.poll();
  ASSERT_TRUE(held.has_value());
  shared.leaving = true;
  EXPECT_TRUE(service.deliver({.bytes = frame, .checked = false}, {}));
  turns();
  EXPECT_FALSE(service.silent());  // one is with the guest
  EXPECT_FALSE(guest.poll().has_value());
  guest.complete(held->id);
  EXPECT_EQ(status_of(guest.send_section(0, NetworkGuest::packet(frame)).value()),
            nvsp::Status::Success);
  EXPECT_TRUE(service.silent());
  EXPECT_EQ(net.frames.size(), 1u);
}

TEST_F(NetChannelTest, ARevokedBufferIsNotTouched) {
  set_up();
  guest.send(NetworkGuest::nvsp(nvsp::MessageType::RevokeReceiveBuffer, nvsp::RevokeBuffer{0xcafe}),
             {}, wire::PacketType::DataInBand, false);
  turns();
  const auto buffer = *machine.memory(0, NetworkGuest::kReceivePages * 4096);
  std::fill(buffer.begin(), buffer.end(), std::byte{0x5c});
  service.deliver({.bytes = test::ip_frame(false, true, 100), .checked = false}, {});
  turns();
  EXPECT_FALSE(guest.poll());
  EXPECT_TRUE(std::all_of(buffer.begin(), buffer.end(),
                          [](std::byte byte) { return byte == std::byte{0x5c}; }));
  EXPECT_EQ(shared.counters.dropped_link, 1u);
}

TEST_F(NetChannelTest, AGpadlThatGoesTakesItsBufferAlong) {
  set_up();
  service.gpadl_gone(2);
  EXPECT_EQ(
      status_of(
          guest.send_section(0, NetworkGuest::packet(test::ip_frame(false, true, 10))).value()),
      nvsp::Status::InvalidRndisPacket);
  service.gpadl_gone(1);
  service.deliver({.bytes = test::ip_frame(false, true, 100), .checked = false}, {});
  turns();
  EXPECT_EQ(shared.counters.dropped_link, 1u);
}

TEST_F(NetChannelTest, TheGuestIsToldOfLinkAndChannels) {
  set_up();
  shared.device.set_link(false);
  service.link_changed();
  const Bytes message = next_message();
  ASSERT_GE(message.size(), 20u);
  EXPECT_EQ(message[0], static_cast<std::byte>(rndis::MessageType::IndicateStatus));
  EXPECT_EQ(body<nvsp::SubChannelComplete>(ask(NetworkGuest::nvsp(nvsp::MessageType::SubChannel,
                                                                  nvsp::SubChannelRequest{1, 7})))
                .count,
            1u);
  EXPECT_EQ(handle.offered, 1);
  service.announce_channels(2);
  turns();
  const auto table = guest.poll();
  ASSERT_TRUE(table);
  EXPECT_EQ(table->payload.size(), nvsp::kMessageSize + 64);
  EXPECT_EQ(table->payload[nvsp::kMessageSize + 4], std::byte{1});
}

TEST_F(NetChannelTest, TheGuestIsToldOfItsFunctionOnceTheDeviceIsOpen) {
  shared.function = kFunction | 5;
  set_up(nvsp::kCapabilitySriov);
  turns();
  while (auto packet = guest.poll()) others.push_back(std::move(*packet));
  ASSERT_EQ(others.size(), 1u);
  EXPECT_EQ(type_of(others[0].payload), nvsp::MessageType::SendVfAssociation);
  EXPECT_EQ(body<nvsp::VfAssociation>(others[0].payload).allocated, 1u);
  EXPECT_EQ(body<nvsp::VfAssociation>(others[0].payload).serial, 5u);
  others.clear();

  ask(NetworkGuest::nvsp(nvsp::MessageType::SwitchDataPath,
                         nvsp::SwitchDataPath{nvsp::DataPath::Vf}));
  EXPECT_EQ(shared.session.data_path(), nvsp::DataPath::Vf);
  EXPECT_EQ(shared.counters.path_switches, 1u);
  const Bytes frame = test::ip_frame(false, true, 10);
  EXPECT_EQ(status_of(guest.send_section(0, NetworkGuest::packet(frame)).value()),
            nvsp::Status::Success)
      << "the channels go on";

  shared.function = 5;
  service.function_changed();
  turns();
  const auto gone = guest.poll();
  ASSERT_TRUE(gone);
  EXPECT_EQ(body<nvsp::VfAssociation>(gone->payload).allocated, 0u);
}

TEST_F(NetChannelTest, AGuestThatTakesNoFunctionsIsToldOfNone) {
  shared.function = kFunction | 5;
  set_up();
  turns();
  EXPECT_FALSE(guest.poll());
}

TEST_F(NetChannelTest, WhatWantsNoAnswerGetsNone) {
  ask(NetworkGuest::nvsp(nvsp::MessageType::Init,
                         nvsp::Init{nvsp::Version::V6_1, nvsp::Version::V6_1}));
  guest.send(NetworkGuest::nvsp(nvsp::MessageType::SendReceiveBuffer, nvsp::SendBuffer{1, 7}), {},
             wire::PacketType::DataInBand, false);
  guest.send(NetworkGuest::nvsp(nvsp::MessageType::SubChannel, nvsp::SubChannelRequest{9, 9}), {},
             wire::PacketType::DataInBand, false);
  turns();
  EXPECT_FALSE(guest.poll());
}

TEST_F(NetChannelTest, APacketWithoutAMessageEndsTheChannel) {
  guest.send({});
  turns();
  EXPECT_TRUE(channel.failed);
}

TEST_F(NetChannelTest, APacketOfATypeThatIsNotUsedEndsTheChannel) {
  guest.send(NetworkGuest::nvsp(nvsp::MessageType::Init, nvsp::Init{}), {},
             wire::PacketType::DataUsingTransferPages);
  turns();
  EXPECT_TRUE(channel.failed);
}

TEST_F(NetChannelTest, AGuestThatAsksWithoutReadingTheAnswersIsRefusedAfterSome) {
  set_up();
  service.deliver({.bytes = test::ip_frame(false, true, 100), .checked = false}, {});
  const Bytes question = NetworkGuest::rndis(rndis::MessageType::KeepAlive, uint32_t{1});
  size_t refused = 0;
  for (size_t i = 0; i < sections + ReceiveQueue::kMostControl + 10; i++) {
    const uint64_t id = guest.send_pages(nvsp::RndisChannel::Control, question).value();
    refused += status_of(id) == nvsp::Status::Busy ? 1 : 0;
  }
  EXPECT_GE(refused, 10u);
  // They are taken again when it gives sections back.
  for (const auto& packet : others) guest.complete(packet.id);
  others.clear();
  turns();
  EXPECT_EQ(status_of(guest.send_pages(nvsp::RndisChannel::Control, question).value()),
            nvsp::Status::Success);
  EXPECT_FALSE(channel.failed);
}

}  // namespace
}  // namespace hv::host::netvsp
