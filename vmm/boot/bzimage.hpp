// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hv::vmm::boot {

/// What a bzImage says of itself, checked. Views point into the image that was parsed.
/// Source: the kernel's Documentation/x86/boot.rst, "The Real-Mode Kernel Header" and "64-bit Boot
/// Protocol".
struct BzImage {
  std::span<const std::byte>
      setup_header;  ///< goes to the zero page at kSetupHeaderOffset as it is
  std::span<const std::byte>
      payload;            ///< the protected-mode kernel, to be loaded at `load_address`
  uint64_t load_address;  ///< preferred guest physical address
  uint64_t
      init_size;  ///< bytes the kernel needs from `load_address` before it reads the memory map
  uint64_t initrd_highest;     ///< the highest address the last byte of the initrd may have
  uint32_t command_line_most;  ///< bytes, without the final zero
};

inline constexpr size_t kSetupHeaderOffset = 0x1f1;
inline constexpr uint64_t kEntry64Offset =
    0x200;  ///< of the 64-bit entry, from where the payload was loaded

/// Parses and checks `image`. Throws Failure with what is wrong with it ("is not a Linux kernel
/// image (bzImage): ..").
BzImage parse_bzimage(std::span<const std::byte> image);

}  // namespace hv::vmm::boot
