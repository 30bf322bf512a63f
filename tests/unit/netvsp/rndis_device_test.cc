// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/rndis_device.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "core/base/bytes.hpp"
#include "frames.hpp"

namespace hv::host::netvsp {
namespace {

namespace proto = wire::rndis;
using proto::MessageType;
using proto::Oid;
using proto::Status;
using test::Bytes;

template <WireStruct Body>
Bytes make(MessageType type, const Body& body, std::span<const std::byte> tail = {}) {
  Bytes out;
  const auto add = [&](std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
  };
  add(bytes_of(proto::Header{
      type, static_cast<uint32_t>(sizeof(proto::Header) + sizeof(Body) + tail.size())}));
  add(bytes_of(body));
  add(tail);
  return out;
}

struct RndisDeviceTest : ::testing::Test {
  Bytes ask(const Bytes& message) { return device.handle(message, 4, 1514).take().value(); }
  template <typename T>
  static T body(const Bytes& answer) {
    T value{};
    std::memcpy(&value, answer.data() + sizeof(proto::Header), sizeof(value));
    return value;
  }
  void initialize() { ask(make(MessageType::Initialize, proto::Initialize{1, 1, 0, 0x4000})); }
  Bytes query(Oid oid, std::span<const std::byte> buffer = {}) {
    const Bytes answer = ask(make(
        MessageType::Query,
        proto::Query{9, static_cast<uint32_t>(oid), static_cast<uint32_t>(buffer.size()), 20, 0},
        buffer));
    const auto head = body<proto::QueryComplete>(answer);
    EXPECT_EQ(head.request_id, 9u);
    status = head.status;
    EXPECT_EQ(answer.size(), 8 + head.buffer_offset + head.buffer_length);
    return {answer.begin() + 8 + head.buffer_offset, answer.end()};
  }
  Status set(Oid oid, std::span<const std::byte> buffer) {
    const Bytes message =
        make(MessageType::Set,
             proto::Set{9, static_cast<uint32_t>(oid), static_cast<uint32_t>(buffer.size()), 20, 0},
             buffer);
    return body<proto::Complete>(ask(message)).status;
  }
  Status set_number(Oid oid, uint32_t value) { return set(oid, bytes_of(value)); }

