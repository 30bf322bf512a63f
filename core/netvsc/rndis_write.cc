// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/rndis.hpp"

namespace hv::netvsc {

namespace proto = wire::rndis;
using proto::MessageType;
using proto::Oid;

namespace {

/// A message from its parts, front to back; its length goes in last.
class Writer {
 public:
  Writer(std::span<std::byte> out, MessageType type) : out_(out), body_(out), type_(type) {
    ok_ = body_.put(proto::Header{}).ok();
  }

  template <WireStruct T>
  Writer& put(const T& value) {
    ok_ = ok_ && body_.put(value).ok();
    return *this;
  }
  Writer& bytes(std::span<const std::byte> value) {
    ok_ = ok_ && body_.put_bytes(value).ok();
    return *this;
  }
  Result<size_t> finish() {
    if (!ok_) return Error::Exhausted;
    ByteWriter head(out_);
    HV_TRY(head.put(proto::Header{type_, static_cast<uint32_t>(body_.size())}));
    return body_.size();
  }

 private:
  std::span<std::byte> out_;
  ByteWriter body_;
  MessageType type_;
  bool ok_ = true;
};

/// The head of a query or set whose data follows it.
Writer about(std::span<std::byte> out, MessageType type, uint32_t id, Oid oid, size_t length) {
  Writer writer(out, type);
  writer.put(proto::Query{.request_id = id,
                          .oid = static_cast<uint32_t>(oid),
                          .buffer_length = static_cast<uint32_t>(length),
                          .buffer_offset = sizeof(proto::Query),
                          .vc_handle = 0});
  return writer;
}

constexpr std::array<char16_t, 14> kAddressName = {u'N', u'e', u't', u'w', u'o', u'r', u'k',
                                                   u'A', u'd', u'd', u'r', u'e', u's', u's'};

constexpr char16_t hex_digit(unsigned value) {
  return static_cast<char16_t>(value < 10 ? u'0' + value : u'a' + value - 10);
}

}  // namespace

Result<size_t> write_initialize(std::span<std::byte> out, uint32_t id) {
  constexpr uint32_t kOurMostTransfer = 0x4000;
  return Writer(out, MessageType::Initialize)
      .put(proto::Initialize{
          .request_id = id, .major = 1, .minor = 0, .max_transfer = kOurMostTransfer})
      .finish();
}

Result<size_t> write_halt(std::span<std::byte> out, uint32_t id) {
  return Writer(out, MessageType::Halt).put(id).finish();
}

Result<size_t> write_query(std::span<std::byte> out, uint32_t id, Oid oid) {
  return about(out, MessageType::Query, id, oid, 0).finish();
}

Result<size_t> write_query_offloads(std::span<std::byte> out, uint32_t id, const Dialect& dialect) {
  proto::Offload input{};
  uint8_t revision = 1;
  size_t size = proto::kOffloadSizeNdis60;
  if (dialect.at_least(wire::netvsc::Version::V5)) {
    revision = 3;
    size = sizeof(proto::Offload);
  } else if (dialect.at_least(wire::netvsc::Version::V4)) {
    revision = 2;
    size = proto::kOffloadSizeNdis61;
  }
  input.header = {proto::kObjectOffload, revision, static_cast<uint16_t>(size)};
  return about(out, MessageType::Query, id, Oid::OffloadHardwareCapabilities, size)
      .bytes(bytes_of(input).first(size))
      .finish();
}

Result<size_t> write_query_rss(std::span<std::byte> out, uint32_t id) {
  proto::RssCapabilities input{};
  input.header = {proto::kObjectRssCapabilities, 2, sizeof(input)};
  return about(out, MessageType::Query, id, Oid::ReceiveScaleCapabilities, sizeof(input))
      .put(input)
      .finish();
}

Result<size_t> write_set_u32(std::span<std::byte> out, uint32_t id, Oid oid, uint32_t value) {
  return about(out, MessageType::Set, id, oid, sizeof(value)).put(value).finish();
}

Result<size_t> write_set_offloads(std::span<std::byte> out, uint32_t id, const Dialect& dialect,
                                  const Capabilities& found, const OffloadWishes& wishes) {
  struct {
    proto::OffloadParameters head;
    proto::OffloadParametersTail tail;
  } set{};
  static_assert(sizeof(set) == sizeof(set.head) + sizeof(set.tail));
  const bool old = !dialect.has_channels();
  const size_t size = old ? proto::kOffloadParametersSizeV4 : sizeof(set);
  const auto both = [](bool on) { return on ? proto::kChecksumBoth : uint8_t{0}; };

  set.head.header = {proto::kObjectDefault, 3, static_cast<uint16_t>(size)};
  // The checksum of an IPv4 header costs nothing here.
  set.head.ipv4_checksum = proto::kChecksumDisabled;
  set.head.tcp_ipv4_checksum = both(found.tcp4_checksum);
  set.head.tcp_ipv6_checksum = both(found.tcp6_checksum);
  set.head.udp_ipv4_checksum = both(found.udp4_checksum && !old);
  set.head.udp_ipv6_checksum = both(found.udp6_checksum && !old);
  set.head.large_send_v2_ipv4 = found.large_send4 ? proto::kOffloadOn : uint8_t{0};
  set.head.large_send_v2_ipv6 = found.large_send6 ? proto::kOffloadOn : uint8_t{0};
  if (found.rsc)
    set.tail.rsc_ipv4 = set.tail.rsc_ipv6 = wishes.rsc ? proto::kOffloadOn : proto::kOffloadOff;
  return about(out, MessageType::Set, id, Oid::OffloadParameters, size)
      .bytes(std::span(reinterpret_cast<const std::byte*>(&set), size))
      .finish();
}

Result<size_t> write_set_rss(std::span<std::byte> out, uint32_t id, std::span<const uint16_t> table,
                             const RssKey& key, bool off) {
  if (table.empty() || table.size() > kMostRssEntries) return Error::BadLength;
  const auto table_size = static_cast<uint16_t>(table.size() * sizeof(uint32_t));
  constexpr uint16_t kHead = sizeof(proto::RssParameters) + sizeof(proto::RssProcessorMasks);
  const proto::RssParameters parameters{.header = {proto::kObjectRssParameters, 2, kHead},
                                        .flags = off ? proto::kRssDisable : uint16_t{0},
                                        .base_cpu = 0,
                                        .hash_info = proto::kRssHashToeplitz | proto::kHashIpv4 |
                                                     proto::kHashTcpIpv4 | proto::kHashIpv6 |
                                                     proto::kHashTcpIpv6,
                                        .table_size = table_size,
                                        .reserved1 = 0,
                                        .table_offset = kHead,
                                        .key_size = static_cast<uint16_t>(key.size()),
                                        .reserved2 = 0,
                                        .key_offset = uint32_t{kHead} + table_size};
  Writer writer = about(out, MessageType::Set, id, Oid::ReceiveScaleParameters,
                        kHead + size_t{table_size} + key.size());
  writer.put(parameters).put(proto::RssProcessorMasks{});
  for (const uint16_t queue : table) writer.put(uint32_t{queue});
  return writer.bytes(bytes_of(key)).finish();
}

Result<size_t> write_set_mac(std::span<std::byte> out, uint32_t id, const MacAddress& mac) {
  std::array<char16_t, 12> text;
  for (size_t i = 0; i < mac.size(); i++) {
    text[2 * i] = hex_digit(mac[i] >> 4);
    text[2 * i + 1] = hex_digit(mac[i] & 15);
  }
  const proto::ConfigParameter parameter{
      .name_offset = sizeof(proto::ConfigParameter),
      .name_length = sizeof(kAddressName),
      .type = proto::kConfigString,
      .value_offset = sizeof(proto::ConfigParameter) + sizeof(kAddressName),
      .value_length = sizeof(text)};
  return about(out, MessageType::Set, id, Oid::RndisConfigParameter,
               sizeof(parameter) + sizeof(kAddressName) + sizeof(text))
      .put(parameter)
      .put(kAddressName)
      .put(text)
      .finish();
}

Result<size_t> write_keep_alive_complete(std::span<std::byte> out, uint32_t id) {
  return Writer(out, MessageType::KeepAliveComplete)
      .put(proto::Complete{id, proto::Status::Success})
      .finish();
}

}  // namespace hv::netvsc
