// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>

#include "vmm/memory.hpp"

namespace hv::vmm::boot {

/// Where the first vCPU starts, in long mode with paging on.
struct EntryState {
  uint64_t rip;
  uint64_t rsi;  ///< the zero page, for Linux
  uint64_t cr3;
  uint64_t gdt_base;
  uint16_t gdt_limit;
};

inline constexpr uint16_t kCodeSelector = 0x10;  ///< __BOOT_CS
inline constexpr uint16_t kDataSelector = 0x18;  ///< __BOOT_DS

/// Writes page tables (the first 4 GiB at their own address) and a GDT with flat segments below 64
/// KiB.
EntryState enter_long_mode(const GuestMemory& memory, uint64_t rip, uint64_t rsi);

}  // namespace hv::vmm::boot
