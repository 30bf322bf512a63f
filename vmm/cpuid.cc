// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/cpuid.hpp"

#include <cpuid.h>

#include <bit>
#include <cstring>
#include <string_view>

#include "vmm/failure.hpp"
#include "vmm/kvm_abi.hpp"

namespace hv::vmm {

namespace {

constexpr uint32_t kHypervisorFirst = 0x40000000;
constexpr uint32_t kHypervisorLast = 0x4fffffff;
constexpr uint32_t kHvFeatures = 0x40000003;
constexpr uint32_t kHvHints = 0x40000004;
constexpr uint32_t kHvLimits = 0x40000005;

// Leaf 0x40000003. EAX: MSRs the guest may use; EBX: hypercalls; EDX: miscellany.
constexpr uint32_t kAccessSyntheticTimers = 1u << 3;
constexpr uint32_t kAccessReenlightenment = 1u << 13;
constexpr uint32_t kPostMessages = 1u << 4;
constexpr uint32_t kSignalEvents = 1u << 5;
constexpr uint32_t kDebugging = 1u << 11;
constexpr uint32_t kGuestDebugging = 1u << 1;
constexpr uint32_t kDebugMsrs = 1u << 11;
constexpr uint32_t kDirectTimers = 1u << 19;
// Leaf 0x40000004.
constexpr uint32_t kEnlightenedVmcs = 1u << 14;

constexpr size_t kRoom = 256;

std::vector<kvm_cpuid_entry2> ask(int fd, unsigned long request, const char* name) {
  KvmList<kvm_cpuid_entry2> list(kRoom);
  if (kvm_ioctl(fd, request, list.data()) != 0) fail_errno(name);
  return list.entries();
}

void set_text(kvm_cpuid_entry2& entry, std::string_view twelve) {
  std::memcpy(&entry.ebx, twelve.data(), 4);
  std::memcpy(&entry.ecx, twelve.data() + 4, 4);
  std::memcpy(&entry.edx, twelve.data() + 8, 4);
}

/// QEMU's emulated SVM does not tell the level above when a guest sets XCR0, so that KVM and guest
/// come to differ about which registers are in use. Such a guest does better without XSAVE and all
/// that needs it.
bool xsave_is_broken() {
  uint32_t eax, ebx, ecx, edx;
  __cpuid(1, eax, ebx, ecx, edx);
  if ((ecx & 1u << 31) == 0) return false;
  kvm_cpuid_entry2 signature{};
  __cpuid(kHypervisorFirst, signature.eax, signature.ebx, signature.ecx, signature.edx);
  kvm_cpuid_entry2 emulator{};
  set_text(emulator, "TCGTCGTCGTCG");
  return signature.ebx == emulator.ebx && signature.ecx == emulator.ecx &&
         signature.edx == emulator.edx;
}

void drop_xsave(std::vector<kvm_cpuid_entry2>& entries) {
  std::erase_if(entries, [](const kvm_cpuid_entry2& entry) { return entry.function == 0xd; });
  for (kvm_cpuid_entry2& entry : entries) {
    if (entry.function == 0x1) {
      entry.ecx &= ~(1u << 12 | 1u << 26 | 1u << 27 | 1u << 28 |
                     1u << 29);  // FMA, XSAVE, OSXSAVE, AVX, F16C
    } else if (entry.function == 0x7 && entry.index == 0) {
      entry.ebx &= ~(1u << 5 | 1u << 14 | 1u << 16 | 1u << 17 | 1u << 21 | 1u << 28 | 1u << 30 |
                     1u << 31);                      // AVX2, MPX, AVX-512
      entry.ecx &= ~(1u << 3 | 1u << 9 | 1u << 10);  // PKU, VAES, VPCLMULQDQ
    } else if (entry.function == 0x80000001) {
      entry.ecx &= ~(1u << 11 | 1u << 16 | 1u << 15);  // XOP, FMA4, LWP
    }
  }
}

}  // namespace

std::vector<kvm_cpuid_entry2> hyperv_leaves(const std::vector<kvm_cpuid_entry2>& supported,
                                            uint32_t vcpus, Timers timers) {
  std::vector<kvm_cpuid_entry2> leaves;
  for (kvm_cpuid_entry2 leaf : supported) {
    if (leaf.function < kHypervisorFirst || leaf.function > kHvLimits) continue;
    switch (leaf.function) {
      case kHypervisorFirst:
        leaf.eax = kHvLimits;
        set_text(leaf, "Microsoft Hv");
        break;
      case kHvFeatures:
        leaf.eax &= ~kAccessReenlightenment;
        leaf.ebx = (leaf.ebx | kPostMessages | kSignalEvents) & ~kDebugging;
        leaf.edx &= ~(kGuestDebugging | kDebugMsrs);
        if (timers != Timers::Direct) leaf.edx &= ~kDirectTimers;
        if (timers == Timers::None) leaf.eax &= ~kAccessSyntheticTimers;
        break;
      case kHvHints:
        leaf.eax &= ~kEnlightenedVmcs;
        break;
      case kHvLimits:
        leaf.eax = vcpus;
        leaf.ebx = vcpus;
        break;
      default:
        break;
    }
    leaves.push_back(leaf);
  }
  return leaves;
}

CpuidTable::CpuidTable(const Kvm& kvm, int vcpu, uint32_t vcpus, Timers timers) : vcpus_(vcpus) {
  const bool deadline = kvm.check(KVM_CAP_TSC_DEADLINE_TIMER) != 0;
  for (kvm_cpuid_entry2 entry : ask(kvm.fd(), kGetSupportedCpuid, "KVM_GET_SUPPORTED_CPUID")) {
    if (entry.function >= kHypervisorFirst && entry.function <= kHypervisorLast)
      continue;  // KVM's own signature
    switch (entry.function) {
      case 0x1:
        entry.ecx &= ~(1u << 5);  // VMX
        entry.ecx |= 1u << 31;    // a hypervisor is there
        if (deadline) entry.ecx |= 1u << 24;
        break;
      case 0x6:
        // No thermal or power registers; ARAT: the APIC timer does not stop. Many a host of timers
        // by message does not say so, and Linux then keeps the PIT as another clock.
        entry.eax = timers == Timers::Message ? 0 : 1u << 2;
        entry.ebx = entry.ecx = entry.edx = 0;
        break;
      case 0xa:  // no performance counters
        entry.eax = entry.ebx = entry.ecx = entry.edx = 0;
        break;
      case 0x80000001:
        entry.ecx &= ~((1u << 2) | (1u << 23) |
                       (1u << 22));  // SVM, performance counters, topology extensions
        break;
      case 0x8000000a:  // SVM
        continue;
      default:
        break;
    }
    entries_.push_back(entry);
  }
  if (xsave_is_broken()) drop_xsave(entries_);
  const auto hyperv =
      hyperv_leaves(ask(vcpu, kGetSupportedHvCpuid, "KVM_GET_SUPPORTED_HV_CPUID"), vcpus, timers);
  entries_.insert(entries_.end(), hyperv.begin(), hyperv.end());
}

void CpuidTable::add_topology(std::vector<kvm_cpuid_entry2>& entries, uint32_t apic_id) const {
  const auto bits = static_cast<uint32_t>(std::bit_width(vcpus_ - 1));
  for (const uint32_t leaf : {0xbu, 0x1fu}) {
    if (leaf == 0x1f && entries.front().eax < 0x1f) continue;
    kvm_cpuid_entry2 level{};
    level.function = leaf;
    level.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
    level.edx = apic_id;
    level.eax = 0;  // one thread a core
    level.ebx = 1;
    level.ecx = 0x100;
    entries.push_back(level);
    level.index = 1;
    level.eax = bits;  // all cores in one package
    level.ebx = vcpus_;
    level.ecx = 0x201;
    entries.push_back(level);
    level.index = 2;
    level.eax = level.ebx = 0;
    level.ecx = 2;
    entries.push_back(level);
  }
}

std::vector<kvm_cpuid_entry2> CpuidTable::for_vcpu(uint32_t apic_id) const {
  std::vector<kvm_cpuid_entry2> entries;
  for (kvm_cpuid_entry2 entry : entries_) {
    switch (entry.function) {
      case 0x1:
        entry.ebx = (entry.ebx & 0x0000ffff) | vcpus_ << 16 | apic_id << 24;
        if (vcpus_ > 1) entry.edx |= 1u << 28;
        break;
      case 0x4:
        if ((entry.eax & 0x1f) != 0) entry.eax = (entry.eax & 0x3fff) | (vcpus_ - 1) << 26;
        break;
      case 0xb:
      case 0x1f:
        continue;  // written anew below
      case 0x80000001:
        if (vcpus_ > 1) entry.ecx |= 1u << 1;  // several cores, not threads
        break;
      case 0x80000008:
        entry.ecx = (vcpus_ - 1) | static_cast<uint32_t>(std::bit_width(vcpus_ - 1)) << 12;
        break;
      case 0x8000001e:
        continue;
      default:
        break;
    }
    entries.push_back(entry);
  }
  if (!entries.empty() && entries.front().eax >= 0xb) add_topology(entries, apic_id);
  return entries;
}

void set_cpuid(int vcpu, const std::vector<kvm_cpuid_entry2>& entries) {
  if (kvm_ioctl(vcpu, kSetCpuid2, KvmList(entries).data()) != 0) fail_errno("KVM_SET_CPUID2");
}

}  // namespace hv::vmm
