// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/packet.hpp"

#include <bit>
#include <cstring>

#include "core/base/bytes.hpp"
#include "host/net/headers.hpp"

namespace hv::host::netvsp {
namespace {

namespace proto = wire::rndis;
using Bytes = std::span<const std::byte>;

/// `length` bytes at `offset`, or BadLength.
Result<Bytes> part(Bytes bytes, uint32_t offset, uint32_t length) {
  if (offset > bytes.size() || length > bytes.size() - offset) return Error::BadLength;
  return bytes.subspan(offset, length);
}

Result<PacketInfo> parse_info(Bytes list) {
  PacketInfo info;
  while (!list.empty()) {
    const auto header = HV_TRY(ByteReader(list).take<proto::PpiHeader>());
    if (header.size < sizeof(header) || header.size > list.size()) return Error::BadLength;
    const Bytes item = list.first(header.size);
    list = list.subspan(header.size);
    std::optional<uint32_t>* place = nullptr;
    if (header.type == static_cast<uint32_t>(proto::PpiType::Checksum)) place = &info.checksum;
    if (header.type == static_cast<uint32_t>(proto::PpiType::LargeSend)) place = &info.large_send;
    if (header.type == static_cast<uint32_t>(proto::PpiType::Vlan)) place = &info.vlan;
    if (place == nullptr) continue;
    const Bytes data = HV_TRY(part(item, header.offset, sizeof(uint32_t)));
    if (header.offset < sizeof(header)) return Error::BadLength;
    const auto value = HV_TRY(ByteReader(data).take<uint32_t>());
    if (!*place) *place = value;
  }
  return info;
}

}  // namespace

Result<MessageView> first_message(Bytes bytes) {
  ByteReader reader(bytes);
  const auto header = HV_TRY(reader.take<proto::Header>());
  if (header.length < sizeof(header) || header.length > bytes.size()) return Error::BadLength;
  return MessageView{header.type, bytes.subspan(sizeof(header), header.length - sizeof(header)),
                     header.length};
}

Result<SentPacket> parse_packet(const MessageView& message) {
  const auto packet = HV_TRY(ByteReader(message.body).take<proto::Packet>());
  if (packet.data_offset < sizeof(packet)) return Error::BadLength;
  HV_TRY(part(message.body, packet.data_offset, packet.data_length));
  if (packet.data_length < net::kMinFrame || packet.data_length > net::kMaxFrame)
    return Error::BadValue;
  SentPacket sent{sizeof(proto::Header) + packet.data_offset, packet.data_length, {}};
  if (packet.ppi_length != 0) {
    if (packet.ppi_offset < sizeof(packet)) return Error::BadLength;
    const Bytes list = HV_TRY(part(message.body, packet.ppi_offset, packet.ppi_length));
    sent.info = HV_TRY(parse_info(list));
  }
  return sent;
}

size_t insert_vlan(std::span<std::byte> bytes, size_t at, uint32_t info) {
  if (at < kVlanTag || bytes.size() - at < net::kMinFrame) __builtin_trap();
  const auto tag =
      static_cast<uint16_t>((info & 7) << 13 | (info >> 3 & 1) << 12 | (info >> 4 & 0xfff));
  std::memmove(bytes.data() + at - kVlanTag, bytes.data() + at, 12);
  net::store_be16(bytes, at - kVlanTag + 12, 0x8100);
  net::store_be16(bytes, at - kVlanTag + 14, tag);
  return at - kVlanTag;
}

std::optional<uint32_t> vlan_info(Bytes frame) {
  if (frame.size() < net::kMinFrame + kVlanTag || net::load_be16(frame, 12) != 0x8100)
    return std::nullopt;
  const uint32_t tag = net::load_be16(frame, 14);
  return tag >> 13 | (tag >> 12 & 1) << 3 | (tag & 0xfff) << 4;
}

size_t write_packet_header(std::span<std::byte> out, size_t data_size, const ReceiveInfo& info) {
  const auto part = info.part ? std::optional(std::bit_cast<uint32_t>(*info.part)) : std::nullopt;
  const struct {
    uint32_t type;
    const std::optional<uint32_t>& value;
  } items[] = {{static_cast<uint32_t>(proto::PpiType::Vlan), info.vlan},
               {static_cast<uint32_t>(proto::PpiType::Checksum), info.checksum},
               {static_cast<uint32_t>(proto::PpiType::HashValue), info.hash},
               {proto::kPpiPacketId, part}};
  uint32_t ppi_length = 0;
  for (const auto& item : items) ppi_length += item.value ? kPpiSize : 0;
  const auto size = static_cast<uint32_t>(data_size);
  const uint32_t front = sizeof(proto::Packet) + ppi_length;
  ByteWriter writer(out);
  bool ok = writer
                .put(proto::Header{proto::MessageType::Packet,
                                   static_cast<uint32_t>(sizeof(proto::Header)) + front + size})
                .ok();
  ok &= writer
            .put(proto::Packet{
                .data_offset = front,
                .data_length = size,
                .oob_offset = 0,
                .oob_length = 0,
                .oob_count = 0,
                .ppi_offset = ppi_length == 0 ? 0 : static_cast<uint32_t>(sizeof(proto::Packet)),
                .ppi_length = ppi_length,
                .vc_handle = 0,
                .reserved = 0})
            .ok();
  for (const auto& item : items) {
    if (!item.value) continue;
    ok &= writer.put(proto::PpiHeader{kPpiSize, item.type, sizeof(proto::PpiHeader)}).ok();
    ok &= writer.put(*item.value).ok();
  }
  if (!ok) __builtin_trap();  // `out` is too small
  return writer.size();
}

}  // namespace hv::host::netvsp
