// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>

/// Integration services: what the messages of all of them share. Little-endian. Source:
/// hyperv_ic_protocol (OpenVMM), `NegotiateMessage`.
namespace hv::wire::ic {

struct [[gnu::packed]] Version {
  uint16_t major;
  uint16_t minor;
  friend bool operator==(Version, Version) = default;
};
static_assert(sizeof(Version) == 4);

/// In front of the versions: of the framework, best last, and behind them those of the service.
struct [[gnu::packed]] Negotiate {
  uint16_t framework_count;
  uint16_t service_count;
  uint32_t reserved;
};
static_assert(sizeof(Negotiate) == 8);

/// The most that any host offers, of either kind.
inline constexpr size_t kMaxVersions = 100;

}  // namespace hv::wire::ic
