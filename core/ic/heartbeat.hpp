// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/ic/services.hpp"

namespace hv::ic {

/// The heartbeat: the host counts, and the guest says the next number, so that the host knows that
/// it is there. Concurrency and trust: as Service.
class Heartbeat {
 public:
  /// Makes a packet's payload, a private copy, its own answer. Errors, which get none: as
  /// Service::take.
  Result<void> answer(std::span<std::byte> packet) {
    const Request request = HV_TRY(service_.take(packet));
    if (request.kind == Request::Kind::Asked) count(request.payload);
    Service::answer(packet, wire::ic::kStatusSuccess);
    return {};
  }
  const Service& service() const { return service_; }

 private:
  static void count(std::span<std::byte> payload) {
    uint64_t sequence;
    __builtin_memcpy(&sequence, payload.data(), sizeof(sequence));
    sequence++;
    __builtin_memcpy(payload.data(), &sequence, sizeof(sequence));
  }

  Service service_{kHeartbeat};
};

}  // namespace hv::ic
