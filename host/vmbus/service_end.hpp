// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/vmbus/device.hpp"

namespace hv::host::vmbus {

/// A service's end of an open channel, which it works on round by round: packets are taken, room is
/// given back, answers are sent, and the round ends. A ring that makes no sense breaks the channel
/// off: nothing is taken or sent any more. Concurrency: one thread, but for `wake`, `stop`,
/// `broken` and `stopping`, which any may call.
class ServiceEnd {
 public:
  /// Throws std::runtime_error when the system gives no eventfd.
  explicit ServiceEnd(OpenChannel& channel);
  ~ServiceEnd();
  ServiceEnd(const ServiceEnd&) = delete;
  ServiceEnd& operator=(const ServiceEnd&) = delete;

  OpenChannel& open() { return channel_; }
  uint16_t index() const { return channel_.index(); }
  bool primary() const { return index() == 0; }

  /// The next packet, in this object until the next one; none: there is none, or the channel is
  /// broken.
  std::optional<hv::vmbus::Packet> take();
  /// The guest gets the room of what was taken. To be called before a round ends.
  void give_back();
  /// Stages a packet. False: there is no room, or the channel is broken.
  bool send(wire::PacketType type, uint64_t transaction_id, std::span<const std::byte> payload);
  /// Something was staged in the ring by others than `send`.
  void staged() { staged_ = true; }
  /// Shows the guest what was staged, and signals it when it has to know of that, or of the room.
  void end_round();

  /// Whether there is nothing to do but to wait. `room`: bytes in the ring to the guest that are
  /// waited for, 0: none; `takes`: packets would be taken. True: the guest signals when there is
  /// something for us, unless the channel is broken.
  bool may_sleep(size_t room, bool takes);
  /// Until the guest signals, somebody wakes, or that time has come. For a service that waits for
  /// nothing else.
  void wait(std::optional<std::chrono::steady_clock::time_point> until = {});
  /// The guest need not signal: its packets are looked for.
  void mask() { channel_.incoming().mask(); }

  void break_off(const std::string& why);
  bool broken() const { return broken_.load(std::memory_order_acquire); }

  int wake_fd() const { return wake_fd_; }
  void wake();
  void stop();
  bool stopping() const { return stopping_.load(std::memory_order_acquire); }

 private:
  void spoil_ring();

  OpenChannel& channel_;
  int wake_fd_;
  std::atomic<bool> stopping_{false};
  std::atomic<bool> broken_{false};
  bool taken_ = false;   ///< something for `give_back`
  bool staged_ = false;  ///< something for `end_round`
  bool signal_due_ = false;
  bool wished_ = false;  ///< for room: the guest was asked to signal
  std::vector<std::byte> packet_;
};

}  // namespace hv::host::vmbus
