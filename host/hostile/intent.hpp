// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "host/hostile/dice.hpp"

namespace hv::host::hostile {

struct Plan {
  uint64_t seed = 0;
  uint32_t rate = 100;                             ///< per mille of what passes by
  std::optional<std::chrono::seconds> after = {};  ///< since the start; none: when somebody says so
};

/// What a hostile host does.
enum class Deed {
  TamperedMessage,  ///< a control message left otherwise than it should
  ForgedMessage,    ///< a control message that nobody asked for
  TamperedPacket,
  ForgedPacket,
  Scribble,       ///< over the shared memory of a ring
  SpoiltMessage,  ///< an RNDIS message in a receive buffer left otherwise than it should
  ForgedRndis,    ///< an RNDIS message that nobody sends
  Signal,         ///< an event flag for nothing
  Count,
};
const char* name(Deed deed);

/// Whether the host means harm now, from which seed, and how often. Starts honest.
/// Concurrency: any thread.
class Intent {
 public:
  /// From now on harm is done. Each place where it is done draws anew from `seed`.
  void start(uint64_t seed, uint32_t rate);
  void stop() { evil_.store(false, std::memory_order_release); }
  bool evil() const { return evil_.load(std::memory_order_acquire); }

  uint64_t seed() const { return seed_.load(std::memory_order_relaxed); }
  uint32_t rate() const { return rate_.load(std::memory_order_relaxed); }
  /// Counts the starts.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

  void did(Deed deed) { deeds_[static_cast<size_t>(deed)].fetch_add(1, std::memory_order_relaxed); }
  uint64_t deeds(Deed deed) const {
    return deeds_[static_cast<size_t>(deed)].load(std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> evil_{false};
  std::atomic<uint64_t> seed_{0};
  std::atomic<uint32_t> rate_{0};
  std::atomic<uint64_t> generation_{0};
  std::array<std::atomic<uint64_t>, static_cast<size_t>(Deed::Count)> deeds_{};
};

/// The dice of one place: what other places draw, and when, does not matter to it. Its owner's lock
/// protects it.
class Stream {
 public:
  Stream(const Intent& intent, uint64_t place) : intent_(intent), place_(place), dice_(0) {}
  Dice& dice() {
    if (const uint64_t now = intent_.generation(); now != generation_) {
      generation_ = now;
      dice_ = Dice(Dice(intent_.seed()).next() + place_);
    }
    return dice_;
  }
  /// Whether what passes now is to be harmed.
  bool strikes() { return intent_.evil() && dice().chance(intent_.rate()); }

 private:
  const Intent& intent_;
  const uint64_t place_;
  uint64_t generation_ = 0;
  Dice dice_;
};

}  // namespace hv::host::hostile
