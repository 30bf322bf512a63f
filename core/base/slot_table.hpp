// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/result.hpp"

namespace hv {

/// One request that may be in flight. Bit 0 of `state` says whether it is; the bits above are its
/// generation.
class Slot {
 public:
  constexpr Slot() = default;

 private:
  friend class SlotTable;
  std::atomic<uint32_t> state_{0};
};

/// Which requests are alive. The ids it makes are what goes to the other side as transaction ids:
/// generation in the upper half, slot number plus one in the lower, so that 0 is never an id. What
/// comes back is accepted once, by `take`, and only while it is alive: a forged, stale or repeated
/// id is BadId.
///
/// The owner says which slot to use (a block layer's tag, an index of its own free list): no
/// search, no allocation. `arm` and `take` may run on different CPUs at once; two `arm`s of one
/// slot may not (the tag is theirs alone). What a submitter wrote before `arm` is seen by who got
/// the slot from `take`.
class SlotTable {
 public:
  /// `slots` outlives the table.
  constexpr explicit SlotTable(std::span<Slot> slots) : slots_(slots) {}

  size_t capacity() const { return slots_.size(); }

  /// Makes `slot` alive and gives the id to send. Errors: BadId (no such slot), BadState (it is
  /// alive already).
  Result<uint64_t> arm(size_t slot) {
    if (slot >= slots_.size()) return Error::BadId;
    const uint32_t state = slots_[slot].state_.load(std::memory_order_relaxed);
    if (state & kAlive) return Error::BadState;
    const uint32_t next = state + kGenerationStep + kAlive;
    slots_[slot].state_.store(next, std::memory_order_release);
    return id_of(slot, next);
  }

  /// Ends the life of the request `id` and gives its slot. Exactly one caller gets it. Errors:
  /// BadId.
  Result<size_t> take(uint64_t id) {
    const auto slot = HV_TRY(find(id));
    uint32_t expected = state_of(id);
    if (!slots_[slot].state_.compare_exchange_strong(
            expected, expected & ~kAlive, std::memory_order_acquire, std::memory_order_relaxed)) {
      return Error::BadId;
    }
    return slot;
  }

  /// Ends the life of whatever is in `slot`, for draining and for a submit that failed. Errors:
  /// BadId (nothing alive there).
  Result<void> cancel(size_t slot) {
    if (slot >= slots_.size()) return Error::BadId;
    uint32_t state = slots_[slot].state_.load(std::memory_order_relaxed);
    while (state & kAlive) {
      if (slots_[slot].state_.compare_exchange_weak(
              state, state & ~kAlive, std::memory_order_acquire, std::memory_order_relaxed)) {
        return {};
      }
    }
    return Error::BadId;
  }

  bool alive(size_t slot) const {
    return slot < slots_.size() && (slots_[slot].state_.load(std::memory_order_acquire) & kAlive);
  }

 private:
  static constexpr uint32_t kAlive = 1;
  static constexpr uint32_t kGenerationStep = 2;

  static constexpr uint64_t id_of(size_t slot, uint32_t state) {
    return (static_cast<uint64_t>(state) << 32) | (static_cast<uint32_t>(slot) + 1);
  }
  static constexpr uint32_t state_of(uint64_t id) { return static_cast<uint32_t>(id >> 32); }

  Result<size_t> find(uint64_t id) const {
    const uint32_t low = static_cast<uint32_t>(id);
    if (low == 0 || low > slots_.size() || !(state_of(id) & kAlive)) return Error::BadId;
    return low - 1;
  }

  std::span<Slot> slots_;
};

}  // namespace hv
