// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/result.hpp"
#include "core/wire/ic.hpp"

namespace hv::ic {

/// What tells the services apart. To add one, add its row to `services.hpp`.
struct Traits {
  wire::ic::MessageType type;
  std::span<const wire::ic::Version> frameworks;  ///< ours, best first
  std::span<const wire::ic::Version> versions;    ///< of the service, best first
  size_t least;                                   ///< bytes of a request's payload
};

/// A message of the host, understood.
struct Request {
  enum class Kind : uint8_t {
    Negotiated,  ///< versions were chosen, or there is no common one; the answer is written
    Asked,       ///< the service's own: `payload`, to be answered in place
  };
  Kind kind;
  std::span<std::byte> payload{};
};

/// The guest's end of an integration service: bytes in, the same bytes out as the answer. The host
/// may ask at any time, and may negotiate anew. Concurrency: one caller at a time.
/// Trust: the packet is a private copy; every length in it is checked against what came.
class Service {
 public:
  explicit constexpr Service(const Traits& traits) : traits_(&traits) {}

  /// Takes a packet's payload apart. Errors, which get no answer: Truncated, BadLength (a header
  /// says more than there is), BadValue (no data of the pipe, an answer, or of another service),
  /// BadState (asked before it has negotiated).
  Result<Request> take(std::span<std::byte> packet);
  /// Makes the packet of the last `take` its own answer, which is as long.
  static void answer(std::span<std::byte> packet, uint32_t status);

  bool ready() const { return ready_; }
  wire::ic::Version framework() const { return framework_; }
  wire::ic::Version version() const { return version_; }

 private:
  Result<Request> negotiate_with(std::span<std::byte> payload);

  const Traits* traits_;
  bool ready_ = false;
  wire::ic::Version framework_{};
  wire::ic::Version version_{};
};

}  // namespace hv::ic
