// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/log.hpp"

#include <algorithm>
#include <chrono>

namespace hv::host::vmbus {

void Log::line(const std::string& text) {
  const std::lock_guard lock(mutex_);
  if (!sink_) return;
  const int64_t now =
      std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
  if (last_ns_ != 0) credit_ = std::min(100.0, credit_ + static_cast<double>(now - last_ns_) / 1e9);
  last_ns_ = now;
  if (credit_ < 1) {
    dropped_++;
    return;
  }
  credit_ -= 1;
  if (dropped_ != 0) sink_("(" + std::to_string(dropped_) + " lines left out)");
  dropped_ = 0;
  sink_(text);
}

}  // namespace hv::host::vmbus
