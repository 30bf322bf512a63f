// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstddef>
#include <mutex>
#include <span>
#include <string>

namespace hv::vmm {

/// Looks for Linux's panic line in what the guest writes to its console: a guest that panics before
/// its bus driver is loaded has no other way to tell. Any thread.
class PanicWatch {
 public:
  void receive(std::span<const std::byte> bytes);

  bool seen() const { return seen_.load(std::memory_order_acquire); }
  /// The line, printable, from "Kernel panic" on; empty if there was none.
  std::string line() const;

 private:
  static constexpr size_t kLineMost = 300;  ///< of a longer line only the beginning is kept

  void end_of_line();

  mutable std::mutex mutex_;
  std::string current_;
  std::string panic_;
  std::atomic<bool> seen_{false};
};

}  // namespace hv::vmm
