// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/kvm.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>

#include "vmm/failure.hpp"
#include "vmm/kvm_abi.hpp"

namespace hv::vmm {

int kvm_ioctl(int fd, unsigned long request, void* argument) {
  int result;
  do {
    result = ::ioctl(fd, request, argument);
  } while (result < 0 && errno == EINTR);
  return result;
}

int kvm_ioctl(int fd, unsigned long request, unsigned long argument) {
  return kvm_ioctl(fd, request, reinterpret_cast<void*>(argument));
}

const std::vector<NeededCapability>& needed_capabilities() {
  static const std::vector<NeededCapability> needed{
      {KVM_CAP_IRQCHIP, "IRQCHIP"},
      {KVM_CAP_USER_MEMORY, "USER_MEMORY"},
      {KVM_CAP_IRQ_ROUTING, "IRQ_ROUTING"},
      {KVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT"},
      {KVM_CAP_EXT_CPUID, "EXT_CPUID"},
      {KVM_CAP_HYPERV, "HYPERV"},
      {KVM_CAP_HYPERV_VAPIC, "HYPERV_VAPIC"},
      {KVM_CAP_HYPERV_TIME, "HYPERV_TIME"},
      {KVM_CAP_HYPERV_VP_INDEX, "HYPERV_VP_INDEX"},
      {KVM_CAP_HYPERV_SYNIC2, "HYPERV_SYNIC2"},
      {KVM_CAP_HYPERV_EVENTFD, "HYPERV_EVENTFD"},
      {KVM_CAP_HYPERV_CPUID, "HYPERV_CPUID"},
  };
  return needed;
}

Kvm::Kvm() : fd_(::open("/dev/kvm", O_RDWR | O_CLOEXEC)) {
  if (!fd_) fail_errno("cannot open /dev/kvm");
  const int version = kvm_ioctl(fd_.get(), KVM_GET_API_VERSION);
  if (version != KVM_API_VERSION)
    throw Failure("/dev/kvm speaks API version " + std::to_string(version) + ", not 12");
  const int run_size = kvm_ioctl(fd_.get(), KVM_GET_VCPU_MMAP_SIZE);
  if (run_size < static_cast<int>(sizeof(kvm_run)))
    throw Failure("/dev/kvm: KVM_GET_VCPU_MMAP_SIZE failed");
  run_size_ = static_cast<size_t>(run_size);
}

int Kvm::check(int capability) const {
  const int value =
      kvm_ioctl(fd_.get(), KVM_CHECK_EXTENSION, static_cast<unsigned long>(capability));
  return value < 0 ? 0 : value;
}

std::vector<std::string> Kvm::missing() const {
  std::vector<std::string> names;
  for (const NeededCapability& needed : needed_capabilities()) {
    if (check(needed.number) == 0) names.emplace_back(needed.name);
  }
  return names;
}

std::optional<uint64_t> Kvm::msr_feature(uint32_t index) const {
  KvmList list(std::vector<kvm_msr_entry>{{.index = index, .reserved = 0, .data = 0}});
  if (kvm_ioctl(fd_.get(), kGetMsrs, list.data()) != 1) return std::nullopt;
  return list.entries().at(0).data;
}

Fd Kvm::create_vm() const {
  Fd vm(kvm_ioctl(fd_.get(), KVM_CREATE_VM));
  if (!vm) fail_errno("KVM_CREATE_VM");
  return vm;
}

}  // namespace hv::vmm
