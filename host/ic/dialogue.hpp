// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/result.hpp"
#include "core/wire/ic.hpp"

namespace hv::host::ic {

/// What a host offers of one service, oldest first.
struct Offered {
  wire::ic::MessageType type;
  std::span<const wire::ic::Version> frameworks;
  std::span<const wire::ic::Version> versions;
};

/// The host's end of an integration service: what is said to the guest, and whether what comes is
/// the answer to it. One question at a time: a newer one takes the place of the older. A machine:
/// bytes in, bytes out. Concurrency: one caller at a time. The guest is not trusted: what it sends
/// is a private copy, and every length in it is checked.
class Dialogue {
 public:
  enum class State : uint8_t {
    Negotiating,
    Ready,
    Refused,  ///< the guest has none of the versions
  };

  explicit Dialogue(const Offered& offered) : offered_(offered) {}

  /// The first message: the versions.
  std::vector<std::byte> negotiation();
  /// A request of the service. `Ready` alone.
  std::vector<std::byte> request(std::span<const std::byte> payload);

  /// A packet of the guest: the payload of the answer to `request`, empty for the negotiation's.
  /// Errors: Truncated, BadLength, BadValue (no answer, or of another service or versions than were
  /// offered), BadId (to nothing that waits: late, or repeated), Refused (with a failure status).
  Result<std::span<const std::byte>> answered(std::span<const std::byte> packet);

  State state() const { return state_; }
  bool waits() const { return waiting_.has_value(); }
  wire::ic::Version framework() const { return framework_; }
  wire::ic::Version version() const { return version_; }

 private:
  std::vector<std::byte> message(wire::ic::MessageType type, std::span<const std::byte> payload);
  Result<void> agreed(std::span<const std::byte> payload);

  const Offered offered_;
  State state_ = State::Negotiating;
  uint8_t transaction_ = 0;
  std::optional<wire::ic::MessageType> waiting_;
  wire::ic::Version framework_{};
  wire::ic::Version version_{};
};

}  // namespace hv::host::ic
