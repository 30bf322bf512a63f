// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/net/headers.hpp"

namespace hv::host::net {
namespace {

constexpr uint16_t kIpv4 = 0x0800, kIpv6 = 0x86dd, kVlan = 0x8100, kServiceVlan = 0x88a8;
constexpr uint8_t kTcp = 6, kUdp = 17;
constexpr size_t kEthernet = 14, kVlanTag = 4, kIpv4Least = 20, kIpv6Header = 40, kTcpLeast = 20,
                 kUdpHeader = 8;
constexpr int kMostTags = 2, kMostExtensions = 8;

using Bytes = std::span<const std::byte>;

bool room(Bytes frame, size_t at, size_t count) {
  return at <= frame.size() && frame.size() - at >= count;
}
uint8_t load8(Bytes bytes, size_t at) { return static_cast<uint8_t>(bytes[at]); }

Result<Headers> parse_transport(Bytes frame, Headers headers, uint8_t protocol) {
  if (protocol != kTcp && protocol != kUdp) return headers;
  const Bytes packet = frame.first(headers.end);
  const size_t at = headers.transport_at;
  size_t length = kUdpHeader;
  if (protocol == kTcp) {
    if (!room(packet, at, kTcpLeast)) return Error::Truncated;
    length = size_t{4} * (load8(packet, at + 12) >> 4);
    if (length < kTcpLeast) return Error::BadLength;
  }
  if (!room(packet, at, length)) return Error::Truncated;
  headers.transport = protocol == kTcp ? Headers::Transport::Tcp : Headers::Transport::Udp;
  headers.payload_at = at + length;
  return headers;
}

Result<Headers> parse_ipv4(Bytes frame, Headers headers) {
  const size_t at = headers.network_at;
  if (!room(frame, at, kIpv4Least)) return Error::Truncated;
  const size_t length = size_t{4} * (load8(frame, at) & 15);
  if (load8(frame, at) >> 4 != 4 || length < kIpv4Least) return Error::BadLength;
  if (!room(frame, at, length)) return Error::Truncated;
  const size_t total = load_be16(frame, at + 2);
  if (total != 0) {
    if (total < length) return Error::BadLength;
    if (!room(frame, at, total)) return Error::Truncated;
    headers.end = at + total;
  }
  headers.network = Headers::Network::Ipv4;
  headers.transport_at = at + length;
  const bool fragment = (load_be16(frame, at + 6) & 0x3fff) != 0;  // more to come, or an offset
  return fragment ? Result<Headers>(headers)
                  : parse_transport(frame, headers, load8(frame, at + 9));
}

Result<Headers> parse_ipv6(Bytes frame, Headers headers) {
  const size_t at = headers.network_at;
  if (!room(frame, at, kIpv6Header)) return Error::Truncated;
  if (load8(frame, at) >> 4 != 6) return Error::BadLength;
  const size_t payload = load_be16(frame, at + 4);
  if (payload != 0) {
    if (!room(frame, at + kIpv6Header, payload)) return Error::Truncated;
    headers.end = at + kIpv6Header + payload;
  }
  headers.network = Headers::Network::Ipv6;
  headers.transport_at = at + kIpv6Header;
  uint8_t next = load8(frame, at + 6);
  for (int i = 0; i < kMostExtensions; i++) {
    constexpr uint8_t kHopByHop = 0, kRouting = 43, kDestination = 60;
    if (next != kHopByHop && next != kRouting && next != kDestination)
      return parse_transport(frame, headers, next);
    if (!room(frame.first(headers.end), headers.transport_at, 8)) return Error::Truncated;
    next = load8(frame, headers.transport_at);
    headers.transport_at += size_t{8} * (load8(frame, headers.transport_at + 1) + 1u);
    if (headers.transport_at > headers.end) return Error::Truncated;
  }
  return headers;
}

}  // namespace

uint16_t load_be16(Bytes bytes, size_t at) {
  return static_cast<uint16_t>(load8(bytes, at) << 8 | load8(bytes, at + 1));
}
uint32_t load_be32(Bytes bytes, size_t at) {
  return uint32_t{load_be16(bytes, at)} << 16 | load_be16(bytes, at + 2);
}
void store_be16(std::span<std::byte> bytes, size_t at, uint16_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value);
}
void store_be32(std::span<std::byte> bytes, size_t at, uint32_t value) {
  store_be16(bytes, at, static_cast<uint16_t>(value >> 16));
  store_be16(bytes, at + 2, static_cast<uint16_t>(value));
}

Result<Headers> parse_headers(Bytes frame) {
  if (frame.size() < kEthernet) return Error::Truncated;
  Headers headers;
  headers.end = frame.size();
  size_t type_at = 12;
  uint16_t type = load_be16(frame, type_at);
  for (int i = 0; i < kMostTags && (type == kVlan || type == kServiceVlan); i++) {
    type_at += kVlanTag;
    if (!room(frame, type_at, 2)) return Error::Truncated;
    type = load_be16(frame, type_at);
  }
  headers.network_at = type_at + 2;
  headers.transport_at = headers.network_at;
  headers.payload_at = headers.network_at;
  if (type == kIpv4) return parse_ipv4(frame, headers);
  if (type == kIpv6) return parse_ipv6(frame, headers);
  return headers;
}

}  // namespace hv::host::net
