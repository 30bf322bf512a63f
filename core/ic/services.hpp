// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>

#include "core/ic/service.hpp"

/// One row a service.
namespace hv::ic {

inline constexpr std::array<wire::ic::Version, 2> kFrameworks{{{3, 0}, {1, 0}}};

inline constexpr std::array<wire::ic::Version, 2> kHeartbeatVersions{{{3, 0}, {1, 0}}};
inline constexpr Traits kHeartbeat{.type = wire::ic::MessageType::Heartbeat,
                                   .frameworks = kFrameworks,
                                   .versions = kHeartbeatVersions,
                                   .least = wire::ic::kLeastHeartbeat};

}  // namespace hv::ic
