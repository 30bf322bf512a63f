// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>

#include "core/base/patience.h"

namespace hv::netvsc {

/// A queue that the host lets wait so long, with all that it takes at once in its hands, has lost
/// its completions: the adapter is to be opened anew. Seconds.
inline constexpr unsigned kStallSeconds = 15;

/// Looks at one queue while it is stopped, HV_PATIENCE_STEP apart at most. Concurrency: one caller.
class Stall {
 public:
  /// `stops`: how often the queue was stopped so far. True: this stop lasts for too long.
  bool over(uint32_t stops, uint64_t now) {
    if (waiting_ && stops == seen_) return hv_patience_over(&patience_, now);
    waiting_ = true;
    seen_ = stops;
    hv_patience_begin(&patience_, now, kStallSeconds * 1000);
    return false;
  }

 private:
  bool waiting_ = false;
  uint32_t seen_ = 0;
  hv_patience patience_{};
};

}  // namespace hv::netvsc
