// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "core/base/result.hpp"
#include "core/wire/rndis.hpp"
#include "host/net/frame.hpp"

namespace hv::host::netvsp {

/// What stands behind per-packet information, raw; none: it was not there.
struct PacketInfo {
  std::optional<uint32_t> checksum;
  std::optional<uint32_t> large_send;
  std::optional<uint32_t> vlan;
};

/// A frame that the guest sends: views of the message.
struct SentPacket {
  size_t data_at = 0;  ///< of the frame, from the beginning of the message
  size_t data_size = 0;
  PacketInfo info;
};

/// One RNDIS message at the front of `bytes`, its length checked. Errors: Truncated, BadLength.
struct MessageView {
  wire::rndis::MessageType type;
  std::span<const std::byte> body;  ///< behind the header
  size_t size;                      ///< header included
};
Result<MessageView> first_message(std::span<const std::byte> bytes);

/// Takes a Packet apart. Per-packet information of unknown types is passed over; of one type the
/// first counts. Errors: Truncated (the body), BadLength (data or information not within the body,
/// or not within each other), BadValue (a frame shorter or longer than Ethernet's).
Result<SentPacket> parse_packet(const MessageView& message);

/// Puts a VLAN tag into the frame that begins `at` (kVlanTag or more) in `bytes`, using the bytes
/// in front of it. The new beginning.
inline constexpr size_t kVlanTag = 4;
size_t insert_vlan(std::span<std::byte> bytes, size_t at, uint32_t info);

/// The VLAN tag of a frame to the guest as per-packet information, when it has one.
std::optional<uint32_t> vlan_info(std::span<const std::byte> frame);

/// The most that stands in front of the frame's bytes in a Packet to the guest.
inline constexpr uint32_t kPpiSize = sizeof(wire::rndis::PpiHeader) + sizeof(uint32_t);
inline constexpr uint32_t kReceiveOverhead =
    sizeof(wire::rndis::Header) + sizeof(wire::rndis::Packet) + 3 * kPpiSize;

/// What the guest is told of a frame.
struct ReceiveInfo {
  std::optional<uint32_t> vlan;
  std::optional<uint32_t> checksum;
  std::optional<uint32_t> hash;
  /// What follows is a part of a frame that comes in several messages of one packet.
  std::optional<wire::rndis::PacketId> part{};
};
/// The most in front of a part.
inline constexpr uint32_t kPartOverhead = kReceiveOverhead + kPpiSize;

/// Writes what stands in front of a frame of `data_size` bytes into `out`, of kReceiveOverhead
/// bytes (a part: kPartOverhead). The bytes written.
size_t write_packet_header(std::span<std::byte> out, size_t data_size, const ReceiveInfo& info);

}  // namespace hv::host::netvsp
