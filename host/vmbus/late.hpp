// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace hv::host::vmbus {

/// A control message of the guest, a private copy.
struct GuestMessage {
  uint32_t connection_id;
  std::vector<std::byte> bytes;
};

/// MODIFY_CHANNEL messages that the host takes its time for (the fault modify-delay). They are done
/// in their order, and before the guest closes or gives back a channel: it asked before that. One
/// caller at a time.
class LateMessages {
 public:
  using Clock = std::chrono::steady_clock;

  static bool is_modify(std::span<const std::byte> message);
  /// Whether what was kept has to be done before this message.
  static bool goes_after(std::span<const std::byte> message);

  /// Keeps `message` until `due`, and until those that were kept before.
  void keep(GuestMessage message, Clock::time_point due);
  /// The first one, if it is due at `now`.
  std::optional<GuestMessage> take(Clock::time_point now);
  /// The first one, due or not.
  std::optional<GuestMessage> take();
  /// The guest that asked for them has gone.
  void drop() { kept_.clear(); }

  size_t count() const { return kept_.size(); }
  /// When `take` is needed next; none: nothing is kept.
  std::optional<Clock::time_point> due() const;

 private:
  struct Kept {
    Clock::time_point due;
    GuestMessage message;
  };
  std::deque<Kept> kept_;
};

}  // namespace hv::host::vmbus
