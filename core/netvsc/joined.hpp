// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/hot.h"
#include "core/base/result.hpp"

/// TCP frames that the host has joined of several segments (RSC).
namespace hv::netvsc {

/// How a stack may cut such a frame again, with headers that are like the frame's own.
struct JoinedFrame {
  bool ipv6;
  bool congestion;            ///< TCP's CWR is set, which is of the first segment alone
  uint16_t transport_offset;  ///< of the TCP header in the frame
  uint16_t segment;           ///< bytes of payload of each segment but the last
  uint16_t segments;          ///< 2 or more
  /// Of TCP's pseudo header, folded, not inverted: it belongs, big-endian, into the checksum's
  /// place, so that whoever cuts the frame can go on from it.
  uint16_t pseudo_sum;
};

/// Segments are not taken for shorter than that. Bytes of payload.
inline constexpr uint32_t kMinSegment = 48;
/// The most that stands before a frame's payload: Ethernet, IPv4 and TCP with all options.
inline constexpr uint32_t kMaxJoinedFront = 14 + 60 + 60;

/// Describes a joined frame. `front`: how it begins, kMaxJoinedFront bytes or all of it, a private
/// copy. `length`: bytes of the frame. `parts`: in how many pieces the host gave it. Hosts do not
/// say of how many segments a frame is joined: some give each as a part, others cut it elsewhere,
/// so that no segment is taken for longer than `mtu`, bytes of an IP packet, allows.
/// Trust: nothing of what the host says is taken for granted.
/// Errors: Truncated (headers that are cut off); BadLength (the IP packet is not as long as the
/// frame, or headers are longer than the packet); NotSupported (not TCP over IPv4 or IPv6 without
/// extension headers, a fragment, a flag that no joined frame has, or nothing to be cut).
HV_HOT Result<JoinedFrame> describe_joined(std::span<const std::byte> front, uint32_t length,
                                           uint32_t parts, uint32_t mtu);

}  // namespace hv::netvsc
