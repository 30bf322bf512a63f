// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/net/offload.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include "host/net/headers.hpp"

namespace hv::host::net {
namespace {

using Bytes = std::span<const std::byte>;
using Network = Headers::Network;
using Transport = Headers::Transport;

constexpr uint16_t kTcpChecksum = 16, kUdpChecksum = 6;
constexpr uint8_t kTcp = 6, kUdp = 17;
constexpr uint8_t kFin = 1, kPush = 8, kCwr = 0x80;

/// The Internet checksum's sum, not folded.
uint64_t sum(Bytes bytes, uint64_t start = 0) {
  uint64_t total = start;
  size_t at = 0;
  for (; at + 1 < bytes.size(); at += 2) total += load_be16(bytes, at);
  if (at < bytes.size()) total += static_cast<uint64_t>(bytes[at]) << 8;
  return total;
}

uint16_t fold(uint64_t total) {
  while (total >> 16 != 0) total = (total & 0xffff) + (total >> 16);
  return static_cast<uint16_t>(total);
}

/// Of the addresses, the protocol and `length` bytes of TCP or UDP, header included.
uint16_t pseudo_header(Bytes frame, const Headers& headers, size_t length) {
  const bool ipv4 = headers.network == Network::Ipv4;
  const Bytes addresses = frame.subspan(headers.network_at + (ipv4 ? 12 : 8), ipv4 ? 8 : 32);
  return fold(
      sum(addresses, (headers.transport == Transport::Tcp ? kTcp : kUdp) + uint64_t{length}));
}

void fill_ip_checksum(std::span<std::byte> frame, const Headers& headers) {
  const auto header = frame.subspan(
      headers.network_at, size_t{4} * (static_cast<size_t>(frame[headers.network_at]) & 15));
  store_be16(header, 10, 0);
  store_be16(header, 10, static_cast<uint16_t>(~fold(sum(header))));
}

Offload begin(std::span<std::byte> frame, const Headers& headers) {
  Offload offload{
      .kind = Offload::Kind::Checksum,
      .ipv6 = headers.network == Network::Ipv6,
      .checksum_start = static_cast<uint16_t>(headers.transport_at),
      .checksum_offset = headers.transport == Transport::Tcp ? kTcpChecksum : kUdpChecksum};
  store_be16(frame, headers.transport_at + offload.checksum_offset,
             pseudo_header(frame, headers, headers.end - headers.transport_at));
  return offload;
}

}  // namespace

Result<Offload> prepare_checksum(std::span<std::byte> frame) {
  const Headers headers = HV_TRY(parse_headers(frame));
  if (headers.transport == Transport::Other || headers.transport_at > 0xffff)
    return Error::BadValue;
  return begin(frame, headers);
}

Result<Offload> prepare_segments(std::span<std::byte> frame, uint32_t segment_size) {
  const Headers headers = HV_TRY(parse_headers(frame));
  if (headers.transport != Transport::Tcp || segment_size < kLeastSegment || segment_size > 0xffff)
    return Error::BadValue;
  if (headers.payload_at >= headers.end || headers.payload_at > 0xffff) return Error::BadValue;
  const size_t length =
      headers.end - headers.network_at - (headers.network == Network::Ipv6 ? 40 : 0);
  if (length > 0xffff) return Error::BadLength;
  store_be16(frame, headers.network_at + (headers.network == Network::Ipv4 ? 2 : 4),
             static_cast<uint16_t>(length));
  if (headers.network == Network::Ipv4) fill_ip_checksum(frame, headers);
  Offload offload = begin(frame, headers);
  if (headers.end - headers.payload_at <= segment_size) return offload;
  offload.kind = Offload::Kind::Segment;
  offload.header_size = static_cast<uint16_t>(headers.payload_at);
  offload.segment_size = static_cast<uint16_t>(segment_size);
  return offload;
}

Result<void> fill_ip_checksum(std::span<std::byte> frame) {
  const Headers headers = HV_TRY(parse_headers(frame));
  if (headers.network != Network::Ipv4) return Error::BadValue;
  fill_ip_checksum(frame, headers);
  return {};
}

void leave_first_checksum(std::span<std::byte> frame, const Offload& joined) {
  const auto headers = parse_headers(frame);
  if (joined.kind != Offload::Kind::Segment || !headers || headers->network != Network::Ipv4 ||
      headers->payload_at != joined.header_size)
    return;
  const uint16_t length = load_be16(frame, headers->network_at + 2);
  store_be16(frame, headers->network_at + 2,
             static_cast<uint16_t>(joined.header_size - headers->network_at + joined.segment_size));
  fill_ip_checksum(frame, *headers);
  store_be16(frame, headers->network_at + 2, length);
}

Result<void> fill_checksum(std::span<std::byte> frame, size_t start, size_t offset) {
  if (start > frame.size() || offset > frame.size() - start || frame.size() - start - offset < 2)
    return Error::BadLength;
  // Padding of a short frame is no part of what is summed up.
  size_t end = frame.size();
  if (const auto headers = parse_headers(frame); headers && headers->end > start + offset + 1)
    end = headers->end;
  const uint16_t value = static_cast<uint16_t>(~fold(sum(frame.subspan(start, end - start))));
  // Of UDP, 0 would say "no checksum"; all ones is the same number.
  store_be16(frame, start + offset, value == 0 ? 0xffff : value);
  return {};
}

void finish(std::span<std::byte> frame, const Offload& offload,
            const std::function<void(Bytes)>& each) {
  if (offload.kind == Offload::Kind::Checksum)
    (void)fill_checksum(frame, offload.checksum_start, offload.checksum_offset);
  if (offload.kind != Offload::Kind::Segment) return each(frame);
  const auto parsed = parse_headers(frame);
  if (!parsed || parsed->transport != Transport::Tcp || parsed->payload_at != offload.header_size)
    return;
  const Headers& headers = *parsed;
  const bool ipv4 = headers.network == Network::Ipv4;
  const Bytes payload = Bytes(frame).subspan(headers.payload_at, headers.end - headers.payload_at);
  const uint32_t sequence = load_be32(frame, headers.transport_at + 4);
  const auto flags = static_cast<uint8_t>(frame[headers.transport_at + 13]);
  uint16_t id = ipv4 ? load_be16(frame, headers.network_at + 4) : 0;
  std::vector<std::byte> segment(headers.payload_at + offload.segment_size);
  for (size_t at = 0; at < payload.size(); at += offload.segment_size) {
    const size_t count = std::min<size_t>(offload.segment_size, payload.size() - at);
    const bool last = at + count == payload.size();
    std::memcpy(segment.data(), frame.data(), headers.payload_at);
    std::memcpy(segment.data() + headers.payload_at, payload.data() + at, count);
    const std::span<std::byte> out(segment.data(), headers.payload_at + count);
    const size_t packet = out.size() - headers.network_at;
    store_be16(out, headers.network_at + (ipv4 ? 2 : 4),
               static_cast<uint16_t>(ipv4 ? packet : packet - 40));
    if (ipv4) store_be16(out, headers.network_at + 4, id++);
    store_be32(out, headers.transport_at + 4, sequence + static_cast<uint32_t>(at));
    uint8_t own = flags;
    if (!last) own &= static_cast<uint8_t>(~(kFin | kPush));
    if (at != 0) own &= static_cast<uint8_t>(~kCwr);
    out[headers.transport_at + 13] = static_cast<std::byte>(own);
    if (ipv4) fill_ip_checksum(out, headers);
    store_be16(out, headers.transport_at + kTcpChecksum,
               pseudo_header(out, headers, out.size() - headers.transport_at));
    (void)fill_checksum(out, headers.transport_at, kTcpChecksum);
    each(out);
  }
}

}  // namespace hv::host::net
