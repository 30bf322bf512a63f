// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/messages.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/base/bytes.hpp"
#include "core/wire/storvsc.hpp"
#include "core/wire/vmbus.hpp"

namespace hv::host::hostile {
namespace {

namespace wire = hv::wire::vmbus;
using wire::MessageType;

constexpr size_t kIdsRemembered = 256;

Message message(MessageType type) {
  const wire::MessageHeader header{type, 0};
  const auto bytes = bytes_of(header);
  return {bytes.begin(), bytes.end()};
}
template <WireStruct T>
Message message(MessageType type, const T& payload) {
  Message bytes = message(type);
  const auto part = bytes_of(payload);
  bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

void flip(Dice& dice, Message& bytes) {
  if (!bytes.empty())
    bytes[dice.below(bytes.size())] ^= static_cast<std::byte>(1u << dice.below(8));
}

uint32_t status(Dice& dice) { return dice.chance(600) ? wire::kStatusSuccess : dice.awkward(); }

}  // namespace

void MessageForger::listen(std::span<const std::byte> message) {
  past_.emplace_back(message.begin(), message.end());
  if (past_.size() > kRemembered) past_.pop_front();
  ByteReader reader(message);
  const auto header = reader.take<wire::MessageHeader>();
  if (!header) return;
  if (header->type == MessageType::OfferChannel) {
    const auto offer = reader.take<wire::OfferChannel>();
    if (!offer || channels_.size() >= kIdsRemembered) return;
    const uint32_t id = offer->channel_id;  // in the message it may lie anywhere
    if (std::ranges::find(channels_, id) == channels_.end()) channels_.push_back(id);
    if (std::ranges::find(instances_, offer->instance_id) == instances_.end())
      instances_.push_back(offer->instance_id);
  } else if (header->type == MessageType::GpadlCreated) {
    if (const auto created = reader.take<wire::GpadlCreated>()) last_gpadl_ = created->gpadl_id;
  }
}

std::vector<Message> MessageForger::tamper(Dice& dice, Message honest) {
  std::vector<Message> out;
  switch (dice.below(12)) {
    case 0:  // lost
      return out;
    case 1:
    case 2:
    case 3:  // said twice
      out.push_back(honest);
      break;
    case 4:
    case 5:  // cut short
      honest.resize(dice.below(honest.size() + 1));
      break;
    case 6:
    case 7:
      flip(dice, honest);
      break;
    case 8:  // longer than its type
      honest.resize(honest.size() + dice.below(wire::kMaxMessageSize - honest.size() + 1));
      break;
    case 9:  // overtaken by the next
      if (held_back_) break;
      held_back_ = std::move(honest);
      return out;
    default:  // in a crowd
      out.push_back(forge(dice));
      break;
  }
  out.push_back(std::move(honest));
  if (held_back_) out.push_back(std::move(*held_back_));
  held_back_.reset();
  return out;
}

Message MessageForger::forge(Dice& dice) {
  switch (dice.below(20)) {
    case 0:  // taken back, which ends the device: the others come first
      return message(MessageType::RescindChannelOffer, wire::ChannelId{channel_id(dice)});
    case 1:
    case 2:
    case 3:
    case 4: {
      Message bytes = replay(dice);
      if (dice.chance(500)) flip(dice, bytes);
      return bytes;
    }
    case 5:
    case 6:
    case 7:
    case 8:
      return offer(dice);
    case 9:
    case 10: {  // of a known or unknown type, and garbage behind
      Message bytes(dice.below(wire::kMaxMessageSize + 1));
      dice.fill(bytes);
      const uint32_t type = dice.chance(800) ? dice.below(30) : dice.awkward();
      if (bytes.size() >= sizeof type) std::memcpy(bytes.data(), &type, sizeof type);
      return bytes;
    }
    default:
      return answer(dice);
  }
}

Message MessageForger::replay(Dice& dice) {
  if (past_.empty()) return message(MessageType::AllOffersDelivered);
  return past_[dice.below(past_.size())];
}

Message MessageForger::offer(Dice& dice) {
  wire::OfferChannel offer{};
  offer.class_id = dice.chance(700) ? hv::wire::storvsc::kScsiClass : hv::wire::storvsc::kIdeClass;
  if (dice.chance(100)) dice.fill(std::as_writable_bytes(std::span(offer.class_id.bytes)));
  if (!instances_.empty() && dice.chance(400)) {
    offer.instance_id = instances_[dice.below(instances_.size())];
  } else {
    offer.instance_id = "0bad0bad-0bad-0bad-0bad-0bad0bad0b00"_guid;
    offer.instance_id.bytes[15] = static_cast<uint8_t>(dice.below(16));
  }
  offer.flags =
      static_cast<uint16_t>(dice.chance(700) ? wire::kOfferEnumerateDeviceInterface : dice.next());
  offer.mmio_megabytes = static_cast<uint16_t>(dice.chance(800) ? 0 : dice.next());
  dice.fill(offer.user_defined);
  offer.sub_channel_index = static_cast<uint16_t>(dice.chance(500)   ? 0
                                                  : dice.chance(800) ? dice.below(8)
                                                                     : dice.awkward());
  offer.channel_id = channel_id(dice);
  offer.monitor_id = static_cast<uint8_t>(dice.next());
  offer.monitor_allocated = static_cast<uint8_t>(dice.below(2));
  offer.dedicated_interrupt = static_cast<uint16_t>(dice.below(2));
  offer.connection_id =
      dice.chance(500) ? wire::kSignalConnectionBase | offer.channel_id : dice.awkward();
  return message(MessageType::OfferChannel, offer);
}

Message MessageForger::answer(Dice& dice) {
  switch (dice.below(8)) {
    case 0:
      return message(MessageType::GpadlCreated,
                     wire::GpadlCreated{channel_id(dice), gpadl_id(dice), status(dice)});
    case 1:
      return message(MessageType::GpadlTorndown, wire::GpadlTorndown{gpadl_id(dice)});
    case 2:
      return message(MessageType::VersionResponse,
                     wire::VersionResponse{static_cast<uint8_t>(dice.next()),
                                           static_cast<uint8_t>(dice.next()), 0, dice.awkward()});
    case 3:
      return message(MessageType::ModifyChannelResponse,
                     wire::ModifyChannelResponse{channel_id(dice), status(dice)});
    case 4:
      return message(MessageType::TlConnectResult, wire::TlConnectResult{{}, {}, status(dice)});
    case 5:
      return message(MessageType::AllOffersDelivered);
    case 6:
      return message(MessageType::UnloadResponse);
    default:
      return message(MessageType::OpenChannelResult,
                     wire::OpenChannelResult{channel_id(dice), channel_id(dice), status(dice)});
  }
}

uint32_t MessageForger::channel_id(Dice& dice) const {
  if (!channels_.empty() && dice.chance(600)) return channels_[dice.below(channels_.size())];
  return dice.chance(500) ? dice.below(64) : dice.awkward();
}

uint32_t MessageForger::gpadl_id(Dice& dice) const {
  return dice.chance(700) ? last_gpadl_ - 4 + dice.below(8) : dice.awkward();
}

}  // namespace hv::host::hostile
