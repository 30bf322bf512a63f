// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <chrono>
#include <mutex>
#include <optional>

namespace hv::vmm {

/// When all vCPUs stand still, as while a host is saved, moved or overcommitted. Time goes on
/// behind it: clocks, timers and the devices do not stop, and the guest finds itself that much
/// later. Any thread plans, the event loop looks.
class Pause {
 public:
  using Clock = std::chrono::steady_clock;

  /// From `start` on, for `length`; none: until resume(). In place of what was planned before.
  void plan(Clock::time_point start, std::optional<std::chrono::seconds> length) {
    const std::lock_guard lock(mutex_);
    start_ = start;
    end_.reset();
    if (length) end_ = start + *length;
  }
  void resume() {
    const std::lock_guard lock(mutex_);
    start_.reset();
  }
  bool at(Clock::time_point now) const {
    const std::lock_guard lock(mutex_);
    return start_ && now >= *start_ && (!end_ || now < *end_);
  }

 private:
  mutable std::mutex mutex_;
  std::optional<Clock::time_point> start_;
  std::optional<Clock::time_point> end_;
};

}  // namespace hv::vmm
