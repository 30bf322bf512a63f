// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "core/base/result.hpp"

namespace hv {

static_assert(std::endian::native == std::endian::little,
              "the wire is little-endian, and so is every machine Hyper-V runs on");

/// What may be copied to and from the wire: plain bytes, no padding that could leak, no pointer to
/// follow.
template <typename T>
concept WireStruct = std::is_trivially_copyable_v<T> && std::has_unique_object_representations_v<T>;

/// The bytes of one wire structure, for sending.
template <WireStruct T>
std::span<const std::byte> bytes_of(const T& value) {
  return {reinterpret_cast<const std::byte*>(&value), sizeof(T)};
}
template <WireStruct T>
std::span<std::byte> writable_bytes_of(T& value) {
  return {reinterpret_cast<std::byte*>(&value), sizeof(T)};
}

/// Reads wire structures off a view of private memory (never of shared memory: that is copied out
/// first), front to back.
class ByteReader {
 public:
  constexpr explicit ByteReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  /// The next structure, by value. Errors: Truncated; the reader has not moved then.
  template <WireStruct T>
  Result<T> take() {
    if (bytes_.size() < sizeof(T)) return Error::Truncated;
    T value;
    __builtin_memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return value;
  }

  /// The next structure, of which an older peer may send only the first `least` bytes: the rest
  /// reads as zero.
  template <WireStruct T>
  Result<T> take_at_least(size_t least) {
    if (bytes_.size() < least) return Error::Truncated;
    const size_t count = bytes_.size() < sizeof(T) ? bytes_.size() : sizeof(T);
    T value{};
    __builtin_memcpy(&value, bytes_.data(), count);
    bytes_ = bytes_.subspan(count);
    return value;
  }

  /// A view of the next `count` bytes. Errors: Truncated.
  Result<std::span<const std::byte>> take_bytes(size_t count) {
    if (bytes_.size() < count) return Error::Truncated;
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }

  Result<void> skip(size_t count) {
    if (bytes_.size() < count) return Error::Truncated;
    bytes_ = bytes_.subspan(count);
    return {};
  }

  size_t remaining() const { return bytes_.size(); }
  std::span<const std::byte> rest() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

/// Writes wire structures into a view, front to back.
class ByteWriter {
 public:
  constexpr explicit ByteWriter(std::span<std::byte> bytes) : bytes_(bytes) {}

  /// Errors: Exhausted (no room); nothing is written then.
  template <WireStruct T>
  Result<void> put(const T& value) {
    return put_bytes(bytes_of(value));
  }

  Result<void> put_bytes(std::span<const std::byte> source) {
    if (bytes_.size() - written_ < source.size()) return Error::Exhausted;
    if (!source.empty()) __builtin_memcpy(bytes_.data() + written_, source.data(), source.size());
    written_ += source.size();
    return {};
  }

  Result<void> put_zeros(size_t count) {
    if (bytes_.size() - written_ < count) return Error::Exhausted;
    __builtin_memset(bytes_.data() + written_, 0, count);
    written_ += count;
    return {};
  }

  size_t size() const { return written_; }
  std::span<const std::byte> written() const { return bytes_.first(written_); }

 private:
  std::span<std::byte> bytes_;
  size_t written_ = 0;
};

}  // namespace hv
