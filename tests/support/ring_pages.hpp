// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "core/vmbus/ring.hpp"

namespace hv::test {

/// Memory for one ring: plain, or with its data mapped twice. Empty and ready for both sides.
class RingPages {
 public:
  /// `data_size`: bytes of data, page-multiple. Throws std::runtime_error when memory cannot be
  /// had.
  explicit RingPages(size_t data_size, bool mirrored = false);
  ~RingPages();
  RingPages(const RingPages&) = delete;
  RingPages& operator=(const RingPages&) = delete;

  /// Control page and data, the mirror not counted.
  std::span<std::byte> bytes() { return {base_, wire::kPageSize + data_size_}; }
  std::span<std::byte> data() { return bytes().subspan(wire::kPageSize); }
  wire::RingControl& control() { return *reinterpret_cast<wire::RingControl*>(base_); }

  vmbus::RingMemory memory() { return vmbus::RingMemory::create(bytes(), mirrored_).take(); }
  vmbus::RingWriter writer() { return vmbus::RingWriter::create(memory()).take(); }
  vmbus::RingReader reader() { return vmbus::RingReader::create(memory()).take(); }

 private:
  size_t data_size_;
  bool mirrored_;
  size_t mapped_;
  std::byte* base_;
};

}  // namespace hv::test
