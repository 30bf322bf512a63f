// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>
#include <thread>

#include "core/wire/vmbus.hpp"

namespace hv::host::vmbus {

/// A guest's monitor page (child to parent), as the host uses it. The guest writes to it at any
/// time: of what is read only bits that somebody watches count, and nothing that the host has
/// written is read back. Concurrency: one caller at a time.
class MonitorPage {
 public:
  /// `bytes`: the page, aligned to its size.
  explicit MonitorPage(std::span<std::byte> bytes);

  /// Tells the guest what the monitor signals, and how soon (units of 100 ns).
  void publish(uint8_t monitor, uint32_t connection_id, uint16_t latency);
  void withdraw(uint8_t monitor);

  /// Clears those of `wanted` (a bit each) that the guest has set in `group`, and returns them.
  /// What the guest wrote before it set them is visible then.
  uint32_t take(uint32_t group, uint32_t wanted);

 private:
  void enable_groups();

  hv::wire::vmbus::MonitorPage* page_;
  std::array<uint32_t, hv::wire::vmbus::kMonitorGroups> published_{};
};

/// Looks at the triggers of the open channels that have a monitor, as often as kLatency says, and
/// passes each on to the eventfd of its channel. The thread sleeps while none is open. Concurrency:
/// all methods from any thread, one at a time.
class MonitorWatch {
 public:
  /// How long a signal may wait. On Hyper-V it is 0.1 to 1 ms.
  static constexpr std::chrono::microseconds kLatency{1000};

  MonitorWatch() = default;
  ~MonitorWatch();
  MonitorWatch(const MonitorWatch&) = delete;
  MonitorWatch& operator=(const MonitorWatch&) = delete;

  void begin(std::span<std::byte> page);
  /// On return the page is not in use.
  void end();

  // Nothing happens for a monitor of kNoMonitor, or without a page.
  void publish(uint8_t monitor, uint32_t connection_id);
  void withdraw(uint8_t monitor);
  /// `event_fd` stays open until forget() has returned; nothing is written to it after that.
  void watch(uint8_t monitor, int event_fd);
  void forget(uint8_t monitor);

  /// Looks once, as the thread does again and again. Returns how many signals were passed on.
  size_t look();

 private:
  void work();
  size_t look_locked();
  bool watching() const;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<MonitorPage> page_;
  std::array<uint32_t, hv::wire::vmbus::kMonitorGroups> watched_{};
  std::array<int, hv::wire::vmbus::kMonitors> event_fds_{};
  bool stop_ = false;
  std::thread thread_;  ///< begins with the first page
};

}  // namespace hv::host::vmbus
