// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What RNDIS queries and sets are about, one object id each.
#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/wire/netvsc.hpp"
#include "host/netvsp/rndis_device.hpp"

namespace hv::host::netvsp {
namespace {

namespace proto = wire::rndis;
using proto::Oid;
using proto::Status;

constexpr uint32_t kEthernet = 14;
constexpr uint32_t kMostLargeSend = 62 * 1024;
constexpr uint32_t kMulticastEntries = 32;

constexpr std::array kSupported = {Oid::SupportedList,
                                   Oid::HardwareStatus,
                                   Oid::MediaSupported,
                                   Oid::MediaInUse,
                                   Oid::MaximumLookahead,
                                   Oid::MaximumFrameSize,
                                   Oid::LinkSpeed,
                                   Oid::TransmitBufferSpace,
                                   Oid::ReceiveBufferSpace,
                                   Oid::TransmitBlockSize,
                                   Oid::ReceiveBlockSize,
                                   Oid::VendorId,
                                   Oid::VendorDescription,
                                   Oid::CurrentPacketFilter,
                                   Oid::CurrentLookahead,
                                   Oid::DriverVersion,
                                   Oid::MaximumTotalSize,
                                   Oid::MacOptions,
                                   Oid::MediaConnectStatus,
                                   Oid::MaximumSendPackets,
                                   Oid::VendorDriverVersion,
                                   Oid::ReceiveScaleCapabilities,
                                   Oid::ReceiveScaleParameters,
                                   Oid::RndisConfigParameter,
                                   Oid::XmitOk,
                                   Oid::ReceiveOk,
                                   Oid::XmitError,
                                   Oid::ReceiveError,
                                   Oid::ReceiveNoBuffer,
                                   Oid::FriendlyName,
                                   Oid::PermanentAddress,
                                   Oid::CurrentAddress,
                                   Oid::MulticastList,
                                   Oid::MaximumListSize,
                                   Oid::ReceiveErrorAlignment,
                                   Oid::XmitOneCollision,
                                   Oid::XmitMoreCollisions,
                                   Oid::OffloadEncapsulation,
                                   Oid::OffloadCurrentConfig,
                                   Oid::OffloadParameters,
                                   Oid::OffloadHardwareCapabilities};

template <WireStruct T>
std::vector<std::byte> copy_of(const T& value) {
  const auto bytes = bytes_of(value);
  return {bytes.begin(), bytes.end()};
}

std::vector<std::byte> utf16(std::string_view text) {
  std::vector<std::byte> out;
  for (const char c : text) {
    out.push_back(static_cast<std::byte>(c));
    out.push_back({});
  }
  return out;
}

/// ASCII of UTF-16, '?' for the rest.
std::string ascii(std::span<const std::byte> bytes) {
  std::string out;
  for (size_t at = 0; at + 1 < bytes.size(); at += 2) {
    const auto c = static_cast<char>(bytes[at]);
    out += bytes[at + 1] == std::byte{} && c > 0 ? c : '?';
  }
  return out;
}

/// What this host can do for the guest, in the form and length that the guest's NDIS version knows
/// (it sends the header that it expects).
std::vector<std::byte> offload(std::span<const std::byte> asked) {
  const uint32_t tcp = proto::kOffloadTcp | proto::kOffloadTcpOptions | proto::kOffloadUdp |
                       proto::kOffloadIpOptions;
  proto::Offload out{};
  out.checksum = {.ipv4_send_encapsulation = proto::kEncapsulation8023,
                  .ipv4_send = tcp | proto::kOffloadIpHeader,
                  .ipv4_receive_encapsulation = proto::kEncapsulation8023,
                  .ipv4_receive = tcp | proto::kOffloadIpHeader,
                  .ipv6_send_encapsulation = proto::kEncapsulation8023,
                  .ipv6_send = tcp,
                  .ipv6_receive_encapsulation = proto::kEncapsulation8023,
                  .ipv6_receive = tcp};
  out.large_send_v2 = {.ipv4_encapsulation = proto::kEncapsulation8023,
                       .ipv4_most = kMostLargeSend,
                       .ipv4_least_segments = 2,
                       .ipv6_encapsulation = proto::kEncapsulation8023,
                       .ipv6_most = kMostLargeSend,
                       .ipv6_least_segments = 2,
                       .ipv6_options = proto::kOffloadIpOptions | proto::kOffloadTcpOptions};
  out.rsc = {1, 1};
  uint8_t revision = 3;
  size_t size = sizeof(out);
  if (const auto header = ByteReader(asked).take<proto::ObjectHeader>()) {
    if (header->revision == 1) revision = 1, size = proto::kOffloadSizeNdis60;
    if (header->revision == 2) revision = 2, size = proto::kOffloadSizeNdis61;
  }
  out.header = {proto::kObjectOffload, revision, static_cast<uint16_t>(size)};
  auto bytes = copy_of(out);
  bytes.resize(size);
  return bytes;
}

}  // namespace

std::optional<uint32_t> RndisDevice::query_number(Oid oid, uint32_t frame_size) const {
  const auto number = [](const std::atomic<uint64_t>& counter) {
    return static_cast<uint32_t>(counter.load(std::memory_order_relaxed));
  };
  switch (oid) {
    case Oid::HardwareStatus:  // ready
    case Oid::MediaSupported:  // 802.3
    case Oid::MediaInUse:
    case Oid::XmitError:
    case Oid::ReceiveErrorAlignment:
    case Oid::XmitOneCollision:
    case Oid::XmitMoreCollisions:
      return 0;
    case Oid::MaximumLookahead:
    case Oid::CurrentLookahead:
    case Oid::MaximumFrameSize:
      return frame_size - kEthernet;
    case Oid::TransmitBlockSize:
    case Oid::ReceiveBlockSize:
    case Oid::MaximumTotalSize:
      return frame_size;
    case Oid::LinkSpeed:
      return static_cast<uint32_t>(facts_.bits_per_second / 100);
    case Oid::TransmitBufferSpace:
    case Oid::ReceiveBufferSpace:
      return 1024 * 1024;
    case Oid::VendorId:
      return 0xffffff;  // none
    case Oid::CurrentPacketFilter:
      return filter();
    case Oid::MacOptions:
      return 1 | 8;  // copies lookahead data; no loopback
    case Oid::MediaConnectStatus:
      return link() ? 0 : 1;
    case Oid::MaximumSendPackets:
      return 8;
    case Oid::VendorDriverVersion:
      return 1;
    case Oid::XmitOk:
      return number(counters_.sent);
    case Oid::ReceiveOk:
      return number(counters_.received);
    case Oid::ReceiveError:
      return number(counters_.dropped_too_long);
    case Oid::ReceiveNoBuffer:
      return number(counters_.dropped_no_room);
    case Oid::MaximumListSize:
      return kMulticastEntries;
    case Oid::OffloadEncapsulation:
      return proto::kEncapsulation8023;
    default:
      return std::nullopt;
  }
}

RndisDevice::Answer RndisDevice::query(Oid oid, Bytes buffer, uint16_t queues,
                                       uint32_t frame_size) const {
  if (const auto number = query_number(oid, frame_size)) return {Status::Success, copy_of(*number)};
  switch (oid) {
    case Oid::SupportedList: {
      const auto list = std::as_bytes(std::span(kSupported));
      return {Status::Success, {list.begin(), list.end()}};
    }
    case Oid::DriverVersion:
      return {Status::Success, copy_of(uint16_t{0x061e})};
    case Oid::VendorDescription: {
      constexpr std::string_view kDescription("Enlighten network adapter");
      const auto bytes = std::as_bytes(std::span(kDescription));
      std::vector<std::byte> out(bytes.begin(), bytes.end());
      out.push_back({});
      return {Status::Success, std::move(out)};
    }
    case Oid::FriendlyName:
      return {Status::Success, utf16(facts_.name)};
    case Oid::PermanentAddress:
      return {Status::Success, copy_of(facts_.mac)};
    case Oid::CurrentAddress:
      return {Status::Success, copy_of(mac())};
    case Oid::MulticastList:
      return {Status::Success, {}};
    case Oid::OffloadCurrentConfig:
    case Oid::OffloadHardwareCapabilities:
      return {Status::Success, offload(buffer)};
    case Oid::ReceiveScaleCapabilities: {
      proto::RssCapabilities out{};
      out.header = {proto::kObjectRssCapabilities, 2, sizeof(out)};
      out.flags = proto::kRssHashToeplitz | proto::kRssHashTcpIpv4 | proto::kRssHashTcpIpv6;
      out.interrupts = queues;
      out.queues = queues;
      out.table_entries = proto::kRssTableEntries;
      return {Status::Success, copy_of(out)};
    }
    default:
      return {Status::NotSupported};
  }
}

Status RndisDevice::set(Oid oid, Bytes buffer, uint16_t queues) {
  switch (oid) {
    case Oid::CurrentPacketFilter: {
      const auto value = ByteReader(buffer).take<uint32_t>();
      if (!value) return Status::InvalidLength;
      filter_.store(*value, std::memory_order_relaxed);
      return Status::Success;
    }
    case Oid::CurrentLookahead:
      return buffer.size() < sizeof(uint32_t) ? Status::InvalidLength : Status::Success;
    case Oid::MulticastList:
      return buffer.size() % sizeof(Mac) != 0 ? Status::InvalidLength : Status::Success;
    case Oid::OffloadEncapsulation:
      return Status::Success;
    case Oid::OffloadParameters:
      return set_offload(buffer);
    case Oid::ReceiveScaleParameters:
      return set_receive_scale(buffer, queues);
    case Oid::RndisConfigParameter:
      return set_parameter(buffer);
    default:
      return Status::NotSupported;
  }
}

Status RndisDevice::set_offload(Bytes buffer) {
  constexpr size_t kLeast =
      12;  // up to the large sends, which are taken whether they are on or not
  const auto wanted = ByteReader(buffer).take_at_least<proto::OffloadParameters>(kLeast);
  if (!wanted) return Status::InvalidLength;
  uint8_t joins = joins_.load(std::memory_order_relaxed);
  if (buffer.size() > sizeof(proto::OffloadParameters)) {
    constexpr size_t kLeastTail = offsetof(proto::OffloadParametersTail, rsc_ipv6) + 1;
    const auto tail = ByteReader(buffer.subspan(sizeof(proto::OffloadParameters)))
                          .take_at_least<proto::OffloadParametersTail>(kLeastTail);
    const auto take = [&](uint8_t value, uint8_t bit) {
      if (value == proto::kOffloadOff) joins &= static_cast<uint8_t>(~bit);
      if (value == proto::kOffloadOn) joins |= bit;
      return value <= proto::kOffloadOn;
    };
    if (tail && (!take(tail->rsc_ipv4, kJoinsIpv4) || !take(tail->rsc_ipv6, kJoinsIpv6)))
      return Status::InvalidData;
  }
  bool receive = receive_checksum_.load(std::memory_order_relaxed);
  for (const uint8_t value : {wanted->tcp_ipv4_checksum, wanted->tcp_ipv6_checksum}) {
    if (value > proto::kChecksumBoth) return Status::InvalidData;
    if (value != 0) receive = value == proto::kChecksumReceive || value == proto::kChecksumBoth;
  }
  receive_checksum_.store(receive, std::memory_order_relaxed);
  joins_.store(joins, std::memory_order_relaxed);
  return Status::Success;
}

Status RndisDevice::set_receive_scale(Bytes buffer, uint16_t queues) {
  const auto wanted = ByteReader(buffer).take<proto::RssParameters>();
  if (!wanted) return Status::InvalidLength;
  const auto within = [&](uint32_t offset, uint32_t size) {
    return offset <= buffer.size() && size <= buffer.size() - offset;
  };
  const std::lock_guard lock(mutex_);
  ReceiveScale next = scale_;
  next.enabled = !(wanted->flags & proto::kRssDisable);
  if (next.enabled && !(wanted->flags & proto::kRssTableUnchanged)) {
    const size_t entries = wanted->table_size / sizeof(uint32_t);
    if (entries == 0 || entries > proto::kRssTableEntries ||
        !within(wanted->table_offset, wanted->table_size))
      return Status::InvalidData;
    next.table.clear();
    ByteReader reader(buffer.subspan(wanted->table_offset, wanted->table_size));
    for (size_t i = 0; i < entries; i++) {
      const uint32_t channel = reader.take<uint32_t>().take();
      if (channel >= queues) return Status::InvalidData;
      next.table.push_back(static_cast<uint16_t>(channel));
    }
  }
  if (next.enabled && !(wanted->flags & proto::kRssKeyUnchanged)) {
    if (wanted->key_size != proto::kRssKeySize || !within(wanted->key_offset, wanted->key_size))
      return Status::InvalidData;
    std::memcpy(next.key.data(), buffer.data() + wanted->key_offset, next.key.size());
  }
  if (next.enabled && next.table.empty()) return Status::InvalidData;
  scale_ = std::move(next);
  scaled_.store(scale_.enabled, std::memory_order_relaxed);
  return Status::Success;
}

/// The one parameter there is: "NetworkAddress", twelve hexadecimal digits.
Status RndisDevice::set_parameter(Bytes buffer) {
  const auto parameter = ByteReader(buffer).take<proto::ConfigParameter>();
  if (!parameter) return Status::InvalidLength;
  const auto part = [&](uint32_t offset, uint32_t size) -> std::optional<std::string> {
    if (offset > buffer.size() || size > buffer.size() - offset || size > 256) return std::nullopt;
    return ascii(buffer.subspan(offset, size));
  };
  const auto name = part(parameter->name_offset, parameter->name_length);
  auto value = part(parameter->value_offset, parameter->value_length);
  if (!name || !value) return Status::InvalidLength;
  if (*name != "NetworkAddress" || parameter->type != proto::kConfigString)
    return Status::NotSupported;
  if (value->size() != 2 * sizeof(Mac)) return Status::InvalidData;
  for (size_t at = 10; at >= 2; at -= 2) value->insert(at, 1, ':');
  const auto mac = parse_mac(*value);
  if (!mac) return Status::InvalidData;
  const std::lock_guard lock(mutex_);
  mac_ = *mac;
  return Status::Success;
}

}  // namespace hv::host::netvsp
