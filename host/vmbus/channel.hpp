// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "host/faults/faults.hpp"
#include "host/vmbus/control.hpp"
#include "host/vmbus/device.hpp"
#include "host/vmbus/log.hpp"

namespace hv::host::vmbus {

/// An open channel: both rings mapped with their mirrors, the guest's signal bound to an eventfd.
/// Made and destroyed by the server's thread; in between the device's threads use it.
class ServedChannel final : public OpenChannel {
 public:
  /// Errors: NoMemory (no eventfd), BadValue (a page is not RAM), Exhausted (the signal's id is
  /// taken), and the ring's own.
  static Result<std::unique_ptr<ServedChannel>> create(Machine& machine, const OpenRings& rings,
                                                       std::string name, Faults& faults, Log& log);
  ~ServedChannel() override;

  uint16_t index() const override { return index_; }
  hv::vmbus::RingReader& incoming() override { return *incoming_; }
  hv::vmbus::RingWriter& outgoing() override { return *outgoing_; }
  int signal_fd() const override { return signal_fd_; }
  void signal_guest() override;
  Machine& machine() override { return machine_; }
  uint32_t vp() const override { return vp_.load(std::memory_order_relaxed); }
  void fail(const std::string& why) override;
  bool breaks() override { return faults_.break_ring.strikes(name_); }

  /// No interrupt goes to the old VP once this has returned.
  void retarget(uint32_t vp);
  uint32_t relid() const { return relid_; }
  uint8_t monitor() const { return monitor_; }  ///< kNoMonitor: none
  bool failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  ServedChannel(Machine& machine, const OpenRings& rings, std::string name, Faults& faults,
                Log& log);
  Result<void> map(const OpenRings& rings);

  Machine& machine_;
  Faults& faults_;
  Log& log_;
  std::string name_;
  uint16_t index_;
  uint32_t relid_;
  uint32_t connection_id_;
  uint8_t monitor_;
  std::mutex target_;  ///< held while an interrupt is on its way
  std::atomic<uint32_t> vp_;
  std::atomic<bool> failed_{false};
  int signal_fd_ = -1;
  bool bound_ = false;
  std::unique_ptr<Mapping> incoming_pages_;
  std::unique_ptr<Mapping> outgoing_pages_;
  std::optional<hv::vmbus::RingReader> incoming_;
  std::optional<hv::vmbus::RingWriter> outgoing_;
};

}  // namespace hv::host::vmbus
