// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/hyperv_devices.hpp"

#include "vmm/machine.hpp"

namespace hv::vmm {

struct HyperVDevices::Parts {};

HyperVDevices::HyperVDevices(const RunOptions&, KvmMachine&, EndBox&) : parts_(std::make_unique<Parts>()) {}
HyperVDevices::~HyperVDevices() = default;
host::MessageSink* HyperVDevices::sink() { return nullptr; }

}  // namespace hv::vmm
