// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <vector>

#include "vmm/kvm.hpp"

namespace hv::vmm {

/// How the guest's synthetic timers say that they expired.
enum class Timers : uint8_t {
  Direct,       ///< by an interrupt of their own, or by messages
  Message,      ///< by messages alone, as hosts before Windows Server 2019
  MessageArat,  ///< and the APIC timer is said never to stop, so that Linux uses no PIT: it has no
                ///< other clock for CPU 0 then
  None,         ///< there are none
};

/// What CPUID says in the guest: what KVM supports, less its own signature and virtualization, plus
/// the Hyper-V leaves. One table serves all vCPUs; for_vcpu() fills in what differs.
class CpuidTable {
 public:
  /// Asks KVM. `vcpu` is any vCPU of the machine (Hyper-V leaves depend on it). Throws Failure.
  CpuidTable(const Kvm& kvm, int vcpu, uint32_t vcpus, Timers timers);

  /// The leaves for the vCPU with this APIC id.
  std::vector<kvm_cpuid_entry2> for_vcpu(uint32_t apic_id) const;

 private:
  void add_topology(std::vector<kvm_cpuid_entry2>& entries, uint32_t apic_id) const;

  uint32_t vcpus_;
  std::vector<kvm_cpuid_entry2> entries_;
};

/// The Hyper-V leaves 0x40000000 to 0x40000005 as a guest shall see them, from those KVM supports.
/// Source: Hypervisor Top-Level Functional Specification, "Feature and Interface Discovery".
std::vector<kvm_cpuid_entry2> hyperv_leaves(const std::vector<kvm_cpuid_entry2>& supported,
                                            uint32_t vcpus, Timers timers);

/// Sets `entries` on the vCPU. Throws Failure.
void set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& entries);

}  // namespace hv::vmm
