// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>

namespace hv::netvsc {

/// When an adapter that does not work is closed and opened anew: soon at first, then at intervals
/// that grow, so that a host that breaks it again and again costs bounded work and few messages. An
/// adapter that was open for kCalm is trusted again. Times are milliseconds of a clock that does
/// not go back. Concurrency: one caller.
class Recovery {
 public:
  static constexpr uint32_t kFirst = 250;
  static constexpr uint32_t kMost = 60'000;
  static constexpr uint64_t kCalm = 120'000;

  /// The adapter is open.
  void opened(uint64_t now) {
    open_ = true;
    since_ = now;
  }
  /// It broke, or did not open. How long to wait before the next try.
  uint32_t broke(uint64_t now) {
    if (open_ && now - since_ >= kCalm) next_ = kFirst;
    open_ = false;
    const uint32_t wait = next_;
    next_ = wait < kMost / 2 ? wait * 2 : kMost;
    return wait;
  }

 private:
  bool open_ = false;
  uint32_t next_ = kFirst;
  uint64_t since_ = 0;
};

/// A queue that the host lets wait so long, with all that it takes at once in its hands, has lost
/// its completions: the adapter is opened anew. Seconds.
inline constexpr unsigned kStallSeconds = 15;

}  // namespace hv::netvsc
