// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vmm/fd.hpp"

namespace hv::vmm {

/// ioctl that tries again when a signal came between. Returns what the kernel said; errno as usual.
int kvm_ioctl(int fd, unsigned long request, void* argument);
int kvm_ioctl(int fd, unsigned long request, unsigned long argument = 0);

/// A capability this host needs, by the name the kernel gives it.
struct NeededCapability {
  int number;
  const char* name;
};

/// All capabilities without which no Hyper-V guest can run here.
const std::vector<NeededCapability>& needed_capabilities();

/// /dev/kvm, opened.
class Kvm {
 public:
  /// Opens /dev/kvm and checks its API version. Throws Failure.
  Kvm();

  int fd() const { return fd_.get(); }
  int check(int capability) const;

  /// Names of needed capabilities that are missing.
  std::vector<std::string> missing() const;

  /// Bytes to map for each vCPU's kvm_run.
  size_t run_size() const { return run_size_; }

  /// What the MSR `index`, one of those that describe features, can hold on this machine; nothing
  /// when KVM does not know it.
  std::optional<uint64_t> msr_feature(uint32_t index) const;

  /// A new VM. Throws Failure.
  Fd create_vm() const;

 private:
  Fd fd_;
  size_t run_size_ = 0;
};

}  // namespace hv::vmm
