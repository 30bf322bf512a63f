// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/netvsc/frame.hpp"
#include "core/netvsc/rndis.hpp"

namespace hv::netvsc {

/// What a port's stack has left undone in a frame. Trusted.
struct Undone {
  static constexpr uint8_t kTcp = 6, kUdp = 17;

  bool sum = false;  ///< the checksum of its transport header
  uint16_t segment =
      0;  ///< bytes of payload of each segment that it is to be cut into; 0: it is whole
  bool ipv6 = false;
  uint8_t protocol = 0;           ///< of IP: what the transport header is
  uint32_t transport_offset = 0;  ///< of that header in the frame
};

/// Who does it.
enum class Doer : uint8_t {
  Nobody,   ///< there is nothing to do
  Host,     ///< the frame says what
  Guest,    ///< the host cannot sum it: the port does
  Neither,  ///< it cannot be sent
};

/// Says in `frame` what the host is to do; it takes offsets up to wire::rndis::kMostTransportOffset
/// alone. Which frames are cut is agreed on with the stack before (Capabilities::large_send4,
/// large_send6), so that a frame that cannot be is not sent.
Doer share_out(const Capabilities& host, const Undone& undone, SendFrame& frame);

}  // namespace hv::netvsc
