// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hv::host::net {

/// What whoever takes a frame still has to do to it.
struct Offload {
  enum class Kind : uint8_t {
    None,
    Checksum,  ///< the TCP or UDP checksum; its place holds the pseudo header's
    Segment,   ///< cut into segments of `segment_size` bytes of TCP payload, checksums included
  };
  Kind kind = Kind::None;
  bool ipv6 = false;
  uint16_t checksum_start = 0;   ///< of the TCP or UDP header in the frame
  uint16_t checksum_offset = 0;  ///< of the checksum in that header
  uint16_t header_size = 0;      ///< Segment: everything in front of the TCP payload
  uint16_t segment_size = 0;     ///< Segment
};

/// An Ethernet frame on its way to the guest.
struct Frame {
  std::vector<std::byte> bytes;
  bool checked = false;  ///< its TCP or UDP checksum is known to be good
  /// Segment: TCP segments of one flow, joined on the way, so longer than the wire takes. Who
  /// cannot pass it on so cuts it (`finish`).
  Offload joined{};
};

/// The longest frame: Ethernet, a VLAN tag, and the largest IP packet.
inline constexpr size_t kMaxFrame = 65535 + 14 + 4;
inline constexpr size_t kMinFrame = 14;

}  // namespace hv::host::net
