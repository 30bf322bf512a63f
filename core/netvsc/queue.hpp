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
  Queue(const vmbus::Rings& rings, const SlotPlan& plan, const QueueMemory& memory, bool primary)
      : plan_(plan),
        slots_(memory.slots),
        sending_(rings.out, slots_, plan, memory),
        receiving_(rings.in, slots_, plan, {}, primary) {}
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

  /// Shows the host what is copied and what is staged; what finds no room stays for the next time.
  /// Yes: signal it. By the sender.
  vmbus::Signal publish() {
    (void)sending_.flush().ok();
    return sending_.publish();
  }
  /// Ends a round of receiving: `pay` the completions that are owed, and publish all that is
  /// staged, unless completions `may_wait` for the next frame and do so; then a timer of
  /// Piggyback::kPeriodMs has to run, if it does not. `again`: completions found no room. Needs
  /// both sides.
  vmbus::RoundEnd finish_round(bool pay, bool may_wait) {
    const Result<void> paid = pay ? pay_completions() : Result<void>();
    if (paid.ok() && may_wait && sending_.may_wait()) return {.arm_timer = true};
    const bool full = !paid && paid.error() == Error::RingFull;
    return {.signal = publish(), .again = full, .broken = !paid && !full};
  }
  /// The timer of completions that wait has run out. By the sender.
  vmbus::RoundEnd wait_expired() {
    switch (sending_.wait_expired()) {
      case Piggyback::Due::Nothing:
        break;
      case Piggyback::Due::Later:
        return {.arm_timer = true};
      case Piggyback::Due::Now:
        return {.signal = publish()};
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
