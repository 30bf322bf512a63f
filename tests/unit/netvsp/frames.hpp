// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "host/net/headers.hpp"

namespace hv::test {

using Bytes = std::vector<std::byte>;

/// An Ethernet, IPv4 or IPv6, TCP or UDP frame with `payload` bytes that count up; checksums 0.
inline Bytes ip_frame(bool ipv6, bool tcp, size_t payload) {
  const size_t ip = ipv6 ? 40 : 20, transport = tcp ? 20 : 8;
  Bytes frame(14 + ip + transport + payload);
  const auto put8 = [&](size_t at, unsigned value) { frame[at] = static_cast<std::byte>(value); };
  for (size_t i = 0; i < 6; i++)
    put8(i, 0x10 + static_cast<unsigned>(i)), put8(6 + i, 0x20 + static_cast<unsigned>(i));
  host::net::store_be16(frame, 12, ipv6 ? 0x86dd : 0x0800);
  if (ipv6) {
    put8(14, 0x60);
    host::net::store_be16(frame, 18, static_cast<uint16_t>(transport + payload));
    put8(20, tcp ? 6 : 17);
    put8(21, 64);
    for (size_t i = 0; i < 32; i++) put8(22 + i, static_cast<unsigned>(i * 7));
  } else {
    put8(14, 0x45);
    host::net::store_be16(frame, 16, static_cast<uint16_t>(ip + transport + payload));
    put8(22, 64);
    put8(23, tcp ? 6 : 17);
    for (size_t i = 0; i < 8; i++) put8(26 + i, static_cast<unsigned>(10 + i));
  }
  const size_t at = 14 + ip;
  host::net::store_be16(frame, at, 40000);
  host::net::store_be16(frame, at + 2, 80);
  if (tcp) {
    host::net::store_be32(frame, at + 4, 1000);
    put8(at + 12, 5 << 4);
    put8(at + 13, 0x19);  // ACK, PSH, FIN
  } else {
    host::net::store_be16(frame, at + 4, static_cast<uint16_t>(transport + payload));
  }
  for (size_t i = 0; i < payload; i++) put8(at + transport + i, static_cast<unsigned>(i * 3 + 1));
  return frame;
}

/// The Internet checksum over everything that TCP or UDP cover, by the definition: 0 when the one
/// in the frame is right.
inline uint16_t transport_checksum(std::span<const std::byte> frame) {
  const auto headers = host::net::parse_headers(frame).take();
  const bool ipv4 = headers.network == host::net::Headers::Network::Ipv4;
  uint32_t sum = headers.transport == host::net::Headers::Transport::Tcp ? 6 : 17;
  sum += static_cast<uint32_t>(headers.end - headers.transport_at);
  const auto add = [&](size_t from, size_t to) {
    for (size_t at = from; at < to; at++)
      sum += static_cast<uint32_t>(frame[at]) << ((at - from) % 2 == 0 ? 8 : 0);
  };
  add(headers.network_at + (ipv4 ? 12 : 8), headers.network_at + (ipv4 ? 20 : 40));
  add(headers.transport_at, headers.end);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

inline uint16_t ip_checksum(std::span<const std::byte> frame) {
  uint32_t sum = 0;
  for (size_t at = 14; at < 34; at += 2) sum += host::net::load_be16(frame, at);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

}  // namespace hv::test
