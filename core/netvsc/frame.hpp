// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <span>

#include "core/base/bytes.hpp"
#include "core/base/hot.h"
#include "core/wire/rndis.hpp"

/// Frames as RNDIS carries them: a Packet message, per-packet information, the frame's bytes.
namespace hv::netvsc {

/// A frame to be sent, as the port's stack describes it. Trusted.
struct SendFrame {
  enum class Offload : uint8_t { None, Checksum, LargeSend };

  uint32_t length = 0;  ///< bytes of the frame, its VLAN tag not among them
  Offload offload = Offload::None;
  bool ipv6 = false;
  bool udp = false;               ///< Checksum: of UDP, else of TCP
  bool tagged = false;            ///< `vlan` is to be put in
  bool hashed = false;            ///< `hash` is known
  uint16_t transport_offset = 0;  ///< Checksum, LargeSend: of the TCP or UDP header in the frame,
                                  ///< at most wire::rndis::kMostTransportOffset
  uint16_t segment = 0;           ///< LargeSend: bytes of each segment's payload
  uint16_t vlan = 0;              ///< the tag's control information, as in the frame
  uint32_t hash = 0;
};

/// The most that stands in front of a frame's bytes: three pieces of information. A port's room for
/// it is this rounded up.
inline constexpr size_t kPpiSize = sizeof(wire::rndis::PpiHeader) + sizeof(uint32_t);
inline constexpr size_t kMostHeader =
    sizeof(wire::rndis::Header) + sizeof(wire::rndis::Packet) + 3 * kPpiSize;
inline constexpr size_t kHeaderRoom = 128;
static_assert(kMostHeader <= kHeaderRoom);

/// Bytes that stand in front of the frame's.
inline size_t header_size(const SendFrame& frame) {
  const size_t infos = size_t{frame.hashed} + size_t{frame.tagged} +
                       size_t{frame.offload != SendFrame::Offload::None};
  return sizeof(wire::rndis::Header) + sizeof(wire::rndis::Packet) + infos * kPpiSize;
}

/// Writes them into `out`, which is shared with the host and never read. `padding`: bytes behind
/// the frame that belong to the message.
HV_HOT void write_header(std::span<std::byte> out, const SendFrame& frame, uint32_t padding);

/// What the host says of a frame it has for us, every value as it came.
struct ReceivedInfo {
  bool has_checksum = false;
  bool has_vlan = false;
  bool has_hash = false;
  uint16_t vlan = 0;      ///< the tag's control information, as in a frame
  uint32_t checksum = 0;  ///< wire::rndis::k...ChecksumGood
  uint32_t hash = 0;
  uint8_t part = 0;  ///< wire::rndis::kPart...; 0: the frame is whole
  /// The IPv4 header's checksum was good before the host joined the frame, and is stale now: the
  /// port puts the right one in, as a stack looks at it in any case.
  bool sum_header = false;
};

/// A frame in a message of the host.
struct ReceivedFrame {
  uint32_t offset;  ///< from the beginning of the message
  uint32_t length;  ///< 1 or more; all within the message
  ReceivedInfo info;
};

/// Bytes of per-packet information that are looked at; hosts send fewer than 100.
inline constexpr size_t kMostPpi = 512;

/// Where the headers of a message are copied to before they are looked at.
using PpiScratch = std::array<std::byte, kMostPpi>;

/// Parses the Packet message whose header was already copied out. `message`: all of it, still
/// shared with the host, each byte read at most once. Errors: Truncated, BadLength (data or
/// information out of the message, or information out of its list), Overflow never.
HV_HOT Result<ReceivedFrame> parse_frame(std::span<const std::byte> message, PpiScratch& scratch);

/// Parses a list of per-packet information, a private copy. Types that are not known are passed
/// over; of one type the first counts. Errors: BadLength (a size that is smaller than its header or
/// larger than the list: it could not be gone on behind it).
HV_HOT Result<ReceivedInfo> parse_ppis(std::span<const std::byte> list);

}  // namespace hv::netvsc
