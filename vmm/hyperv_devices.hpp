// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <memory>

#include "vmm/end.hpp"
#include "vmm/event_log.hpp"
#include "vmm/options.hpp"

namespace hv::vmm {

class KvmMachine;
class Pause;

/// Throws Failure if a disk file is missing or may not be used as asked for. Before the machine is
/// made, so that a wrong file is named at once.
void check_disks(const RunOptions& options);

/// The Hyper-V side of one run, made from the options: bus, disks, control socket.
class HyperVDevices {
 public:
  /// Becomes the machine's message sink until it dies, and stops the machine then. Throws Failure,
  /// naming what could not be opened.
  HyperVDevices(const RunOptions& options, KvmMachine& machine, Pause& pause, EndBox& end,
                EventLog& log);
  ~HyperVDevices();
  HyperVDevices(const HyperVDevices&) = delete;
  HyperVDevices& operator=(const HyperVDevices&) = delete;

 private:
  struct Parts;
  KvmMachine& machine_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hv::vmm
