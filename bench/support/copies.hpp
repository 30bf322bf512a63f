// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hv::bench {

/// The floor under every transport: its bytes are copied by memcpy into the shared memory and out
/// of it, and nothing else is done.
class Copies {
 public:
  /// `bytes` each time; the next copy lies `step` bytes behind the last one, as packets do.
  /// `shared` has room for two of them.
  Copies(std::span<std::byte> shared, size_t bytes, size_t step);

  /// So many, `burst` of them in and then out again, in turn.
  void in_and_out(unsigned count, unsigned burst);
  /// So many out alone: what the other side reads where it lies.
  void out(unsigned count);

 private:
  size_t next(size_t at) const { return at + 2 * step_ < shared_.size() ? at + step_ : 0; }

  std::span<std::byte> shared_;
  size_t step_;
  size_t place_ = 0;
  std::vector<std::byte> payload_;
  std::vector<std::byte> buffer_;
};

}  // namespace hv::bench
