// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/guest_buffer.hpp"

#include <algorithm>

#include "core/vmbus/gpa_direct.hpp"

namespace hv::host::vmbus {
namespace {

constexpr uint32_t kMaxRanges = 64;

void append(std::vector<iovec>& parts, std::byte* address, size_t length) {
  if (!parts.empty() &&
      static_cast<std::byte*>(parts.back().iov_base) + parts.back().iov_len == address) {
    parts.back().iov_len += length;
    return;
  }
  parts.push_back({address, length});
}

bool append_run(Machine& machine, uint64_t gpa, size_t length, std::vector<iovec>& parts) {
  if (const auto memory = machine.memory(gpa, length)) {
    append(parts, memory->data(), memory->size());
    return true;
  }
  // Perhaps neighbours in the guest that are none in the host: page by page.
  while (length > 0) {
    const size_t step = std::min<size_t>(length, hv::wire::kPageSize - gpa % hv::wire::kPageSize);
    const auto memory = machine.memory(gpa, step);
    if (!memory) return false;
    append(parts, memory->data(), step);
    gpa += step;
    length -= step;
  }
  return true;
}

}  // namespace

Result<void> resolve_guest_buffer(Machine& machine, std::span<const std::byte> extra,
                                  uint32_t length, uint32_t max_frames, std::vector<iovec>& parts) {
  auto ranges =
      HV_TRY(hv::vmbus::GpaRanges::parse(extra, {.ranges = kMaxRanges, .frames = max_frames}));
  if (ranges.byte_count() < length) return Error::BadLength;
  uint64_t left = length;
  while (const auto range = ranges.next()) {
    uint64_t in_range = std::min<uint64_t>(range->byte_count, left);
    left -= in_range;
    uint64_t offset = range->byte_offset;
    size_t frame = 0;
    while (in_range > 0) {
      const uint64_t first = range->frames[frame];
      size_t run = 1;
      while (frame + run < range->frames.size() && range->frames[frame + run] == first + run) run++;
      const uint64_t bytes = std::min<uint64_t>(in_range, run * hv::wire::kPageSize - offset);
      if (first > (~uint64_t{0} >> 12) - run) return Error::BadValue;
      if (!append_run(machine, first * hv::wire::kPageSize + offset, bytes, parts))
        return Error::BadValue;
      in_range -= bytes;
      offset = 0;
      frame += run;
    }
  }
  return {};
}

}  // namespace hv::host::vmbus
