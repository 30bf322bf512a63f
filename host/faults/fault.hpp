// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace hv::host {

/// Something that real hosts do and that a guest must live with, off until somebody sets it: an
/// answer that comes late, a request that fails. The place where it happens asks. Concurrency: any
/// thread; while it is off, asking costs one load.
class Fault {
 public:
  /// What its value means; 0 is always off.
  enum class Unit : uint8_t {
    Switch,   ///< 1: it happens each time
    Next,     ///< it happens the next so many times
    Every,    ///< it happens each so many times: 1 each time, 3 each third
    Seconds,  ///< so long it takes
  };
  Fault(const char* name, Unit unit, const char* help) : name_(name), help_(help), unit_(unit) {}
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  const char* name() const { return name_; }
  const char* help() const { return help_; }
  Unit unit() const { return unit_; }
  uint32_t max() const;

  /// From now on; what was counted begins anew. `device`: only with those whose name, as the
  /// methods `devices`, `disk.list` and `nic.list` say it, begins so; empty: with all. False: more
  /// than max().
  bool set(uint32_t value, std::string_view device = {});

  /// The place where it happens was reached, for this device: whether it happens now. Not for
  /// Seconds.
  bool strikes(std::string_view device = {});
  /// How long it takes now; 0: as ever. For Seconds.
  std::chrono::seconds delay(std::string_view device = {});

  struct Status {
    uint32_t value;
    std::string device;
    uint64_t struck;  ///< how often it has happened since the start
  };
  Status status() const;

 private:
  bool concerns(std::string_view device) const { return device.starts_with(device_); }

  const char* const name_;
  const char* const help_;
  const Unit unit_;
  std::atomic<bool> on_{false};
  mutable std::mutex mutex_;  ///< of all below
  uint32_t value_ = 0;
  uint32_t passed_ = 0;  ///< Every: since it struck last
  uint64_t struck_ = 0;
  std::string device_;
};

}  // namespace hv::host
