// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <liburing.h>

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "host/backends/block_backend.hpp"

namespace hv::host {

/// What one thread waits for: the I/O it submitted and the eventfds it watches, behind one system
/// call. Where the kernel has no io_uring it does the same with poll and plain reads and writes.
/// Concurrency: made, used and destroyed by one thread. Everything submitted must have completed
/// before it dies.
class IoQueue {
 public:
  struct Event {
    uint64_t token;
    int64_t result;  ///< bytes moved or 0; negative: an errno. For a watched eventfd: its count.
  };

  explicit IoQueue(bool allow_uring = true);
  ~IoQueue();
  IoQueue(const IoQueue&) = delete;
  IoQueue& operator=(const IoQueue&) = delete;

  /// Queues `io`; the kernel sees it with the next `wait` or `poll`. A backend without a descriptor
  /// performs it here, and so are small writes that need not be durable. `token` is not one of the
  /// watched ones. `io` and its buffers live until the event comes.
  void submit(BlockBackend& backend, const BlockIo& io, uint64_t token);

  /// Watches an eventfd (at most two): an event with `token` each time somebody wrote to it; the
  /// count is taken out of it. From now on nobody else reads it, and the descriptor is a blocking
  /// one.
  void watch(int event_fd, uint64_t token);

  /// Hands over what is queued and waits until there is at least one event. The events are valid
  /// until the next call.
  std::span<const Event> wait() { return collect(true); }
  /// Hands over what is queued and takes what has completed already, without waiting.
  std::span<const Event> poll() { return collect(false); }

  bool uses_uring() const { return uring_; }
  uint64_t system_calls() const { return system_calls_; }

 private:
  struct Watch {
    int fd = -1;
    uint64_t token = 0;
    uint64_t count = 0;
    bool armed = false;
  };
  static constexpr unsigned kEntries = 256;
  static constexpr uint64_t kInternal = ~uint64_t{0};

  io_uring_sqe* entry();
  void arm(Watch& watch);
  std::span<const Event> collect(bool wait);
  void reap();
  void collect_without_uring(bool wait);
  void note(uint64_t token, int64_t result);

  io_uring ring_{};
  bool uring_ = false;
  unsigned queued_ = 0;  ///< entries the kernel has not seen
  std::array<Watch, 2> watches_;
  std::vector<Event> ready_;   ///< completed before the next collect
  std::vector<Event> events_;  ///< what the last collect gave out
  uint64_t system_calls_ = 0;
};

}  // namespace hv::host
