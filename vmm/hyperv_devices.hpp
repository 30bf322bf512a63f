// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <memory>

#include "host/machine.hpp"
#include "vmm/end.hpp"
#include "vmm/options.hpp"

namespace hv::vmm {

class KvmMachine;

/// The Hyper-V side of one run, made from the options: bus, disks, control socket.
class HyperVDevices {
 public:
  /// Throws Failure, naming what could not be opened.
  HyperVDevices(const RunOptions& options, KvmMachine& machine, EndBox& end);
  ~HyperVDevices();

  host::MessageSink* sink();

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace hv::vmm
