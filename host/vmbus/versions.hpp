// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "core/wire/vmbus.hpp"

namespace hv::host::vmbus {

/// The versions this host speaks, oldest first.
inline constexpr std::array kVersions = {
    hv::wire::vmbus::Version::V2_4, hv::wire::vmbus::Version::V3_0, hv::wire::vmbus::Version::V4_0,
    hv::wire::vmbus::Version::V4_1, hv::wire::vmbus::Version::V5_0, hv::wire::vmbus::Version::V5_1,
    hv::wire::vmbus::Version::V5_2, hv::wire::vmbus::Version::V5_3,
};

/// "5.3".
inline std::string text(hv::wire::vmbus::Version version) {
  const auto number = static_cast<uint32_t>(version);
  return std::to_string(number >> 16) + "." + std::to_string(number & 0xffff);
}

/// The version that `words` names, if this host speaks it.
inline std::optional<hv::wire::vmbus::Version> parse_version(std::string_view words) {
  for (const auto version : kVersions) {
    if (text(version) == words) return version;
  }
  return std::nullopt;
}

}  // namespace hv::host::vmbus
