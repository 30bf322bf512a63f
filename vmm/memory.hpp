// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "host/machine.hpp"
#include "vmm/fd.hpp"

namespace hv::vmm {

inline constexpr uint64_t kKiB = 1024;
inline constexpr uint64_t kMiB = 1024 * kKiB;
inline constexpr uint64_t kGiB = 1024 * kMiB;
inline constexpr uint64_t kPage = 4096;

/// The guest's RAM: one host mapping, seen by the guest below the 32-bit hole and, for what is
/// left, from 4 GiB on. Guest and host write it at the same time: copy out of it once and look at
/// the copy.
class GuestMemory {
 public:
  static constexpr uint64_t kLeast = 128 * kMiB;
  static constexpr uint64_t kMost = 8 * kGiB;
  static constexpr uint64_t kHoleStart =
      3 * kGiB;  ///< device windows, IOAPIC and LAPIC live from here to 4 GiB
  static constexpr uint64_t kHoleEnd = 4 * kGiB;

  /// One run of RAM: `size` bytes at guest physical `start`, mapped at `host`.
  struct Region {
    uint64_t start;
    uint64_t size;
    std::byte* host;
  };

  /// Maps `size` bytes of zeroed RAM. `size` is a multiple of 1 MiB in [kLeast, kMost]. Throws
  /// Failure.
  explicit GuestMemory(uint64_t size);
  ~GuestMemory();
  GuestMemory(const GuestMemory&) = delete;
  GuestMemory& operator=(const GuestMemory&) = delete;

  uint64_t size() const { return size_; }
  std::span<const Region> regions() const { return regions_; }

  /// The bytes [gpa, gpa + length), or an empty span if they are not all RAM of one region. Any
  /// thread.
  std::span<std::byte> at(uint64_t gpa, uint64_t length) const;

  /// Whether a vCPU with these control registers has its page tables in this memory, or uses none.
  bool holds_tables(uint64_t cr0, uint64_t cr3) const;

  /// Copies in or out. False, with nothing copied, if a byte of the range is not RAM. Any thread.
  bool read(uint64_t gpa, std::span<std::byte> to) const;
  bool write(uint64_t gpa, std::span<const std::byte> from) const;

  /// Maps the 4 KiB frames in this order, contiguously, a second time. nullptr if one is not RAM or
  /// there is no room.
  std::unique_ptr<host::Mapping> map_frames(std::span<const uint64_t> frames) const;

 private:
  /// The file offset of a frame, or -1 if it is not RAM.
  int64_t offset_of_frame(uint64_t frame) const;

  uint64_t size_;
  Fd file_;
  void* mapping_ = nullptr;
  size_t mapping_size_ = 0;
  std::vector<Region> regions_;
};

}  // namespace hv::vmm
