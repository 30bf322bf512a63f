// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/base/result.hpp"

namespace hv {

/// A GUID as it stands on the wire: the first three fields little-endian, the last eight bytes as
/// they are.
struct Guid {
  std::array<uint8_t, 16> bytes;

  friend constexpr auto operator<=>(const Guid&, const Guid&) = default;

  /// Parses "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f", either case. Errors: BadLength, BadValue.
  static constexpr Result<Guid> parse(std::string_view text) {
    if (text.size() != 36) return Error::BadLength;
    constexpr std::array<uint8_t, 16> place = {3, 2, 1,  0,  5,  4,  7,  6,
                                               8, 9, 10, 11, 12, 13, 14, 15};
    Guid guid{};
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
      if (at == 8 || at == 13 || at == 18 || at == 23) {
        if (text[at] != '-') return Error::BadValue;
        at++;
      }
      const int high = hex_digit(text[at]);
      const int low = hex_digit(text[at + 1]);
      if (high < 0 || low < 0) return Error::BadValue;
      guid.bytes[place[i]] = static_cast<uint8_t>(high * 16 + low);
      at += 2;
    }
    return guid;
  }

  /// 36 characters, lower case, and no terminator.
  constexpr std::array<char, 36> text() const {
    constexpr std::array<uint8_t, 16> place = {3, 2, 1,  0,  5,  4,  7,  6,
                                               8, 9, 10, 11, 12, 13, 14, 15};
    constexpr char digits[] = "0123456789abcdef";
    std::array<char, 36> out{};
    size_t at = 0;
    for (size_t i = 0; i < 16; i++) {
      if (at == 8 || at == 13 || at == 18 || at == 23) out[at++] = '-';
      out[at++] = digits[bytes[place[i]] >> 4];
      out[at++] = digits[bytes[place[i]] & 15];
    }
    return out;
  }

 private:
  static constexpr int hex_digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }
};
static_assert(sizeof(Guid) == 16);

/// A GUID known when the program is compiled; a misspelt one does not compile.
consteval Guid operator""_guid(const char* text, size_t length) {
  return Guid::parse(std::string_view(text, length)).take();
}

}  // namespace hv
