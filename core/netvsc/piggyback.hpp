// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>

namespace hv::netvsc {

/// Whether completions of received frames wait for a frame that goes out soon, so that one signal tells the host of both. What came is mostly
/// answered: then they wait. A timer of the port sees to it that they do not wait for long; after a wait in vain there is none for a while.
/// Concurrency: one caller at a time (the port's lock of the channel).
class Piggyback {
 public:
  /// Of the timer, which runs while completions wait: they do so for less than twice as long.
  static constexpr uint32_t kPeriodMs = 20;
  /// More completions are not kept from the host.
  static constexpr uint32_t kMost = 64;
  /// Rounds of receiving in which none wait, after a wait in vain.
  static constexpr uint32_t kDoubt = 64;

  /// A frame is to go out.
  void answered() { answered_ = true; }
  /// A completion is staged.
  void staged() { waiting_++; }
  /// The host is shown all that is staged.
  void published() {
    waiting_ = 0;
    fresh_ = true;
  }
  /// A round of receiving ends: whether what it staged may wait. The timer is to run then.
  bool may_wait() {
    if (waiting_ == 0) return false;
    const bool likely = answered_ && doubt_ == 0;
    answered_ = false;
    if (doubt_ != 0) doubt_--;
    return likely && waiting_ <= kMost;
  }

  enum class Due : uint8_t {
    Nothing,  ///< none waits; the timer may rest
    Later,    ///< they wait since less than a period: the timer is to run once more
    Now,      ///< they have waited in vain: publish
  };
  /// The timer has run out.
  Due expired() {
    if (waiting_ == 0) return Due::Nothing;
    if (fresh_) {
      fresh_ = false;
      return Due::Later;
    }
    doubt_ = kDoubt;
    return Due::Now;
  }

 private:
  uint32_t waiting_ = 0;   ///< completions that the host has not seen
  uint32_t doubt_ = 0;
  bool answered_ = false;  ///< since the last round that had completions
  bool fresh_ = false;     ///< something was published since the timer last ran out
};

}  // namespace hv::netvsc
