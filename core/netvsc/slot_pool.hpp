// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "core/base/result.hpp"

namespace hv::netvsc {

/// Numbers [first, first + count) that are free to be used. Taken by the sender, given back by the
/// receiver, who run at once: the way back is a ring of its own, so that neither waits nor does an
/// atomic read-modify-write. What was freed last is taken first, while it is still warm.
/// Concurrency: `take` and `put_back` one caller at a time; `release` likewise, on any CPU.
/// Each number is in one place at a time: taken, or free. The caller sees to that (a slot is
/// released once).
class SlotPool {
 public:
  /// `stack` has `count` places, `returned` a power of two of places that is more than `count`.
  /// Both outlive the pool. There is nothing to take before `fill`.
  SlotPool(std::span<uint16_t> stack, std::span<uint16_t> returned)
      : stack_(stack), returned_(returned) {}

  /// Makes [first, first + count) free, once; count is at most that of the places.
  void fill(uint16_t first, uint16_t count) {
    // The lowest number is on top.
    for (uint16_t i = 0; i < count; i++) stack_[i] = static_cast<uint16_t>(first + count - 1 - i);
    depth_ = count;
  }

  /// Places that `returned` needs for `count` numbers.
  static constexpr size_t ring_size(size_t count) {
    size_t size = 1;
    while (size <= count) size *= 2;
    return size;
  }

  /// Errors: Exhausted.
  Result<uint16_t> take() {
    collect();
    if (depth_ == 0) return Error::Exhausted;
    return stack_[--depth_];
  }
  /// What was taken and not used.
  void put_back(uint16_t number) { stack_[depth_++] = number; }

  /// Whether `take` would succeed. By the taker.
  bool empty() {
    if (depth_ == 0) collect();
    return depth_ == 0;
  }

  void release(uint16_t number) {
    const uint32_t tail = tail_.load(std::memory_order_relaxed);
    returned_[tail & (returned_.size() - 1)] = number;
    tail_.store(tail + 1, std::memory_order_release);
  }

 private:
  void collect() {
    const uint32_t tail = tail_.load(std::memory_order_acquire);
    while (head_ != tail && depth_ < stack_.size()) {
      stack_[depth_++] = returned_[head_ & (returned_.size() - 1)];
      head_++;
    }
  }

  std::span<uint16_t> stack_;
  std::span<uint16_t> returned_;
  uint32_t depth_ = 0;
  uint32_t head_ = 0;
  std::atomic<uint32_t> tail_{0};
};

}  // namespace hv::netvsc
