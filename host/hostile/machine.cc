// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/machine.hpp"

#include <utility>

#include "core/wire/vmbus.hpp"

namespace hv::host::hostile {

namespace wire = hv::wire::vmbus;

bool Machine::post_message(uint32_t vp, uint32_t sint, uint32_t message_type,
                           std::span<const std::byte> payload) {
  const std::lock_guard lock(mutex_);
  forger_.listen(payload);
  if (!stream_.strikes()) return inner_.post_message(vp, sint, message_type, payload);
  intent_.did(Deed::TamperedMessage);
  bool taken = true;
  for (const Message& message : forger_.tamper(stream_.dice(), {payload.begin(), payload.end()})) {
    taken = inner_.post_message(vp, sint, message_type, message) && taken;
  }
  return taken;
}

void Machine::signal_event(uint32_t vp, uint32_t sint, uint32_t flag) {
  inner_.signal_event(vp, sint, flag);
}

void Machine::attack(Dice& dice) {
  const uint32_t vp = dice.below(vp_count());
  if (dice.chance(400)) {
    intent_.did(Deed::Signal);
    return signal_event(vp, wire::kMessageSint,
                        dice.chance(700) ? dice.below(64) : dice.below(wire::kMaxChannels));
  }
  // A message of another kind than VMBus's: an expired timer (0x80000010), an unhandled intercept,
  // or none that exists.
  static constexpr std::array<uint32_t, 4> kTypes = {0x80000010, 0x80000000, 0x80010000,
                                                     0xffffffff};
  const uint32_t type = dice.chance(900) ? wire::kSynicMessageType : dice.pick(kTypes);
  const std::lock_guard lock(mutex_);
  intent_.did(Deed::ForgedMessage);
  (void)inner_.post_message(vp, wire::kMessageSint, type, forger_.forge(dice));
}

}  // namespace hv::host::hostile
