// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace hv::host::vmbus {

/// A number that one thread counts up and any thread reads: no locked instruction.
class Counter {
 public:
  void add(uint64_t n = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  uint64_t read() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

/// What passed through one channel since it was opened. "In" is from the guest. Counted by the
/// thread that serves the channel.
struct ChannelCounters {
  Counter signals_in;   ///< hypercalls of the guest, as many as the eventfd saw
  Counter signals_out;  ///< event flags set for the guest
  Counter packets_in;
  Counter packets_out;
  Counter bytes_in;  ///< of packets, without descriptors
  Counter bytes_out;
};

}  // namespace hv::host::vmbus
