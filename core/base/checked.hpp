// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <concepts>
#include <limits>

#include "core/base/result.hpp"

namespace hv {

/// Sum of two untrusted numbers. Errors: Overflow.
template <std::unsigned_integral T>
[[nodiscard]] constexpr Result<T> checked_add(T a, std::type_identity_t<T> b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) return Error::Overflow;
  return sum;
}

/// Product of two untrusted numbers. Errors: Overflow.
template <std::unsigned_integral T>
[[nodiscard]] constexpr Result<T> checked_mul(T a, std::type_identity_t<T> b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) return Error::Overflow;
  return product;
}

/// Difference of two untrusted numbers. Errors: Overflow (b > a).
template <std::unsigned_integral T>
[[nodiscard]] constexpr Result<T> checked_sub(T a, std::type_identity_t<T> b) {
  if (b > a) return Error::Overflow;
  return static_cast<T>(a - b);
}

/// `value` as a To. Errors: Overflow (it does not fit).
template <std::unsigned_integral To, std::unsigned_integral From>
[[nodiscard]] constexpr Result<To> narrow(From value) {
  if (value > std::numeric_limits<To>::max()) return Error::Overflow;
  return static_cast<To>(value);
}

/// `value` rounded up to a multiple of `alignment`, a power of two. The caller has bounded `value`.
template <std::unsigned_integral T>
[[nodiscard]] constexpr T align_up(T value, std::type_identity_t<T> alignment) {
  return static_cast<T>((value + (alignment - 1)) & ~static_cast<T>(alignment - 1));
}

}  // namespace hv
