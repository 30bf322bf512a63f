// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace hv::storvsc {

enum class Identity : uint8_t {
  Same,
  Other,    ///< another logical unit has taken the place
  Unknown,  ///< they do not say
};

/// Compares two answers to INQUIRY for page 83h, device identification: what a disk said when it
/// was found, and what the disk in its place says now. Of what names the logical unit itself the
/// strongest kind that both have decides: NAA, then EUI-64, then the vendor's. Pure; each length in
/// a page is checked against its bytes. Source: SPC-4, 7.8.6.
Identity compare_identity(std::span<const std::byte> known, std::span<const std::byte> now);

}  // namespace hv::storvsc
