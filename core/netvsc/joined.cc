// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/joined.hpp"

#include <array>

#include "core/base/bytes.hpp"

namespace hv::netvsc {

namespace {

/// As on the wire: big-endian.
struct Big16 {
  uint8_t high;
  uint8_t low;
  constexpr uint16_t value() const { return static_cast<uint16_t>(high << 8 | low); }
};

struct Ethernet {
  std::array<uint8_t, 12> addresses;
  Big16 type;
};
struct Ipv4 {
  uint8_t version_and_words;
  uint8_t service;
  Big16 total;
  Big16 id;
  Big16 fragment;
  uint8_t life;
  uint8_t protocol;
  Big16 sum;
  std::array<Big16, 4> addresses;
};
struct Ipv6 {
  uint8_t version_and_class;
  std::array<uint8_t, 3> flow;
  Big16 payload;
  uint8_t next;
  uint8_t life;
  std::array<Big16, 16> addresses;
};
struct Tcp {
  std::array<uint8_t, 12> ports_and_numbers;
  uint8_t words;  ///< in the upper half
  uint8_t flags;
  Big16 window;
  Big16 sum;
  Big16 urgent;
};
static_assert(sizeof(Ethernet) == 14 && sizeof(Ipv4) == 20 && sizeof(Ipv6) == 40 &&
              sizeof(Tcp) == 20);

constexpr uint16_t kTypeIpv4 = 0x0800, kTypeIpv6 = 0x86dd;
constexpr uint8_t kProtocolTcp = 6;
constexpr uint16_t kMoreFragmentsAndOffset = 0x3fff;
constexpr uint8_t kSyn = 0x02, kRst = 0x04, kUrg = 0x20, kCwr = 0x80;

/// What an IP header says.
struct Network {
  bool ipv6;
  uint32_t header;   ///< bytes
  uint32_t payload;  ///< bytes behind the header
  uint32_t sum;      ///< of the addresses' words
};

uint32_t sum_of(std::span<const Big16> words) {
  uint32_t sum = 0;
  for (const Big16& word : words) sum += word.value();
  return sum;
}

constexpr uint16_t fold(uint32_t sum) {
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(sum);
}

Result<Network> take_ipv4(ByteReader& reader) {
  const auto ip = HV_TRY(reader.take<Ipv4>());
  const uint32_t header = (ip.version_and_words & 15u) * 4;
  if (ip.version_and_words >> 4 != 4 || ip.protocol != kProtocolTcp ||
      ip.fragment.value() & kMoreFragmentsAndOffset)
    return Error::NotSupported;
  if (header < sizeof(ip) || header > ip.total.value()) return Error::BadLength;
  HV_TRY(reader.skip(header - sizeof(ip)));
  return Network{.ipv6 = false,
                 .header = header,
                 .payload = ip.total.value() - header,
                 .sum = sum_of(ip.addresses)};
}

Result<Network> take_ipv6(ByteReader& reader) {
  const auto ip = HV_TRY(reader.take<Ipv6>());
  if (ip.version_and_class >> 4 != 6 || ip.next != kProtocolTcp) return Error::NotSupported;
  return Network{.ipv6 = true,
                 .header = sizeof(ip),
                 .payload = ip.payload.value(),
                 .sum = sum_of(ip.addresses)};
}

Result<Network> take_network(ByteReader& reader) {
  const auto ethernet = HV_TRY(reader.take<Ethernet>());
  if (ethernet.type.value() == kTypeIpv4) return take_ipv4(reader);
  if (ethernet.type.value() == kTypeIpv6) return take_ipv6(reader);
  return Error::NotSupported;
}

/// Bytes of payload of each segment, `headers` being those of IP and TCP. 0: nothing is to be cut.
uint32_t segment_of(uint32_t payload, uint32_t headers, uint32_t parts, uint32_t mtu) {
  if (parts == 0 || parts > payload || mtu < headers + kMinSegment) return 0;
  uint32_t segment = (payload - 1) / parts + 1;
  if (segment > mtu - headers) segment = mtu - headers;
  if (segment < kMinSegment) segment = kMinSegment;
  return segment < payload ? segment : 0;
}

}  // namespace

Result<JoinedFrame> describe_joined(std::span<const std::byte> front, uint32_t length,
                                    uint32_t parts, uint32_t mtu) {
  ByteReader reader(front);
  const auto network = HV_TRY(take_network(reader));
  const auto tcp = HV_TRY(reader.take<Tcp>());
  const uint32_t header = (tcp.words >> 4) * 4u;
  if (sizeof(Ethernet) + network.header + network.payload != length) return Error::BadLength;
  if (header < sizeof(tcp) || header > network.payload) return Error::BadLength;
  HV_TRY(reader.skip(header - sizeof(tcp)));
  if (tcp.flags & (kSyn | kRst | kUrg)) return Error::NotSupported;

  const uint32_t payload = network.payload - header;
  const uint32_t segment = segment_of(payload, network.header + header, parts, mtu);
  if (segment == 0) return Error::NotSupported;
  return JoinedFrame{.ipv6 = network.ipv6,
                     .congestion = (tcp.flags & kCwr) != 0,
                     .transport_offset = static_cast<uint16_t>(sizeof(Ethernet) + network.header),
                     .segment = static_cast<uint16_t>(segment),
                     .segments = static_cast<uint16_t>((payload - 1) / segment + 1),
                     .pseudo_sum = fold(network.sum + kProtocolTcp + network.payload)};
}

}  // namespace hv::netvsc
