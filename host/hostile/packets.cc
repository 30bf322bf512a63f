// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/packets.hpp"

#include <algorithm>
#include <cstring>

#include "core/base/bytes.hpp"
#include "core/wire/storvsc.hpp"
#include "host/hostile/network.hpp"

namespace hv::host::hostile {
namespace {

namespace storvsc = hv::wire::storvsc;
using wire::PacketType;

constexpr size_t kPayloadMost = 512;

template <WireStruct T>
void overwrite(std::vector<std::byte>& payload, size_t at, const T& value) {
  if (payload.size() >= at + sizeof value) std::memcpy(payload.data() + at, &value, sizeof value);
}

}  // namespace

Packet Packet::of(const hv::vmbus::Packet& packet) {
  return {packet.type,
          packet.flags,
          packet.transaction_id,
          {packet.extra.begin(), packet.extra.end()},
          {packet.payload.begin(), packet.payload.end()},
          std::nullopt};
}

void PacketForger::listen(const Packet& packet) {
  if (packet.type == PacketType::Completion) ids_[heard_++ % ids_.size()] = packet.transaction_id;
  last_ = packet;
}

std::vector<Packet> PacketForger::tamper(Dice& dice, Packet honest) {
  std::vector<Packet> out;
  switch (dice.below(12)) {
    case 0:  // lost
      return out;
    case 1:
    case 2:  // said twice
      out.push_back(honest);
      break;
    case 3:  // overtaken by the next
      if (held_back_) break;
      held_back_ = std::move(honest);
      return out;
    case 4:  // behind a spoilt copy of itself
    case 5:
      out.push_back(honest);
      spoil(dice, out.back());
      break;
    case 6:
      out.push_back(forge(dice));
      break;
    default:
      spoil(dice, honest);
      break;
  }
  out.push_back(std::move(honest));
  if (held_back_) out.push_back(std::move(*held_back_));
  held_back_.reset();
  return out;
}

Packet PacketForger::forge(Dice& dice) {
  Packet packet;
  if (last_ && dice.chance(600)) {
    packet = *last_;
  } else {
    packet.payload.resize(8 * dice.below(kPayloadMost / 8));
    dice.fill(packet.payload);
  }
  static constexpr std::array<PacketType, 4> kTypes = {
      PacketType::DataInBand, PacketType::DataUsingTransferPages, PacketType::DataUsingGpaDirect,
      PacketType::Completion};
  packet.type = dice.chance(800) ? dice.pick(kTypes) : static_cast<PacketType>(dice.awkward());
  packet.flags = static_cast<uint16_t>(dice.chance(500) ? dice.below(2) : dice.next());
  packet.transaction_id = transaction_id(dice);
  if (dice.chance(200)) {
    packet.extra.resize(8 * dice.below(9));
    dice.fill(packet.extra);
  }
  if (dice.chance(500)) forge_head(dice, packet);
  if (dice.chance(300)) spoil(dice, packet);
  return packet;
}

/// So that it looks like one of the protocol's.
void PacketForger::forge_head(Dice& dice, Packet& packet) {
  switch (protocol_) {
    case Protocol::Storage:
      return overwrite(
          packet.payload, 0,
          static_cast<storvsc::Operation>(dice.chance(900) ? dice.below(16) : dice.awkward()));
    case Protocol::Network:
      packet.payload = forge_nvsp(dice);
      return;
  }
}

void PacketForger::spoil(Dice& dice, Packet& packet) {
  switch (dice.below(8)) {
    case 0:
      packet.transaction_id = transaction_id(dice);
      break;
    case 1:
      packet.payload.resize(dice.below(packet.payload.size() + 1));
      break;
    case 2:
      packet.payload.resize(dice.below(kPayloadMost));
      break;
    case 3: {
      const auto whole = static_cast<uint16_t>((packet.size() - wire::kPacketTrailerSize) / 8);
      packet.lie = Packet::Lengths{
          static_cast<uint16_t>(dice.chance(500) ? 2 : dice.awkward()),
          static_cast<uint16_t>(dice.chance(300) ? dice.below(whole + 3) : dice.awkward())};
      break;
    }
    case 4:
      packet.type = static_cast<PacketType>(dice.chance(500) ? dice.below(16) : dice.awkward());
      break;
    default:
      spoil_field(dice, packet);
      break;
  }
}

void PacketForger::spoil_field(Dice& dice, Packet& packet) {
  switch (protocol_) {
    case Protocol::Storage:
      return spoil_storage(dice, packet);
    case Protocol::Network:
      return spoil_nvsp(dice, packet);
  }
}

/// A field of the storage protocol, or, for other protocols, some word.
void PacketForger::spoil_storage(Dice& dice, Packet& packet) {
  constexpr size_t kRequest = sizeof(storvsc::Header);
  switch (dice.below(8)) {
    case 0:
      return overwrite(packet.payload, offsetof(storvsc::Header, operation), dice.below(16));
    case 1:
      return overwrite(packet.payload, offsetof(storvsc::Header, status), dice.awkward());
    case 2:
      return overwrite(packet.payload, kRequest + offsetof(storvsc::ScsiRequest, srb_status),
                       static_cast<uint8_t>(dice.next()));
    case 3:
      return overwrite(packet.payload, kRequest + offsetof(storvsc::ScsiRequest, scsi_status),
                       static_cast<uint8_t>(dice.next()));
    case 4: {  // sense data of any sort and length
      overwrite(packet.payload, kRequest + offsetof(storvsc::ScsiRequest, srb_status),
                static_cast<uint8_t>(storvsc::kSrbAutosenseValid |
                                     static_cast<uint8_t>(storvsc::SrbStatus::Error)));
      overwrite(packet.payload, kRequest + offsetof(storvsc::ScsiRequest, scsi_status), uint8_t{2});
      overwrite(packet.payload, kRequest + offsetof(storvsc::ScsiRequest, sense_length),
                static_cast<uint8_t>(dice.next()));
      std::array<std::byte, storvsc::kSenseSize> sense;
      dice.fill(sense);
      if (dice.chance(700)) sense[0] = std::byte{0x70};
      return overwrite(packet.payload, kRequest + offsetof(storvsc::ScsiRequest, cdb_or_sense),
                       sense);
    }
    case 5:
      return overwrite(packet.payload, kRequest + offsetof(storvsc::ScsiRequest, transfer_length),
                       dice.awkward());
    default:
      if (packet.payload.size() >= 4)
        overwrite(packet.payload, 4 * dice.below(packet.payload.size() / 4), dice.awkward());
      return;
  }
}

uint64_t PacketForger::transaction_id(Dice& dice) const {
  if (heard_ != 0 && dice.chance(700)) {
    const uint64_t heard = ids_[dice.below(std::min(heard_, ids_.size()))];
    return dice.chance(600) ? heard : heard ^ uint64_t { 1 } << dice.below(64);
  }
  return dice.chance(500) ? dice.awkward() : dice.next();
}

}  // namespace hv::host::hostile
