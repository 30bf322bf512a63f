// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace hv::fuzz {

/// The fuzzer's bytes, front to back; behind the end everything is zero.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : bytes_(data, size) {}

  bool empty() const { return bytes_.empty(); }
  size_t size() const { return bytes_.size(); }

  template <typename T>
  T take() {
    T value{};
    const auto part = bytes(sizeof(T));
    if (!part.empty()) std::memcpy(&value, part.data(), part.size());
    return value;
  }
  /// 0..most.
  uint32_t number(uint32_t most) {
    return most < 256 ? take<uint8_t>() % (most + 1) : take<uint32_t>() % (most + 1);
  }

  /// At most `count` bytes.
  std::span<const uint8_t> bytes(size_t count) {
    const auto part = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(part.size());
    return part;
  }
  std::span<const uint8_t> rest() { return bytes(bytes_.size()); }

 private:
  std::span<const uint8_t> bytes_;
};

}  // namespace hv::fuzz
