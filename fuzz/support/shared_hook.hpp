// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hv::fuzz {

/// Lets the peer change shared memory between any two reads of it: while one of these lives, bytes of `script` decide before each read of
/// `memory` whether it first changes, and to what. Once the script is used up nothing changes. One at a time, one thread.
/// In builds without HV_SHARED_HOOK (the replay of a corpus) nothing ever changes.
class ChangingMemory {
 public:
  ChangingMemory(std::span<std::byte> memory, std::span<const uint8_t> script);
  ~ChangingMemory();
  ChangingMemory(const ChangingMemory&) = delete;
  ChangingMemory& operator=(const ChangingMemory&) = delete;

  void before_read(const void* address, size_t length);

 private:
  std::span<std::byte> memory_;
  std::span<const uint8_t> script_;
};

}  // namespace hv::fuzz
