// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <linux/kvm.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

namespace hv::vmm {

// The kernel's headers wrap flexible arrays in a way that gives kvm_cpuid2, kvm_irq_routing and
// kvm_msrs another size in C++ than in C, and the size is part of the request's number. Here are
// the numbers and the layout as the kernel has them.
inline constexpr size_t kKvmListHeader = 8;
inline constexpr unsigned long kGetSupportedCpuid =
    _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x05, kKvmListHeader);
inline constexpr unsigned long kGetMsrs = _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0x88, kKvmListHeader);
inline constexpr unsigned long kSetMsrs = _IOC(_IOC_WRITE, KVMIO, 0x89, kKvmListHeader);
inline constexpr unsigned long kSetCpuid2 = _IOC(_IOC_WRITE, KVMIO, 0x90, kKvmListHeader);
inline constexpr unsigned long kSetGsiRouting = _IOC(_IOC_WRITE, KVMIO, 0x6a, kKvmListHeader);
inline constexpr unsigned long kGetSupportedHvCpuid =
    _IOC(_IOC_READ | _IOC_WRITE, KVMIO, 0xc1, kKvmListHeader);

/// A counted list as these requests take it: a 32-bit count, 32 bits of flags or padding, the
/// entries.
template <typename Entry>
class KvmList {
 public:
  explicit KvmList(size_t room) : bytes_(kKvmListHeader + room * sizeof(Entry)) {
    set_count(static_cast<uint32_t>(room));
  }
  explicit KvmList(const std::vector<Entry>& entries) : KvmList(entries.size()) {
    if (!entries.empty())
      std::memcpy(bytes_.data() + kKvmListHeader, entries.data(), entries.size() * sizeof(Entry));
  }

  void* data() { return bytes_.data(); }

  /// The entries that the kernel left there.
  std::vector<Entry> entries() const {
    uint32_t count;
    std::memcpy(&count, bytes_.data(), sizeof count);
    std::vector<Entry> list(
        std::min<size_t>(count, (bytes_.size() - kKvmListHeader) / sizeof(Entry)));
    if (!list.empty())
      std::memcpy(list.data(), bytes_.data() + kKvmListHeader, list.size() * sizeof(Entry));
    return list;
  }

 private:
  void set_count(uint32_t count) { std::memcpy(bytes_.data(), &count, sizeof count); }

  std::vector<std::byte> bytes_;
};

}  // namespace hv::vmm
