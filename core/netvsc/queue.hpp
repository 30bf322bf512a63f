// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/netvsc/receiver.hpp"
#include "core/netvsc/transmitter.hpp"

namespace hv::netvsc {

/// One channel of an adapter: its rings, its slots, its two sides. Never moved, as the sides share
/// the slots. Concurrency: `sending()` under the port's lock of the channel, `receiving()` by one
/// caller; the two at once. `pay_completions` needs both.
class Queue {
 public:
  Queue(vmbus::RingWriter writer, vmbus::RingReader reader, const SlotPlan& plan,
        const QueueMemory& memory, bool primary)
      : plan_(plan),
        slots_(memory.slots),
        sending_(writer, slots_, plan, memory),
        receiving_(reader, slots_, plan, {}, primary) {}
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  const SlotPlan& plan() const { return plan_; }
  Transmitter& sending() { return sending_; }
  Receiver& receiving() { return receiving_; }
  const Receiver& receiving() const { return receiving_; }

  /// Stages completions of what was received, oldest first. Errors: RingFull (some are still owed),
  /// RingCorrupt.
  Result<void> pay_completions() {
    while (receiving_.owes()) {
      const auto& completion = receiving_.oldest();
      HV_TRY(sending_.send_completion(completion.id, completion.status));
      receiving_.pay();
    }
    return {};
  }

  /// The host has completed `slot` (an event Sent), and the port has let go of what it held: it may
  /// be used again. By the receiver.
  void release(uint16_t slot) {
    if (plan_.kind(slot) == SlotKind::Section) return sending_.sections().release(slot);
    if (plan_.kind(slot) == SlotKind::Pages) sending_.pages().release(slot);
  }

  /// Ends a request without the host: when it can no longer reach its pages, for the channel is
  /// closed, or nothing was published. Errors: BadId (not alive).
  Result<void> cancel(size_t slot) { return slots_.cancel(slot); }
  bool alive(size_t slot) const { return slots_.alive(slot); }
  /// Messages that the host has, dialogues included. Looks at every slot: for waiting alone.
  size_t in_flight() const {
    size_t count = 0;
    for (size_t slot = 0; slot < slots_.capacity(); slot++) count += slots_.alive(slot);
    return count;
  }

 private:
  SlotPlan plan_;
  SlotTable slots_;
  Transmitter sending_;
  Receiver receiving_;
};

}  // namespace hv::netvsc
