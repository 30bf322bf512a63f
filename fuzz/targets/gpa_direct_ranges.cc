// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The ranges of a GPA-direct packet, as a host reads them from a guest: what is accepted is within
// its limits and within its bytes.
#include <cstdint>

#include "core/vmbus/gpa_direct.hpp"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace hv::vmbus;
  if (size < 2) return 0;
  const GpaLimits limits{.ranges = data[0] % 8u, .frames = data[1]};
  auto ranges = GpaRanges::parse(std::as_bytes(std::span(data + 2, size - 2)), limits);
  if (!ranges) return 0;

  uint32_t count = 0;
  uint64_t bytes = 0;
  uint32_t frames = 0;
  uint64_t sum = 0;
  while (const auto range = ranges->next()) {
    count++;
    bytes += range->byte_count;
    frames += static_cast<uint32_t>(range->frames.size());
    if (range->byte_count == 0 || range->byte_offset >= hv::wire::kPageSize) __builtin_trap();
    if (range->frames.size() * hv::wire::kPageSize <
        uint64_t{range->byte_offset} + range->byte_count)
      __builtin_trap();
    if ((range->frames.size() - 1) * hv::wire::kPageSize >=
        uint64_t{range->byte_offset} + range->byte_count)
      __builtin_trap();
    for (size_t i = 0; i < range->frames.size(); i++) sum += range->frames[i];
  }
  if (count != ranges->count() || bytes != ranges->byte_count() || frames != ranges->frame_count())
    __builtin_trap();
  if (count > limits.ranges || frames > limits.frames) __builtin_trap();
  asm volatile("" : : "r"(sum));
  return 0;
}
