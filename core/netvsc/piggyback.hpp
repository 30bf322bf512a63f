// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>

#include "core/vmbus/ring.hpp"

namespace hv::netvsc {

/// Whether completions of received frames wait for a frame that goes out soon, so that one signal
/// tells the host of both. They do where it was seen to spare one: the host was woken for
/// completions, and slept again before the frame. That is looked at anew every kRounds. A timer of
/// the port sees to it that they do not wait for long; after a wait in vain there is none for a
/// while. Concurrency: one caller at a time (the port's lock of the channel).
class Piggyback {
 public:
  /// Of the timer, which runs while completions wait: they do so for less than twice as long.
  static constexpr uint32_t kPeriodMs = 20;
  /// More completions are not kept from the host.
  static constexpr uint32_t kMost = 64;
  /// Rounds of receiving: in which completions wait once it was seen to be good, and in which none
  /// do after a wait in vain.
  static constexpr uint32_t kRounds = 63;

  /// A frame is staged.
  void frame() { frame_ = true; }
  /// A completion is staged.
  void completion() { waiting_++; }
  /// The host is shown all that is staged.
  void published(vmbus::Signal signal) {
    const bool woken = signal == vmbus::Signal::Yes;
    if (frame_) {
      if (woken_ && woken && doubt_ == 0) rounds_ = kRounds;
      woken_ = false;
    } else if (waiting_ != 0) {
      woken_ = woken;
    }
    frame_ = false;
    waiting_ = 0;
    fresh_ = true;
  }
  /// A round of receiving ends: whether what it staged may wait. The timer is to run then.
  bool may_wait() {
    if (waiting_ == 0) return false;
    if (doubt_ != 0) doubt_--;
    if (rounds_ == 0) return false;
    rounds_--;
    return waiting_ <= kMost;
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
    doubt_ = kRounds;
    rounds_ = 0;
    return Due::Now;
  }

 private:
  uint32_t waiting_ = 0;  ///< completions that the host has not seen
  uint32_t rounds_ = 0;   ///< that may wait
  uint32_t doubt_ = 0;    ///< rounds
  bool frame_ = false;    ///< staged since the last publication
  bool woken_ = false;    ///< the host, by the last publication, for completions alone
  bool fresh_ = false;    ///< something was published since the timer last ran out
};

}  // namespace hv::netvsc
