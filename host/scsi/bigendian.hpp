// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace hv::host::scsi {

/// `Bytes` bytes at `at` as a number. The caller has checked that they are there.
template <size_t Bytes>
constexpr uint64_t load_be(std::span<const uint8_t> data, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < Bytes; i++) value = value << 8 | data[at + i];
  return value;
}

template <size_t Bytes>
constexpr void store_be(std::span<uint8_t> data, size_t at, uint64_t value) {
  for (size_t i = 0; i < Bytes; i++)
    data[at + i] = static_cast<uint8_t>(value >> (8 * (Bytes - 1 - i)));
}

/// `text` into a field of `size` bytes, filled up with spaces.
constexpr void store_text(std::span<uint8_t> data, size_t at, size_t size, std::string_view text) {
  for (size_t i = 0; i < size; i++)
    data[at + i] = static_cast<uint8_t>(i < text.size() ? text[i] : ' ');
}

}  // namespace hv::host::scsi
