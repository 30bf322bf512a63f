// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <string>

namespace hv::vmm {

/// What KVM has counted of one vCPU, as "exits 12 halt_exits 3 ..."; counters that stand at 0 are
/// left out. Empty when this KVM does not tell (before Linux 5.14). `vcpu` is the vCPU's file.
/// Source: Linux, Documentation/virt/kvm/api.rst, KVM_GET_STATS_FD.
std::string vcpu_stats(int vcpu);

}  // namespace hv::vmm
