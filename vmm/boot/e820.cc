// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/boot/e820.hpp"

#include <algorithm>

#include "vmm/memory.hpp"

namespace hv::vmm::boot {

std::vector<E820Entry> make_e820(uint64_t memory) {
  const uint64_t low = std::min(memory, GuestMemory::kHoleStart);
  std::vector<E820Entry> map{
      {0, kLowRamEnd, kE820Usable},
      {kFirmwareStart, kHighRamStart - kFirmwareStart, kE820Reserved},
      {kHighRamStart, low - kHighRamStart, kE820Usable},
  };
  if (memory > low) map.push_back({GuestMemory::kHoleEnd, memory - low, kE820Usable});
  return map;
}

}  // namespace hv::vmm::boot
