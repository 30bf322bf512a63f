// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/packet.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "core/base/bytes.hpp"
#include "frames.hpp"

namespace hv::host::netvsp {
namespace {

namespace proto = wire::rndis;
using test::Bytes;

struct Item {
  uint32_t type;
  uint32_t value;
  uint32_t size = 16;
  uint32_t offset = 12;
};

/// A Packet message as guests make them.
Bytes message(const std::vector<Item>& items, size_t data) {
  Bytes bytes(8 + 36 + items.size() * 16 + data);
  const proto::Header header{proto::MessageType::Packet, static_cast<uint32_t>(bytes.size())};
  proto::Packet packet{};
  packet.data_offset = static_cast<uint32_t>(36 + items.size() * 16);
  packet.data_length = static_cast<uint32_t>(data);
  packet.ppi_offset = items.empty() ? 0 : 36;
  packet.ppi_length = static_cast<uint32_t>(items.size() * 16);
  std::memcpy(bytes.data(), &header, 8);
  std::memcpy(bytes.data() + 8, &packet, 36);
  for (size_t i = 0; i < items.size(); i++) {
    const uint32_t words[] = {items[i].size, items[i].type, items[i].offset, items[i].value};
    std::memcpy(bytes.data() + 44 + i * 16, words, 16);
  }
  return bytes;
}

Result<SentPacket> parse(const Bytes& bytes) {
  const auto view = HV_TRY(first_message(bytes));
  return parse_packet(view);
}

template <typename T>
void poke(Bytes& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

TEST(RndisPacket, InformationIsFound) {
  const auto packet = parse(message({{6, 0x123}, {0, 0x14}, {99, 7}, {0, 5}}, 60)).take();
  EXPECT_EQ(packet.info.vlan, 0x123u);
  EXPECT_EQ(packet.info.checksum, 0x14u);  // the first counts
  EXPECT_FALSE(packet.info.large_send);
  EXPECT_EQ(packet.data_at, 44u + 64u);
  EXPECT_EQ(packet.data_size, 60u);
}

TEST(RndisPacket, InformationThatNeverEndsIsRefused) {
  EXPECT_FALSE(parse(message({{0, 1, 0}}, 60)));   // the size that made guests go round for ever
  EXPECT_FALSE(parse(message({{0, 1, 11}}, 60)));  // shorter than its header
  EXPECT_FALSE(parse(message({{0, 1, 17}}, 60)));  // longer than the list
  EXPECT_FALSE(parse(message({{0, 1, 16, 13}}, 60)));  // its data not within it
  EXPECT_FALSE(parse(message({{0, 1, 16, 0xfffffff0}}, 60)));
  EXPECT_FALSE(parse(message({{0, 1, 16, 4}}, 60)));  // its data in its header
}

TEST(RndisPacket, OffsetsOutsideOfTheMessageAreRefused) {
  for (const size_t field :
       {8, 12, 28, 32}) {  // data offset and length, information offset and length
    for (const uint32_t value : {0xffffffffu, 0x80000000u, 1000u}) {
      Bytes bytes = message({{0, 1}}, 60);
      poke(bytes, field, value);
      EXPECT_FALSE(parse(bytes)) << field << " " << value;
    }
  }
  Bytes header = message({}, 60);
  poke(header, 8, 0u);  // data in front of it all
  EXPECT_FALSE(parse(header));
}

TEST(RndisPacket, FramesAreAsLongAsEthernetAllows) {
  EXPECT_FALSE(parse(message({}, 13)));
  EXPECT_TRUE(parse(message({}, 14)));
  EXPECT_TRUE(parse(message({}, net::kMaxFrame)));
  EXPECT_FALSE(parse(message({}, net::kMaxFrame + 1)));
}

TEST(RndisMessage, LengthsAreChecked) {
  Bytes bytes = message({}, 60);
  for (const uint32_t length : {0u, 7u, static_cast<uint32_t>(bytes.size()) + 1, 0xffffffffu}) {
    poke(bytes, 4, length);
    EXPECT_FALSE(first_message(bytes)) << length;
  }
  poke(bytes, 4, 43u);  // the packet's own header is cut off
  EXPECT_FALSE(parse(bytes));
  EXPECT_FALSE(first_message(std::span(bytes).first(7)));
}

TEST(RndisPacket, WhatIsWrittenIsRead) {
  std::array<std::byte, kReceiveOverhead> head;
  const size_t size = write_packet_header(head, 100, {.vlan = 0x50, .checksum = 8, .hash = 77});
  EXPECT_EQ(size, kReceiveOverhead);
  Bytes bytes(head.begin(), head.end());
  bytes.resize(size + 100);
  const auto packet = parse(bytes).take();
  EXPECT_EQ(packet.data_at, size);
  EXPECT_EQ(packet.data_size, 100u);
  EXPECT_EQ(packet.info.vlan, 0x50u);
  EXPECT_EQ(packet.info.checksum, 8u);
}

TEST(Vlan, GoesInAndComesOut) {
  const Bytes frame = test::ip_frame(false, true, 10);
  for (const uint32_t info : {0x50u, 0xfff5u, 0x1238u | 7u}) {
    Bytes bytes(4);
    bytes.insert(bytes.end(), frame.begin(), frame.end());
    EXPECT_EQ(insert_vlan(bytes, 4, info), 0u);
    EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + 12, bytes.begin()));
    EXPECT_TRUE(std::equal(frame.begin() + 12, frame.end(), bytes.begin() + 16));
    EXPECT_EQ(vlan_info(bytes), info & 0xffff);
    EXPECT_EQ(net::parse_headers(bytes)->network_at, 18u);
  }
  EXPECT_FALSE(vlan_info(frame));
}

}  // namespace
}  // namespace hv::host::netvsp
