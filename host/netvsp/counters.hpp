// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>

namespace hv::host::netvsp {

/// What passed through a NIC, and why a frame did not. "Sent" is by the guest. Any thread.
struct NicCounters {
  std::atomic<uint64_t> sent{0};  ///< frames
  std::atomic<uint64_t> sent_bytes{0};
  std::atomic<uint64_t> sent_large{0};      ///< frames that had to be cut (LSO)
  std::atomic<uint64_t> sent_checksums{0};  ///< frames whose checksum was asked for
  std::atomic<uint64_t> received{0};        ///< frames in the guest's buffer
  std::atomic<uint64_t> received_bytes{0};
  std::atomic<uint64_t> received_joined{
      0};  ///< of the frames those that were TCP segments joined (RSC)
  std::atomic<uint64_t> bad_packets{
      0};  ///< RNDIS messages and offload requests of the guest that are none
  std::atomic<uint64_t> stray_completions{0};
  std::atomic<uint64_t> path_switches{
      0};  ///< the guest asked for the virtual function's data path, or for ours
  std::atomic<uint64_t> dropped_sent{0};  ///< the link was down, or the backend took it not
  std::atomic<uint64_t> dropped_halted{
      0};  ///< sent by a guest that has not initialized the device, or has halted it
  std::atomic<uint64_t> dropped_filter{0};    ///< not for this guest
  std::atomic<uint64_t> dropped_no_room{0};   ///< the guest does not take them fast enough
  std::atomic<uint64_t> dropped_too_long{0};  ///< longer than the guest's MTU allows
  std::atomic<uint64_t> dropped_link{0};      ///< link down, or no guest
};

inline void count(std::atomic<uint64_t>& counter, uint64_t by = 1) {
  counter.fetch_add(by, std::memory_order_relaxed);
}

}  // namespace hv::host::netvsp
