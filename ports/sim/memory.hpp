// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "ports/sim/support.hpp"

namespace hv::sim {

/// The guest's physical memory, and who owns which page. What is freed wrongly is a Failure.
class Memory {
 public:
  static constexpr size_t kPage = 4096;
  explicit Memory(size_t pages);

  /// `count` pages in a row, nullopt when there are none.
  std::optional<uint32_t> allocate(uint32_t count);
  /// Fails: pages not allocated (freed twice), still shared with the host in a confidential VM, or
  /// known to the host.
  void free(uint32_t first, uint32_t count);
  void set_shared(uint32_t first, uint32_t count, bool shared);
  bool allocated(uint32_t frame) const { return frame < pages_.size() && pages_[frame].allocated; }
  bool shared(uint32_t frame) const { return frame < pages_.size() && pages_[frame].shared; }
  /// What a kernel does that takes the page for private memory. Fails when it is shared.
  void read_private(uint32_t frame) const {
    if (shared(frame)) fail("a page shared with the host is touched as private memory");
  }
  std::byte* at(uint32_t frame) { return bytes_.data() + size_t{frame} * kPage; }
  size_t allocated_count() const { return allocated_; }
  size_t size() const { return pages_.size(); }

  /// Whether the host knows the page, if it does not lie.
  std::function<bool(uint32_t)> host_has;

 private:
  struct Page {
    bool allocated = false;
    bool shared = false;
  };
  std::vector<Page> pages_;
  std::vector<std::byte> bytes_;
  size_t allocated_ = 0;
  uint32_t next_ = 1;
};

}  // namespace hv::sim
