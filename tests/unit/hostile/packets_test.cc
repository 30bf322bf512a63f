// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/packets.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "core/wire/storvsc.hpp"
#include "tests/support/ring_pages.hpp"

namespace hv::host::hostile {
namespace {

namespace storvsc = wire::storvsc;

Packet completion(uint64_t id) {
  Packet packet;
  packet.type = wire::PacketType::Completion;
  packet.transaction_id = id;
  packet.payload.resize(storvsc::kPacketSize);
  packet.payload[0] = std::byte{1};
  return packet;
}

/// All that `count` completions became.
std::vector<Packet> tampered(uint64_t seed, size_t count) {
  PacketForger forger;
  Dice dice(seed);
  std::vector<Packet> out;
  for (uint64_t id = 1; id <= count; id++) {
    forger.listen(completion(id));
    for (Packet& packet : forger.tamper(dice, completion(id))) out.push_back(std::move(packet));
  }
  return out;
}

bool same(const Packet& a, const Packet& b) {
  return a.type == b.type && a.flags == b.flags && a.transaction_id == b.transaction_id &&
         a.extra == b.extra && a.payload == b.payload && a.lie.has_value() == b.lie.has_value();
}

TEST(PacketForger, ASeedDecidesEverything) {
  EXPECT_TRUE(std::ranges::equal(tampered(1, 300), tampered(1, 300), same));
  EXPECT_FALSE(std::ranges::equal(tampered(1, 300), tampered(2, 300), same));
}

TEST(PacketForger, ARingTakesEveryPacket) {
  PacketForger forger;
  Dice dice(2);
  forger.listen(completion(1));
  for (int i = 0; i < 3000; i++) {
    test::RingPages ring(64 * 1024);
    auto writer = ring.writer();
    const Packet packet = forger.forge(dice);
    ASSERT_TRUE(
        writer.stage(packet.type, packet.flags, packet.transaction_id, packet.extra, packet.payload)
            .ok());
  }
}

TEST(PacketForger, LiesAboutEveryFieldOfACompletion) {
  bool srb = false, scsi = false, sense = false, length = false, status = false, operation = false,
       lie = false, type = false, size = false;
  for (const Packet& packet : tampered(3, 5000)) {
    lie |= packet.lie.has_value();
    type |= packet.type != wire::PacketType::Completion;
    size |= packet.payload.size() != storvsc::kPacketSize;
    if (packet.payload.size() < storvsc::kPacketSize) continue;
    storvsc::Header header;
    storvsc::ScsiRequest request;
    std::memcpy(&header, packet.payload.data(), sizeof header);
    std::memcpy(&request, packet.payload.data() + sizeof header, sizeof request);
    operation |= header.operation == storvsc::Operation::RemoveDevice;
    status |= header.status == 0xffffffff;
    srb |= request.srb_status == 0xff;
    scsi |= request.scsi_status == 0xff;
    sense |= request.sense_length > storvsc::kSenseSize &&
             (request.srb_status & storvsc::kSrbAutosenseValid) != 0;
    length |= request.transfer_length == 0xffffffff;
  }
  EXPECT_TRUE(srb && scsi && sense && length && status && operation);
  EXPECT_TRUE(lie && type && size);
}

TEST(PacketForger, LosesRepeatsAndReordersIds) {
  std::set<uint64_t> seen;
  bool repeated = false, overtaken = false, strange = false;
  uint64_t last = 0;
  for (const Packet& packet : tampered(4, 2000)) {
    const uint64_t id = packet.transaction_id;
    repeated |= !seen.insert(id).second;
    overtaken |= id < last && id != 0;
    strange |= id > 2000;
    last = id;
  }
  EXPECT_TRUE(repeated && overtaken && strange);
  size_t lost = 0;
  for (uint64_t id = 1; id <= 2000; id++) lost += !seen.contains(id);
  EXPECT_GT(lost, 0u);
}

}  // namespace
}  // namespace hv::host::hostile
