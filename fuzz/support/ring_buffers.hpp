// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdlib>
#include <memory>

#include "core/vmbus/ring.hpp"
#include "tests/support/ring_pages.hpp"

namespace hv::fuzz {

inline constexpr size_t kRingData = 4096;

/// Memory of one ring for all runs: plain from the heap, so that AddressSanitizer sees both ends,
/// or mapped twice.
inline std::span<std::byte> ring_bytes(bool mirrored) {
  static test::RingPages twice(kRingData, true);
  static auto* const once =
      static_cast<std::byte*>(std::aligned_alloc(wire::kPageSize, wire::kPageSize + kRingData));
  const auto bytes = mirrored ? twice.bytes() : std::span(once, wire::kPageSize + kRingData);
  __builtin_memset(bytes.data(), 0, bytes.size());
  return bytes;
}

}  // namespace hv::fuzz
