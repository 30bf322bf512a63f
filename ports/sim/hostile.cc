// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <cstring>

#include "ports/sim/host.hpp"

// What a host does that means harm, or is broken.
namespace hv::sim {

namespace wire = hv::wire::vmbus;

void Host::tamper(std::deque<std::vector<std::byte>>& queue) {
  if (forgeries_left_ && rng_.chance(200)) {
    forgeries_left_--;
    const size_t at = rng_.below(static_cast<uint32_t>(queue.size() + 1));
    queue.insert(queue.begin() + static_cast<std::ptrdiff_t>(at), forged());
  }
  if (queue.empty()) return;
  auto& message = queue.front();
  switch (rng_.below(40)) {
    case 0:
      log_("hostile: drops a message");
      queue.pop_front();
      break;
    case 1:
    case 2:
      log_("hostile: repeats a message");
      queue.insert(queue.begin(), message);
      break;
    case 3:
      log_("hostile: changes a byte");
      if (!message.empty())
        message[rng_.below(static_cast<uint32_t>(message.size()))] =
            static_cast<std::byte>(rng_.next());
      break;
    case 4:
      log_("hostile: cuts a message short");
      message.resize(rng_.below(static_cast<uint32_t>(message.size() + 1)));
      break;
    case 5:
      if (queue.size() > 1) {
        log_("hostile: swaps two messages");
        std::swap(queue[0], queue[1]);
      }
      break;
    default:
      break;
  }
}

std::vector<std::byte> Host::forged() {
  std::vector<std::byte> bytes(8 + sizeof(wire::OfferChannel));
  const auto put = [&](size_t at, uint32_t value) { std::memcpy(bytes.data() + at, &value, 4); };
  const uint32_t type = rng_.chance(50) ? static_cast<uint32_t>(rng_.next()) : 1 + rng_.below(26);
  const uint32_t relid = rng_.chance(100) ? static_cast<uint32_t>(rng_.next()) : rng_.below(10);
  const uint32_t gpadl = 0xE1E10 + rng_.below(12);
  put(0, type);
  put(8, relid);
  put(12, gpadl);
  put(16, rng_.chance(700) ? 0 : 1);
  if (type == static_cast<uint32_t>(wire::MessageType::OfferChannel)) {
    wire::OfferChannel offer{};
    offer.class_id = "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid;
    offer.instance_id = "11111111-2222-3333-4444-555555555500"_guid;
    offer.instance_id.bytes[15] = static_cast<uint8_t>(1 + rng_.below(40));
    offer.sub_channel_index = static_cast<uint16_t>(rng_.chance(300) ? rng_.below(4) : 0);
    offer.channel_id = relid;
    offer.connection_id = static_cast<uint32_t>(rng_.next());
    std::memcpy(bytes.data() + 8, &offer, sizeof(offer));
  } else if (type == static_cast<uint32_t>(wire::MessageType::GpadlTorndown)) {
    put(8, gpadl);
  } else if (type == static_cast<uint32_t>(wire::MessageType::OpenChannelResult)) {
    put(12, 1 + rng_.below(12));
  }
  log_("hostile: forges message %u for %u", type, relid);
  return bytes;
}

void Host::scribble(Open& channel) {
  log_("hostile: scribbles over the rings of relid %u", channel.relid);
  const bool out = rng_.chance(500);
  const uint32_t first = out ? channel.out_first : channel.in_first;
  const uint32_t pages = out ? channel.pages_out : channel.pages_in;
  if (!memory_.allocated(first)) return;
  for (int i = 0; i < 8; i++) {
    // The control words, or a place in the data.
    const size_t at = rng_.chance(500)
                          ? 4 * rng_.below(4)
                          : 8 * rng_.below(static_cast<uint32_t>(pages * Memory::kPage / 8));
    const uint32_t value =
        rng_.chance(500) ? 8 * rng_.below(600) : static_cast<uint32_t>(rng_.next());
    std::memcpy(memory_.at(first) + at, &value, sizeof(value));
  }
}

}  // namespace hv::sim
