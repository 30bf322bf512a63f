// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <vector>

namespace hv::vmm::boot {

/// One line of the memory map. Types as in the BIOS call: 1 usable, 2 reserved, 3 ACPI tables.
struct E820Entry {
  uint64_t start;
  uint64_t size;
  uint32_t type;
  bool operator==(const E820Entry&) const = default;
};

inline constexpr uint32_t kE820Usable = 1;
inline constexpr uint32_t kE820Reserved = 2;

inline constexpr uint64_t kLowRamEnd = 0xa0000;      ///< conventional memory
inline constexpr uint64_t kFirmwareStart = 0xe0000;  ///< ACPI tables live from here to 1 MiB
inline constexpr uint64_t kHighRamStart = 0x100000;

/// The map for `memory` bytes of RAM, ascending and without overlaps.
std::vector<E820Entry> make_e820(uint64_t memory);

}  // namespace hv::vmm::boot
