// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <cstring>

#include "core/wire/netvsc.hpp"
#include "core/wire/rndis.hpp"
#include "ports/sim/net/nic_channel.hpp"

// What a network adapter's host does that means harm, or is broken.
namespace hv::sim::net {

namespace {

using wire::netvsc::MessageType;

/// A packet of the host's own making: an NVSP message with two words behind its type.
void stage(hv::vmbus::RingWriter& ring, wire::PacketType packet, uint64_t id, MessageType type,
           uint32_t one, uint32_t two) {
  std::byte bytes[wire::netvsc::kMessageSize]{};
  const uint32_t words[] = {static_cast<uint32_t>(type), one, two};
  std::memcpy(bytes, words, sizeof(words));
  if (ring.stage(packet, 0, id, {}, bytes).ok()) (void)ring.commit();
}

}  // namespace

void SimNic::harm(Channel& channel) {
  switch (rng_.below(5)) {
    case 0: {
      // A completion of some kind for some slot: ids are easily guessed.
      constexpr MessageType kinds[] = {MessageType::SendRndisPacketComplete,
                                       MessageType::InitComplete, MessageType::SubChannel,
                                       MessageType::SendReceiveBufferComplete};
      const uint64_t generation = 1 + 2 * rng_.below(12);
      const uint64_t id = generation << 32 | (1 + rng_.below(12));
      log_("hostile: completes what may not be there");
      stage(channel.outgoing(), wire::PacketType::Completion, id,
            kinds[rng_.chance(700) ? 0 : rng_.below(4)], 1, 1);
      break;
    }
    case 1:
      log_("hostile: says something unasked");
      {
        // One by one: the order in which arguments are made is the compiler's.
        const auto type =
            rng_.chance(500) ? MessageType::SendVfAssociation : MessageType::SendIndirectionTable;
        const uint32_t one = rng_.below(20);
        const uint32_t two = rng_.below(64);
        stage(channel.outgoing(), wire::PacketType::DataInBand, 0, type, one, two);
      }
      break;
    default: {
      // The front of a message in the receive buffer, while the guest looks at it: per-packet
      // information of an impossible size.
      if (receive_pages_.empty() || shared_.session.receive_sections().count == 0) break;
      const uint32_t section = rng_.below(shared_.session.receive_sections().count) *
                               shared_.session.receive_sections().size;
      const uint64_t page = receive_pages_[(section / Memory::kPage) % receive_pages_.size()];
      if (!memory_.allocated(static_cast<uint32_t>(page))) break;
      log_("hostile: changes a message that was given");
      std::byte* at = memory_.at(static_cast<uint32_t>(page)) + section % Memory::kPage;
      const uint32_t words[] = {
          36 + rng_.below(8), 16 + 4 * rng_.below(8)};  // where the information is, and its length
      if (section % Memory::kPage + 64 > Memory::kPage) break;
      std::memcpy(at + 28, words, sizeof(words));
      const uint32_t item[] = {rng_.chance(400) ? 0 : rng_.below(40), rng_.below(12), 12};
      std::memcpy(at + 44, item, sizeof(item));
      break;
    }
  }
}

}  // namespace hv::sim::net
