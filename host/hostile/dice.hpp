// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace hv::host::hostile {

/// Numbers that a seed decides, the same on every machine (splitmix64).
class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t value = state_ += 0x9e3779b97f4a7c15;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
    value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
    return value ^ (value >> 31);
  }
  /// 0 to n - 1; 0 for 0.
  uint32_t below(size_t n) { return n == 0 ? 0 : static_cast<uint32_t>(next() % n); }
  bool chance(uint32_t per_mille) { return below(1000) < per_mille; }
  template <typename T, size_t N>
  const T& pick(const std::array<T, N>& of) {
    return of[below(N)];
  }
  template <typename T>
  const T& pick(std::span<const T> of) {  // not empty
    return of[below(of.size())];
  }
  /// A number of the sort that breaks code: nothing, all ones, the edges of types and tables, or
  /// any.
  uint32_t awkward() {
    static constexpr std::array<uint32_t, 15> kEdges = {
        0,      1,      7,      8,          255,        256,        2047,      2048,
        0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    return chance(750) ? pick(kEdges) : static_cast<uint32_t>(next());
  }
  void fill(std::span<std::byte> bytes) {
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(next());
  }

 private:
  uint64_t state_;
};

}  // namespace hv::host::hostile