  NicCounters counters;
  RndisDevice device{{.mac = parse_mac("00:15:5d:01:02:03").value(), .name = "nic0"}, counters};
  Status status{};
};

TEST_F(RndisDeviceTest, NothingIsAnsweredBeforeInitialize) {
  query(Oid::MediaConnectStatus);
  EXPECT_EQ(status, Status::Failure);
  initialize();
  query(Oid::MediaConnectStatus);
  EXPECT_EQ(status, Status::Success);
}

TEST_F(RndisDeviceTest, EveryOidOfTheListIsAnswered) {
  initialize();
  const Bytes list = query(Oid::SupportedList);
  ASSERT_GT(list.size(), 100u);
  for (size_t at = 0; at < list.size(); at += 4) {
    uint32_t oid;
    std::memcpy(&oid, list.data() + at, 4);
    const bool set_only = oid == 0x00010204 || oid == 0x0001021b || oid == 0xfc01020c;
    query(static_cast<Oid>(oid));
    EXPECT_EQ(status, set_only ? Status::NotSupported : Status::Success) << std::hex << oid;
  }
  query(static_cast<Oid>(0x12345678));
  EXPECT_EQ(status, Status::NotSupported);
}

TEST_F(RndisDeviceTest, OffloadsComeInTheLengthOfTheGuestsVersion) {
  initialize();
  const size_t sizes[] = {112, 144, 156};
  for (uint8_t revision = 1; revision <= 3; revision++) {
    const proto::ObjectHeader asked{proto::kObjectOffload, revision, 0};
    const Bytes answer = query(Oid::OffloadHardwareCapabilities, bytes_of(asked));
    ASSERT_EQ(answer.size(), sizes[revision - 1]);
    EXPECT_EQ(answer[1], static_cast<std::byte>(revision));
  }
}

TEST_F(RndisDeviceTest, TheFilterDecidesWhatIsWanted) {
  initialize();
  Bytes frame = test::ip_frame(false, true, 10);
  const Mac mac = device.mac();
  std::copy(mac.begin(), mac.end(), frame.begin());
  Bytes broadcast = frame, group = frame, other = frame;
  std::fill_n(broadcast.begin(), 6, std::byte{0xff});
  group[0] = std::byte{1};
  other[5] = std::byte{0x77};
  EXPECT_FALSE(device.wants(frame));
  set_number(Oid::CurrentPacketFilter, proto::kFilterDirected);
  EXPECT_TRUE(device.wants(frame) && !device.wants(broadcast) && !device.wants(group) &&
              !device.wants(other));
  set_number(Oid::CurrentPacketFilter, proto::kFilterBroadcast | proto::kFilterAllMulticast);
  EXPECT_TRUE(!device.wants(frame) && device.wants(broadcast) && device.wants(group));
  set_number(Oid::CurrentPacketFilter, proto::kFilterPromiscuous);
  EXPECT_TRUE(device.wants(frame) && device.wants(other));
  device.handle(make(MessageType::Halt, uint32_t{0}), 4, 1514).take();
  EXPECT_FALSE(device.wants(frame));
}

TEST_F(RndisDeviceTest, TheAddressIsSetByItsParameter) {
  initialize();
  const auto parameter = [](std::string_view name, std::string_view value) {
    Bytes out(sizeof(proto::ConfigParameter));
    const auto size = [](std::string_view text) { return static_cast<uint32_t>(text.size() * 2); };
    const proto::ConfigParameter head{20, size(name), proto::kConfigString, 20 + size(name),
                                      size(value)};
    std::memcpy(out.data(), &head, sizeof(head));
    for (const std::string_view text : {name, value}) {
      for (const char c : text) out.push_back(static_cast<std::byte>(c)), out.push_back({});
    }
    return out;
  };
  EXPECT_EQ(set(Oid::RndisConfigParameter, parameter("NetworkAddress", "00155d0a0b0c")),
            Status::Success);
  EXPECT_EQ(text(device.mac()), "00:15:5d:0a:0b:0c");
  EXPECT_EQ(set(Oid::RndisConfigParameter, parameter("NetworkAddress", "01155d0a0b0c")),
            Status::InvalidData);
  EXPECT_EQ(set(Oid::RndisConfigParameter, parameter("NetworkAddress", "zz155d0a0b0c")),
            Status::InvalidData);
  EXPECT_EQ(set(Oid::RndisConfigParameter, parameter("Other", "00155d0a0b0c")),
            Status::NotSupported);
  Bytes wild = parameter("NetworkAddress", "00155d0a0b0d");
  wild[3] = std::byte{0xff};
  EXPECT_EQ(set(Oid::RndisConfigParameter, wild), Status::InvalidLength);
  EXPECT_EQ(text(device.mac()), "00:15:5d:0a:0b:0c");
}

TEST_F(RndisDeviceTest, FramesAreSpreadByTheTable) {
  initialize();
  constexpr size_t kEntries = 8;
  const auto parameters = [](uint32_t entry, uint16_t flags = 0) {
    Bytes out(40 + kEntries * 4 + 40, std::byte{0x5a});
    proto::RssParameters head{};
    head.flags = flags;
    head.table_size = kEntries * 4;
    head.table_offset = 40;
    head.key_size = 40;
    head.key_offset = 40 + kEntries * 4;
    std::memcpy(out.data(), &head, sizeof(head));
    for (size_t i = 0; i < kEntries; i++) std::memcpy(out.data() + 40 + i * 4, &entry, 4);
    return out;
  };
  const Bytes frame = test::ip_frame(false, true, 10);
  EXPECT_EQ(device.place(frame).channel, 0);
  EXPECT_FALSE(device.place(frame).hash);
  EXPECT_EQ(set(Oid::ReceiveScaleParameters, parameters(3)), Status::Success);
  EXPECT_EQ(device.place(frame).channel, 3);
  EXPECT_TRUE(device.place(frame).hash);
  EXPECT_EQ(set(Oid::ReceiveScaleParameters, parameters(4)),
            Status::InvalidData);  // there are 0 to 3
  EXPECT_EQ(device.place(frame).channel, 3);
  for (const size_t field : {16, 24}) {
    Bytes wild = parameters(1);
    wild[field + 3] = std::byte{0xff};
    EXPECT_EQ(set(Oid::ReceiveScaleParameters, wild), Status::InvalidData);
  }
  EXPECT_EQ(set(Oid::ReceiveScaleParameters, parameters(1, proto::kRssDisable)), Status::Success);
  EXPECT_FALSE(device.place(frame).hash);
}

TEST_F(RndisDeviceTest, ChecksumsAreToldOfWhenTheGuestWantsThem) {
  initialize();
  EXPECT_FALSE(device.checks_received());
  const auto parameters = [](uint8_t ipv4, uint8_t ipv6) {
    proto::OffloadParameters out{};
    out.header = {proto::kObjectDefault, 3, sizeof(out)};
    out.tcp_ipv4_checksum = ipv4;
    out.tcp_ipv6_checksum = ipv6;
    return out;
  };
  EXPECT_EQ(
      set(Oid::OffloadParameters, bytes_of(parameters(proto::kChecksumBoth, proto::kChecksumBoth))),
      Status::Success);
  EXPECT_TRUE(device.checks_received());
  EXPECT_EQ(set(Oid::OffloadParameters, bytes_of(parameters(0, 0))), Status::Success);  // no change
  EXPECT_TRUE(device.checks_received());
  EXPECT_EQ(set(Oid::OffloadParameters, bytes_of(parameters(5, 0))), Status::InvalidData);
  EXPECT_TRUE(device.checks_received());
  EXPECT_EQ(set(Oid::OffloadParameters,
                bytes_of(parameters(proto::kChecksumSend, proto::kChecksumDisabled))),
            Status::Success);
  EXPECT_FALSE(device.checks_received());
  EXPECT_EQ(set(Oid::OffloadParameters, bytes_of(uint64_t{0})), Status::InvalidLength);
}

TEST_F(RndisDeviceTest, JoinedSegmentsAreForThoseWhoTakeThemAndTheirChecksums) {
  initialize();
  const auto parameters = [](uint8_t checksum, uint8_t ipv4, uint8_t ipv6) {
    struct {
      proto::OffloadParameters head{};
      proto::OffloadParametersTail tail{};
    } out;
    out.head.header = {proto::kObjectDefault, 3, sizeof(out)};
    out.head.tcp_ipv4_checksum = out.head.tcp_ipv6_checksum = checksum;
    out.tail.rsc_ipv4 = ipv4;
    out.tail.rsc_ipv6 = ipv6;
    return out;
  };
  EXPECT_EQ(set(Oid::OffloadParameters,
                bytes_of(parameters(proto::kChecksumSend, proto::kOffloadOn, proto::kOffloadOn))),
            Status::Success);
  EXPECT_FALSE(device.joins_received());
  EXPECT_EQ(set(Oid::OffloadParameters,
                bytes_of(parameters(proto::kChecksumBoth, 0, proto::kOffloadOff))),
            Status::Success);
  EXPECT_TRUE(device.joins_received(false));
  EXPECT_FALSE(device.joins_received(true));
  EXPECT_EQ(set(Oid::OffloadParameters, bytes_of(parameters(0, 3, proto::kOffloadOn))),
            Status::InvalidData);
  EXPECT_FALSE(device.joins_received(true));
  // Without the tail nothing is said of them, and with a part of it neither.
  const auto off = parameters(0, proto::kOffloadOff, proto::kOffloadOff);
  for (const size_t size : {20u, 23u})
    EXPECT_EQ(set(Oid::OffloadParameters, bytes_of(off).first(size)), Status::Success);
  EXPECT_TRUE(device.joins_received(false));
  EXPECT_EQ(set(Oid::OffloadParameters, bytes_of(off).first(24)), Status::Success);
  EXPECT_FALSE(device.joins_received());
  EXPECT_EQ(
      set(Oid::OffloadParameters, bytes_of(parameters(0, proto::kOffloadOn, proto::kOffloadOn))),
      Status::Success);
  device.reset();
  EXPECT_FALSE(device.joins_received());
}

TEST(Mac, IsSixPairsOfDigitsAndNoGroup) {
  EXPECT_EQ(text(parse_mac("00:15:5D:0a:0B:ff").value()), "00:15:5d:0a:0b:ff");
  for (const char* const bad :
       {"", "00:15:5d:01:02", "00:15:5d:01:02:03:", "00:15:5d:01:02:0g", "00-15-5d-01-02-03",
        "01:15:5d:01:02:03", "00:00:00:00:00:00", "ff:ff:ff:ff:ff:ff", "0:15:5d:01:02:003"})
    EXPECT_FALSE(parse_mac(bad)) << bad;
}

TEST_F(RndisDeviceTest, BuffersOutsideOfTheMessageAreRefused) {
  initialize();
  for (const proto::Set request :
       {proto::Set{9, 0x0001010e, 4, 1000, 0}, proto::Set{9, 0x0001010e, 0xffffffff, 20, 0},
        proto::Set{9, 0x0001010e, 4, 0xfffffffe, 0}, proto::Set{9, 0x0001010e, 4, 4, 0}}) {
    const Bytes answer = ask(make(MessageType::Set, request));
    EXPECT_EQ(body<proto::Complete>(answer).status, Status::InvalidLength);
  }
  EXPECT_EQ(device.filter(), 0u);
}

TEST_F(RndisDeviceTest, TheLinkIsTold) {
  EXPECT_FALSE(device.set_link(true));
  EXPECT_TRUE(device.set_link(false));
  EXPECT_EQ(body<proto::IndicateStatus>(device.link_message()).status, Status::MediaDisconnect);
  initialize();
  uint32_t state;
  std::memcpy(&state, query(Oid::MediaConnectStatus).data(), 4);
  EXPECT_EQ(state, 1u);
}

TEST_F(RndisDeviceTest, WhatIsNoControlMessageIsRefused) {
  EXPECT_FALSE(device.handle(make(MessageType::Packet, uint32_t{0}), 4, 1514));
  EXPECT_FALSE(device.handle(make(MessageType::Query, uint32_t{0}), 4, 1514));
  EXPECT_FALSE(device.handle(Bytes(3), 4, 1514));
}

}  // namespace
}  // namespace hv::host::netvsp
