// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The RNDIS half of network.hpp: what lies in the receive buffer.
#include "core/wire/rndis.hpp"

#include <array>
#include <cstring>

#include "core/base/bytes.hpp"
#include "host/hostile/network.hpp"

namespace hv::host::hostile {
namespace {

namespace rndis = hv::wire::rndis;
using rndis::MessageType;
using rndis::Status;

void overwrite(std::span<std::byte> bytes, size_t at, uint32_t value) {
  if (bytes.size() >= sizeof(value) && at <= bytes.size() - sizeof(value))
    std::memcpy(bytes.data() + at, &value, sizeof(value));
}

/// A message from its parts; its length is true until somebody spoils it.
class Writer {
 public:
  explicit Writer(MessageType type) { put(rndis::Header{type, 0}); }
  template <WireStruct T>
  Writer& put(const T& value) {
    const auto bytes = bytes_of(value);
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }
  Writer& noise(Dice& dice, size_t count) {
    out_.resize(out_.size() + count);
    dice.fill(std::span(out_).last(count));
    return *this;
  }
  std::vector<std::byte> finish() {
    overwrite(out_, offsetof(rndis::Header, length), static_cast<uint32_t>(out_.size()));
    return std::move(out_);
  }

 private:
  std::vector<std::byte> out_;
};

uint32_t ppi_type(Dice& dice) {
  static constexpr std::array<uint32_t, 6> kTypes = {
      static_cast<uint32_t>(rndis::PpiType::Checksum),
      static_cast<uint32_t>(rndis::PpiType::LargeSend),
      static_cast<uint32_t>(rndis::PpiType::Vlan),
      static_cast<uint32_t>(rndis::PpiType::HashValue),
      rndis::kPpiPacketId,
      rndis::kPpiPrivate};
  return dice.chance(900) ? dice.pick(kTypes) : dice.awkward();
}

/// Per-packet information whose sizes do not lead on, lead out of the list, or are right.
std::vector<std::byte> frame(Dice& dice) {
  const uint32_t count = dice.below(6);
  constexpr uint32_t kPpi = sizeof(rndis::PpiHeader) + sizeof(uint32_t);
  const uint32_t bytes = dice.chance(900) ? 14 + dice.below(80) : dice.below(14);
  rndis::Packet head{};
  head.data_offset = static_cast<uint32_t>(sizeof(head)) + count * kPpi;
  head.data_length = bytes;
  if (count > 0) {
    head.ppi_offset = sizeof(head);
    head.ppi_length = count * kPpi;
  }
  Writer writer(MessageType::Packet);
  writer.put(head);
  for (uint32_t i = 0; i < count; i++) {
    writer
        .put(rndis::PpiHeader{dice.chance(850) ? kPpi : dice.awkward(), ppi_type(dice),
                              dice.chance(850) ? kPpi - 4 : dice.awkward()})
        .put(static_cast<uint32_t>(dice.next()));
  }
  return writer.noise(dice, bytes).finish();
}

/// A part of a joined frame: first, last, neither, both, in any order.
std::vector<std::byte> part(Dice& dice) {
  constexpr uint32_t kPpi = sizeof(rndis::PpiHeader) + sizeof(rndis::PacketId);
  rndis::Packet head{};
  head.data_offset = sizeof(head) + kPpi;
  head.data_length = 1 + dice.below(150);
  head.ppi_offset = sizeof(head);
  head.ppi_length = kPpi;
  return Writer(MessageType::Packet)
      .put(head)
      .put(rndis::PpiHeader{kPpi, rndis::kPpiPacketId, sizeof(rndis::PpiHeader)})
      .put(rndis::PacketId{1, static_cast<uint8_t>(rndis::kPart | dice.below(8)),
                           static_cast<uint16_t>(dice.below(3))})
      .noise(dice, head.data_length)
      .finish();
}

std::vector<std::byte> indication(Dice& dice) {
  static constexpr std::array<Status, 5> kNews = {Status::MediaConnect, Status::MediaDisconnect,
                                                  Status::LinkSpeedChange, Status::NetworkChange,
                                                  Status::NotSupported};
  const uint32_t offset = dice.chance(700) ? sizeof(rndis::IndicateStatus) : dice.awkward();
  return Writer(MessageType::IndicateStatus)
      .put(rndis::IndicateStatus{
          dice.chance(900) ? dice.pick(kNews) : static_cast<Status>(dice.awkward()),
          dice.chance(700) ? 4 : dice.awkward(), offset})
      .put(dice.awkward())
      .finish();
}

/// The answer to a request that may have been made: ids of requests are small.
std::vector<std::byte> answer(Dice& dice) {
  const uint32_t id = dice.chance(700) ? 1 + dice.below(32) : dice.awkward();
  const auto status = dice.chance(700) ? Status::Success : static_cast<Status>(dice.awkward());
  switch (dice.below(4)) {
    case 0:
      return Writer(MessageType::InitializeComplete)
          .put(rndis::InitializeComplete{id, status, 1, 0, 1, 0, dice.awkward(), dice.awkward(),
                                         dice.chance(500) ? dice.below(40) : dice.awkward(), 0, 0})
          .finish();
    case 1:
      return Writer(MessageType::QueryComplete)
          .put(rndis::QueryComplete{id, status, dice.chance(500) ? dice.below(128) : dice.awkward(),
                                    dice.chance(700) ? 16 : dice.awkward()})
          .noise(dice, dice.below(128))
          .finish();
    case 2:
      return Writer(MessageType::SetComplete).put(rndis::Complete{id, status}).finish();
    default:
      return Writer(dice.chance(500) ? MessageType::ResetComplete : MessageType::KeepAliveComplete)
          .put(rndis::Complete{id, status})
          .finish();
  }
}

}  // namespace

void spoil_rndis(Dice& dice, std::span<std::byte> head) {
  constexpr size_t kBody = sizeof(rndis::Header);
  constexpr size_t kPpis = kBody + sizeof(rndis::Packet);
  switch (dice.below(8)) {
    case 0:
      return overwrite(head, 0,
                       dice.chance(500)   ? dice.below(12)
                       : dice.chance(500) ? 0x80000000 | dice.below(12)
                                          : dice.awkward());
    case 1:
      return overwrite(head, offsetof(rndis::Header, length), dice.awkward());
    case 2:
      return overwrite(head, kBody + offsetof(rndis::Packet, data_offset), dice.awkward());
    case 3:
      return overwrite(head, kBody + offsetof(rndis::Packet, data_length), dice.awkward());
    case 4:
      return overwrite(head,
                       kBody + (dice.chance(500) ? offsetof(rndis::Packet, ppi_offset)
                                                 : offsetof(rndis::Packet, ppi_length)),
                       dice.awkward());
    case 5:
    case 6:  // the first item's size, type or offset
      return overwrite(head, kPpis + 4 * dice.below(3),
                       dice.chance(500) ? dice.below(64) : dice.awkward());
    default:
      if (head.size() >= 4) overwrite(head, 4 * dice.below(head.size() / 4), dice.awkward());
      return;
  }
}

std::vector<std::byte> forge_rndis(Dice& dice) {
  std::vector<std::byte> out;
  switch (dice.below(8)) {
    case 0:
    case 1:
      out = frame(dice);
      break;
    case 2:
    case 3:
      out = part(dice);
      break;
    case 4:
      out = indication(dice);
      break;
    case 5:
      out = answer(dice);
      break;
    case 6:
      out = Writer(MessageType::KeepAlive).put(static_cast<uint32_t>(dice.next())).finish();
      break;
    default:  // any type, and garbage
      out = Writer(static_cast<MessageType>(dice.chance(500) ? dice.below(12) : dice.awkward()))
                .noise(dice, dice.below(200))
                .finish();
      break;
  }
  if (dice.chance(300)) spoil_rndis(dice, out);
  return out;
}

}  // namespace hv::host::hostile
