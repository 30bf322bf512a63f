// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/wire/ring.hpp"

namespace hv::fuzz {

/// Stands in the place of the peer while one ring is used: between any two reads of shared memory
/// it may change what is read next, as bytes of a script say. Once the script is used up nothing
/// changes. It also watches: a byte of ring data that is read twice before `forget`, or read at all
/// by a producer, ends the run (a double fetch). One at a time, one thread. In builds without
/// HV_SHARED_HOOK (the replay of a corpus) nothing changes and nothing is watched.
class SharedRing {
 public:
  static constexpr size_t kMostData = 65536;

  enum class Side : bool { Producer, Consumer };

  /// `ring`: control page and data, the mirror not counted.
  SharedRing(std::span<std::byte> ring, bool mirrored, Side side, std::span<const uint8_t> script);
  ~SharedRing();
  SharedRing(const SharedRing&) = delete;
  SharedRing& operator=(const SharedRing&) = delete;

  /// What was read may be read again: the consumer has given it back.
  void forget() { read_.reset(); }

  void before_read(const void* address, size_t length);

 private:
  void watch(size_t offset, size_t length);
  void change(std::byte* place, size_t length);

  std::span<std::byte> ring_;
  size_t data_size_;
  bool mirrored_;
  Side side_;
  std::span<const uint8_t> script_;
  std::bitset<kMostData> read_;
};

}  // namespace hv::fuzz
