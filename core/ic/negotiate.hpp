// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/result.hpp"
#include "core/wire/ic.hpp"

namespace hv::ic {

/// What was answered: the versions chosen, or, where there is no common one, the number of those
/// that were offered as its `major`.
struct Negotiated {
  bool agreed;
  wire::ic::Version framework;
  wire::ic::Version service;
};

/// Chooses versions of the framework and of the service from those that the host offers, and writes
/// the answer over the offer. `body`: a private copy of the message behind its header, as long as
/// the host made it; ours: best first. An offer that counts more versions than it has is answered
/// like one of unknown versions. Errors: Truncated (no offer at all; nothing is written then).
Result<Negotiated> negotiate(std::span<std::byte> body,
                             std::span<const wire::ic::Version> frameworks,
                             std::span<const wire::ic::Version> services);

}  // namespace hv::ic
