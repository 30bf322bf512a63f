// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "core/base/result.hpp"
#include "host/net/frame.hpp"

namespace hv::host::net {

/// Prepares a frame whose TCP or UDP checksum is to be filled in: puts the pseudo header's sum in
/// its place and says where it is. Errors: parse_headers'; BadValue (neither TCP nor UDP over IP).
Result<Offload> prepare_checksum(std::span<std::byte> frame);

/// Prepares a TCP frame to be cut: also fills in the lengths that senders leave 0, and the IPv4
/// header's checksum. Errors: parse_headers'; BadValue (no TCP over IP, no payload, or a segment
/// size below kLeastSegment).
Result<Offload> prepare_segments(std::span<std::byte> frame, uint32_t segment_size);

/// The smallest segment that senders use (and that bounds the number of segments of a frame).
inline constexpr uint32_t kLeastSegment = 48;

/// Fills in the checksum of the IPv4 header. Errors: parse_headers'; BadValue (no IPv4).
Result<void> fill_ip_checksum(std::span<std::byte> frame);

/// Has a frame of joined IPv4 segments bear the header checksum that its first segment had, as it
/// comes from hosts that do not sum up anew what they join. Any other frame is left as it is.
void leave_first_checksum(std::span<std::byte> frame, const Offload& joined);

/// Does in software what `offload`, made for this frame, says is left to be done, and gives each
/// finished frame to `each`. The frame is used up by it.
void finish(std::span<std::byte> frame, const Offload& offload,
            const std::function<void(std::span<const std::byte>)>& each);

/// Fills in a checksum whose place holds the pseudo header's sum. Errors: BadLength (out of the
/// frame).
Result<void> fill_checksum(std::span<std::byte> frame, size_t start, size_t offset);

}  // namespace hv::host::net
