// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/memory.hpp"

namespace hv::sim {

Memory::Memory(size_t pages) : pages_(pages), bytes_(pages * kPage) {}

std::optional<uint32_t> Memory::allocate(uint32_t count) {
  // Next fit: memory just freed is not given out again at once, so that a late write into it is
  // seen as one. Page 0 is never used.
  const auto size = static_cast<uint32_t>(pages_.size());
  for (uint32_t tried = 0; tried < size; tried++) {
    uint32_t first = next_ + tried;
    if (first >= size) first = first - size + 1;
    if (first + count > size) continue;
    uint32_t run = 0;
    while (run < count && !pages_[first + run].allocated) run++;
    if (run < count) continue;
    for (uint32_t i = 0; i < count; i++) pages_[first + i].allocated = true;
    allocated_ += count;
    next_ = first + count < size ? first + count : 1;
    return first;
  }
  return std::nullopt;
}

void Memory::free(uint32_t first, uint32_t count) {
  for (uint32_t i = first; i < first + count; i++) {
    if (!allocated(i)) fail("page freed that is not allocated (freed twice?)");
    if (pages_[i].shared) fail("page freed that is still shared with the host");
    if (host_has && host_has(i)) fail("page freed that the host has in a GPADL");
    pages_[i].allocated = false;
  }
  allocated_ -= count;
}

void Memory::set_shared(uint32_t first, uint32_t count, bool shared) {
  for (uint32_t i = first; i < first + count; i++) {
    if (!allocated(i)) fail("page shared that is not allocated");
    pages_[i].shared = shared;
  }
}

}  // namespace hv::sim
