// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "host/machine.hpp"

namespace hv::host::vmbus {

/// Appends the host addresses of the first `length` bytes that the GPA ranges in `extra` describe;
/// neighbours become one part. Every page is checked to be RAM. Errors: those of GpaRanges::parse;
/// Exhausted (over `max_frames`); BadLength (the ranges are shorter than `length`); BadValue (not
/// RAM).
Result<void> resolve_guest_buffer(Machine& machine, std::span<const std::byte> extra,
                                  uint32_t length, uint32_t max_frames, std::vector<iovec>& parts);

}  // namespace hv::host::vmbus
