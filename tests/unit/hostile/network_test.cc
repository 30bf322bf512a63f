// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/network.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "core/base/bytes.hpp"
#include "core/wire/netvsc.hpp"
#include "core/wire/ring.hpp"
#include "core/wire/rndis.hpp"
#include "tests/support/ring_pages.hpp"

namespace hv::host::hostile {
namespace {

namespace nvsp = wire::netvsc;
namespace rndis = wire::rndis;

uint32_t word(std::span<const std::byte> bytes, size_t at) {
  return at + 4 > bytes.size() ? 0xdeadbeef : ByteReader(bytes.subspan(at)).take<uint32_t>().take();
}

Packet transfer(Dice& dice) {
  Packet packet = transfer_of(dice, 7, 4096, 100);
  packet.extra.resize(sizeof(wire::TransferPageHeader) + sizeof(wire::TransferPageRange));
  const uint32_t one = 1;
  std::memcpy(packet.extra.data() + offsetof(wire::TransferPageHeader, range_count), &one,
              sizeof(one));
  return packet;
}

TEST(HostileNvsp, ForgesEveryMessageOfAHostAndTypesThatAreNone) {
  Dice dice(1);
  std::set<uint32_t> types;
  bool no_section = false, short_table = false, far_table = false, high_channel = false,
       too_many = false;
  for (int i = 0; i < 4000; i++) {
    const auto message = forge_nvsp(dice);
    ASSERT_LE(message.size(), 256u);
    const auto type = static_cast<nvsp::MessageType>(word(message, 0));
    types.insert(word(message, 0));
    if (type == nvsp::MessageType::SendSendBufferComplete)
      no_section |= word(message, 4) == 1 && word(message, 8) == 0;
    if (type == nvsp::MessageType::SendReceiveBufferComplete)
      no_section |= word(message, 4) == 1 && word(message, 16) == 0;
    if (type == nvsp::MessageType::SubChannel) too_many |= word(message, 8) > nvsp::kMaxQueues;
    if (type != nvsp::MessageType::SendIndirectionTable) continue;
    short_table |= message.size() < nvsp::kMessageSize + nvsp::kSendTableEntries * 4;
    far_table |= word(message, 8) > message.size();
    high_channel |= word(message, nvsp::kMessageSize) >= nvsp::kMaxQueues;
  }
  for (const uint32_t type : {2, 102, 105, 108, 128, 133, 134})
    EXPECT_TRUE(types.contains(type)) << type;
  EXPECT_TRUE(types.contains(0xffffffff));
  EXPECT_TRUE(no_section && short_table && far_table && high_channel && too_many);
}

TEST(HostileNvsp, LiesAboutEveryFieldOfTransferPages) {
  Dice dice(2);
  bool set = false, count = false, offset = false, length = false, payload = false;
  for (int i = 0; i < 3000; i++) {
    Packet packet = transfer(dice);
    const Packet honest = packet;
    spoil_nvsp(dice, packet);
    set |= word(packet.extra, 0) != word(honest.extra, 0);
    count |= word(packet.extra, 4) > 1;
    offset |= word(packet.extra, 12) != 4096;
    length |= word(packet.extra, 8) != 100;
    payload |= packet.payload != honest.payload;
  }
  EXPECT_TRUE(set && count && offset && length && payload);
}

TEST(HostileNvsp, LiesAboutTheAnswersThatCutTheBuffers) {
  Dice dice(3);
  std::set<uint32_t> status, sizes, counts, offsets;
  for (int i = 0; i < 5000; i++) {
    Packet packet;
    packet.type = wire::PacketType::Completion;
    const nvsp::ReceiveBufferComplete body{nvsp::Status::Success, 1, {0, 1728, 100, 172800}};
    packet.payload.resize(nvsp::kMessageSize);
    const uint32_t type = 102;
    std::memcpy(packet.payload.data(), &type, sizeof(type));
    std::memcpy(packet.payload.data() + sizeof(type), &body, sizeof(body));
    spoil_nvsp(dice, packet);
    status.insert(word(packet.payload, 4));
    offsets.insert(word(packet.payload, 12));
    sizes.insert(word(packet.payload, 16));
    counts.insert(word(packet.payload, 20));
  }
  EXPECT_TRUE(status.contains(2) && status.contains(0xffffffff));
  for (const auto* cuts : {&offsets, &sizes, &counts})
    EXPECT_TRUE(cuts->contains(0) && cuts->contains(0xffffffff) && cuts->contains(67));
}

TEST(HostileRndis, ForgesWhatADeviceSaysAndWhatNoneDoes) {
  Dice dice(4);
  std::set<uint32_t> types, news, parts;
  bool no_size = false, out_of_list = false;
  for (int i = 0; i < 20000; i++) {
    const auto message = forge_rndis(dice);
    ASSERT_LE(message.size(), kRndisHead);
    types.insert(word(message, 0));
    const auto type = static_cast<rndis::MessageType>(word(message, 0));
    if (type == rndis::MessageType::IndicateStatus) news.insert(word(message, 8));
    if (type != rndis::MessageType::Packet || message.size() < 60) continue;
    no_size |= word(message, 44) == 0;
    out_of_list |= word(message, 44) > word(message, 32);
    if (word(message, 48) == rndis::kPpiPacketId) parts.insert(static_cast<uint8_t>(message[57]));
  }
  for (const uint32_t type : {1u, 7u, 8u, 0x80000002u, 0x80000004u, 0x80000005u})
    EXPECT_TRUE(types.contains(type)) << type;
  for (const auto status : {rndis::Status::MediaConnect, rndis::Status::MediaDisconnect,
                            rndis::Status::LinkSpeedChange, rndis::Status::NetworkChange})
    EXPECT_TRUE(news.contains(static_cast<uint32_t>(status)));
  for (const uint32_t part : {1, 3, 5, 7}) EXPECT_TRUE(parts.contains(part)) << part;
  EXPECT_TRUE(no_size && out_of_list);
}

TEST(HostileRndis, SpoilsEveryFieldOfAFrameAndNothingBehindIt) {
  Dice dice(5);
  std::set<size_t> changed;
  for (int i = 0; i < 3000; i++) {
    std::vector<std::byte> head(100), before = head;
    spoil_rndis(dice, head);
    for (size_t at = 0; at < head.size(); at += 4) {
      if (word(head, at) != word(before, at)) changed.insert(at);
    }
  }
  // Type, length, data, per-packet information and its first item.
  for (const size_t at : {0, 4, 8, 12, 28, 32, 44, 48, 52}) EXPECT_TRUE(changed.contains(at)) << at;
  std::vector<std::byte> nothing;
  for (int i = 0; i < 100; i++) spoil_rndis(dice, nothing);
}

TEST(HostileNvsp, ARingTakesEveryPacketAndASeedDecidesIt) {
  const auto forged = [](uint64_t seed) {
    PacketForger forger(Protocol::Network);
    Dice dice(seed);
    std::vector<std::vector<std::byte>> payloads;
    for (int i = 0; i < 500; i++) {
      Packet packet = transfer(dice);
      forger.listen(packet);
      auto lies = forger.tamper(dice, packet);
      lies.push_back(forger.forge(dice));
      for (const Packet& lie : lies) {
        test::RingPages ring(64 * 1024);
        EXPECT_TRUE(ring.writer()
                        .stage(lie.type, lie.flags, lie.transaction_id, lie.extra, lie.payload)
                        .ok());
        payloads.push_back(lie.payload);
      }
    }
    return payloads;
  };
  EXPECT_EQ(forged(1), forged(1));
  EXPECT_NE(forged(1), forged(2));
}

}  // namespace
}  // namespace hv::host::hostile
