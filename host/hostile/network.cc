// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/network.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/bytes.hpp"
#include "core/wire/netvsc.hpp"
#include "core/wire/ring.hpp"

namespace hv::host::hostile {
namespace {

namespace nvsp = hv::wire::netvsc;
using nvsp::MessageType;
using wire::PacketType;

template <WireStruct... Parts>
std::vector<std::byte> join(const Parts&... parts) {
  std::vector<std::byte> out;
  const auto put = [&](std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
  };
  (put(bytes_of(parts)), ...);
  return out;
}

void overwrite(std::span<std::byte> bytes, size_t at, uint32_t value) {
  if (bytes.size() >= sizeof(value) && at <= bytes.size() - sizeof(value))
    std::memcpy(bytes.data() + at, &value, sizeof(value));
}

nvsp::Status status(Dice& dice) {
  return static_cast<nvsp::Status>(dice.chance(600)   ? 1
                                   : dice.chance(700) ? dice.below(9)
                                                      : dice.awkward());
}

/// Sizes of sections, counts and offsets that a buffer is cut by: nothing, less than a frame, a sum
/// that wraps round, all but right.
uint32_t cut(Dice& dice) {
  static constexpr std::array<uint32_t, 10> kCuts = {0,    1,    14,      67,         68,
                                                     1728, 6144, 0x10000, 0x01000000, 0xfffff000};
  return dice.chance(800) ? dice.pick(kCuts) : dice.awkward();
}

/// The heads of transfer pages: which buffer, how many ranges, and where these are.
void spoil_transfer(Dice& dice, std::span<std::byte> extra) {
  constexpr size_t kRanges = sizeof(wire::TransferPageHeader);
  if (extra.size() < kRanges + sizeof(wire::TransferPageRange)) return;
  const size_t range =
      kRanges + sizeof(wire::TransferPageRange) *
                    dice.below((extra.size() - kRanges) / sizeof(wire::TransferPageRange));
  switch (dice.below(5)) {
    case 0: {
      const auto set = static_cast<uint16_t>(dice.awkward());
      std::memcpy(extra.data() + offsetof(wire::TransferPageHeader, transfer_page_set_id), &set,
                  sizeof(set));
      return;
    }
    case 1:
      return overwrite(extra, offsetof(wire::TransferPageHeader, range_count),
                       dice.chance(500) ? dice.below(64) : dice.awkward());
    case 2:
      return overwrite(extra, range + offsetof(wire::TransferPageRange, byte_offset),
                       dice.chance(300) ? 8 * dice.below(1u << 21) : dice.awkward());
    case 3:
      return overwrite(extra, range + offsetof(wire::TransferPageRange, byte_count),
                       dice.chance(500) ? dice.below(256) : dice.awkward());
    default:
      return overwrite(extra, 4 * dice.below(extra.size() / 4), dice.awkward());
  }
}

}  // namespace

void spoil_nvsp(Dice& dice, Packet& packet) {
  if (packet.type == PacketType::DataUsingTransferPages && dice.chance(700))
    return spoil_transfer(dice, packet.extra);
  const std::span<std::byte> body = packet.payload;
  // The answers' fields lie behind the type; a cut is the third or fourth of them.
  switch (dice.below(6)) {
    case 0:
      return overwrite(body, 0, dice.chance(700) ? 100 + dice.below(40) : dice.awkward());
    case 1:
      return overwrite(body, 4, static_cast<uint32_t>(status(dice)));
    case 2:
      return overwrite(body, 8, cut(dice));
    case 3:
      return overwrite(body, 12 + 4 * dice.below(4), cut(dice));
    case 4: {  // another message altogether
      packet.payload = forge_nvsp(dice);
      return;
    }
    default:
      if (body.size() >= 4) overwrite(body, 4 * dice.below(body.size() / 4), dice.awkward());
      return;
  }
}

std::vector<std::byte> forge_nvsp(Dice& dice) {
  std::vector<std::byte> out;
  switch (dice.below(9)) {
    case 0:
    case 1: {  // channels that there are, that there are not, and tables that end behind their
               // message
      const uint32_t count = dice.chance(700) ? nvsp::kSendTableEntries : dice.awkward();
      const uint32_t offset =
          dice.chance(700) ? static_cast<uint32_t>(nvsp::kMessageSize) : dice.awkward();
      out = join(nvsp::Header{MessageType::SendIndirectionTable}, nvsp::SendTable{count, offset});
      out.resize(nvsp::kMessageSize);
      for (size_t i = dice.below(nvsp::kSendTableEntries + 2); i > 0; i--) {
        const auto entry = join(uint32_t{dice.chance(500) ? dice.below(8) : dice.awkward()});
        out.insert(out.end(), entry.begin(), entry.end());
      }
      return out;
    }
    case 2:
      out = join(nvsp::Header{MessageType::SendVfAssociation},
                 nvsp::VfAssociation{dice.below(2), dice.awkward()});
      break;
    case 3:
      out = join(nvsp::Header{MessageType::SubChannel},
                 nvsp::SubChannelComplete{status(dice),
                                          dice.chance(500) ? dice.below(65) : dice.awkward()});
      break;
    case 4:
      out = join(nvsp::Header{MessageType::SendReceiveBufferComplete},
                 nvsp::ReceiveBufferComplete{
                     status(dice),
                     dice.below(3),
                     {dice.chance(700) ? 0 : cut(dice), cut(dice), cut(dice), dice.awkward()}});
      break;
    case 5:
      out = join(nvsp::Header{MessageType::SendSendBufferComplete},
                 nvsp::SendBufferComplete{status(dice), cut(dice)});
      break;
    case 6:
      out = join(nvsp::Header{MessageType::InitComplete},
                 nvsp::InitComplete{static_cast<nvsp::Version>(dice.awkward()), dice.awkward(),
                                    status(dice)});
      break;
    case 7:
      out = join(nvsp::Header{MessageType::SendRndisPacketComplete},
                 nvsp::RndisPacketComplete{status(dice)});
      break;
    default:
      out = join(nvsp::Header{static_cast<MessageType>(dice.chance(800) ? 100 + dice.below(40)
                                                                        : dice.awkward())},
                 dice.next(), dice.next());
      break;
  }
  if (dice.chance(800)) out.resize(nvsp::kMessageSize);
  return out;
}

Packet transfer_of(Dice& dice, uint64_t transaction_id, uint32_t offset, uint32_t length) {
  Packet packet;
  packet.type = PacketType::DataUsingTransferPages;
  packet.flags = wire::kPacketCompletionRequested;
  packet.transaction_id = transaction_id;
  const uint32_t ranges = dice.chance(700) ? 1 : 1 + dice.below(40);
  packet.extra = join(wire::TransferPageHeader{nvsp::kReceiveBufferId, 0, 0, ranges});
  for (uint32_t i = 0; i < ranges; i++) {
    const auto range = join(wire::TransferPageRange{length, offset});
    packet.extra.insert(packet.extra.end(), range.begin(), range.end());
  }
  packet.payload = join(
      nvsp::Header{MessageType::SendRndisPacket},
      nvsp::RndisPacket{dice.chance(700) ? nvsp::RndisChannel::Data : nvsp::RndisChannel::Control,
                        nvsp::kNoSection, 0});
  return packet;
}

}  // namespace hv::host::hostile
