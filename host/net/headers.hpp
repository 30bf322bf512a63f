// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/result.hpp"

namespace hv::host::net {

/// Where the headers of a frame are. Every offset is within the frame, and so is the whole header
/// that begins there.
struct Headers {
  enum class Network : uint8_t { Other, Ipv4, Ipv6 };
  enum class Transport : uint8_t { Other, Tcp, Udp };  ///< Other: of a fragment, too

  Network network = Network::Other;
  Transport transport = Transport::Other;
  size_t network_at = 0;
  size_t transport_at = 0;
  size_t payload_at = 0;  ///< behind the TCP or UDP header
  size_t end = 0;         ///< of the IP packet: what follows is padding of the frame
};

/// Takes a frame apart, VLAN tags included. An IPv4 total length or IPv6 payload length of 0 means
/// "to the end of the frame", as in frames to be segmented. Pure. Errors: Truncated (a header is
/// cut off), BadLength (lengths that contradict each other).
Result<Headers> parse_headers(std::span<const std::byte> frame);

uint16_t load_be16(std::span<const std::byte> bytes, size_t at);
uint32_t load_be32(std::span<const std::byte> bytes, size_t at);
void store_be16(std::span<std::byte> bytes, size_t at, uint16_t value);
void store_be32(std::span<std::byte> bytes, size_t at, uint32_t value);

}  // namespace hv::host::net
