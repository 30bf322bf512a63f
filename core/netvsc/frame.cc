// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/frame.hpp"

#include "core/base/mutant.hpp"
#include "core/vmbus/shared.hpp"

namespace hv::netvsc {

namespace proto = wire::rndis;
using proto::PpiType;

namespace {

constexpr uint32_t kFront = sizeof(proto::Header) + sizeof(proto::Packet);

/// The tag's control information as NDIS has it: priority in bits 0 to 2, canonical form in 3, the
/// id above.
constexpr uint32_t vlan_to_wire(uint16_t tag) {
  return tag >> 13 | (tag >> 12 & 1u) << 3 | (tag & 0xfffu) << 4;
}
constexpr uint16_t vlan_of_wire(uint32_t value) {
  return static_cast<uint16_t>((value & 7) << 13 | (value >> 3 & 1) << 12 | (value >> 4 & 0xfff));
}

constexpr uint32_t checksum_value(const SendFrame& frame) {
  return (frame.ipv6 ? proto::kChecksumIpv6 : proto::kChecksumIpv4) |
         (frame.udp ? proto::kChecksumUdp : proto::kChecksumTcp) |
         (frame.transport_offset & proto::kMostTransportOffset) << 16;
}
constexpr uint32_t large_send_value(const SendFrame& frame) {
  return (frame.segment & proto::kLargeSendSizeMask) |
         (frame.transport_offset & proto::kMostTransportOffset) << 20 | proto::kLargeSendV2 |
         (frame.ipv6 ? proto::kLargeSendIpv6 : 0);
}

/// A piece of per-packet information with a value of four bytes.
struct Ppi {
  proto::PpiHeader header;
  uint32_t value;
};
static_assert(sizeof(Ppi) == kPpiSize);

constexpr Ppi make_ppi(PpiType type, uint32_t value) {
  return {{sizeof(Ppi), static_cast<uint32_t>(type), sizeof(proto::PpiHeader)}, value};
}

/// Copies out of memory that the host may change meanwhile; from here on the compiler, too, only
/// looks at the copy.
void copy_once(std::byte* to, const std::byte* from, size_t length) {
  vmbus::shared::copy_out(to, from, length);
  __asm__ volatile("" : : "r"(to) : "memory");
}

}  // namespace

void write_header(std::span<std::byte> out, const SendFrame& frame, uint32_t padding) {
  struct {
    proto::Header header;
    proto::Packet packet;
    std::array<Ppi, 3> ppis;
  } whole;
  static_assert(sizeof(whole) == kMostHeader);

  uint32_t count = 0;
  if (frame.hashed) whole.ppis[count++] = make_ppi(PpiType::HashValue, frame.hash);
  if (frame.tagged) whole.ppis[count++] = make_ppi(PpiType::Vlan, vlan_to_wire(frame.vlan));
  switch (frame.offload) {
    case SendFrame::Offload::None:
      break;
    case SendFrame::Offload::Checksum:
      whole.ppis[count++] = make_ppi(PpiType::Checksum, checksum_value(frame));
      break;
    case SendFrame::Offload::LargeSend:
      whole.ppis[count++] = make_ppi(PpiType::LargeSend, large_send_value(frame));
      break;
  }
  const uint32_t ppi_length = count * uint32_t{kPpiSize};
  whole.header = {proto::MessageType::Packet, kFront + ppi_length + frame.length + padding};
  whole.packet = {.data_offset = static_cast<uint32_t>(sizeof(proto::Packet)) + ppi_length,
                  .data_length = frame.length,
                  .oob_offset = 0,
                  .oob_length = 0,
                  .oob_count = 0,
                  .ppi_offset = ppi_length ? static_cast<uint32_t>(sizeof(proto::Packet)) : 0,
                  .ppi_length = ppi_length,
                  .vc_handle = 0,
                  .reserved = 0};
  const size_t size = kFront + ppi_length;
  if (out.size() < size) __builtin_trap();
  __builtin_memcpy(out.data(), &whole, size);
}

Result<ReceivedInfo> parse_ppis(std::span<const std::byte> list) {
  ReceivedInfo info;
  bool has_id = false;
  while (list.size() >= sizeof(proto::PpiHeader)) {
    const auto header = HV_TRY(ByteReader(list).take<proto::PpiHeader>());
    if (HV_MUTANT(67) && header.size < sizeof(header)) {
      HV_MUTANT_TURN();
      continue;
    }
    if (header.size < sizeof(header) || header.size > list.size()) return Error::BadLength;
    const auto item = list.first(header.size);
    list = list.subspan(header.size);

    bool* known = nullptr;
    if (header.type == static_cast<uint32_t>(PpiType::Checksum)) known = &info.has_checksum;
    if (header.type == static_cast<uint32_t>(PpiType::Vlan)) known = &info.has_vlan;
    if (header.type == static_cast<uint32_t>(PpiType::HashValue)) known = &info.has_hash;
    if (header.type == proto::kPpiPacketId) known = &has_id;
    if (known == nullptr || *known) continue;
    if (header.offset < sizeof(header) || header.offset > item.size()) return Error::BadLength;
    const auto value = ByteReader(item.subspan(header.offset)).take<uint32_t>();
    if (!value) return Error::BadLength;
    *known = true;
    if (known == &info.has_checksum) {
      constexpr uint32_t kStale = proto::kIpChecksumGood | proto::kIpChecksumStale;
      info.checksum = *value;
      info.sum_header = (*value & kStale) == kStale;
    }
    if (known == &info.has_vlan) info.vlan = vlan_of_wire(*value);
    if (known == &info.has_hash) info.hash = *value;
    if (known == &has_id) {
      proto::PacketId id;
      const uint32_t bits = *value;
      __builtin_memcpy(&id, &bits, sizeof(id));
      if (id.flags & proto::kPart)
        info.part = id.flags & (proto::kPart | proto::kPartFirst | proto::kPartLast);
    }
  }
  return info;
}

Result<ReceivedFrame> parse_frame(std::span<const std::byte> message, PpiScratch& scratch) {
  if (message.size() < kFront) return Error::Truncated;
  const auto body = message.subspan(sizeof(proto::Header));
  proto::Packet packet;
  copy_once(writable_bytes_of(packet).data(), body.data(), sizeof(packet));

  if (packet.data_offset < sizeof(packet) || packet.data_offset > body.size())
    return Error::BadLength;
  if (packet.data_length == 0 || packet.data_length > body.size() - packet.data_offset)
    return Error::BadLength;
  ReceivedFrame frame{
      static_cast<uint32_t>(sizeof(proto::Header)) + packet.data_offset, packet.data_length, {}};
  if (packet.ppi_offset == 0 || packet.ppi_length == 0) return frame;

  if (packet.ppi_offset < sizeof(packet) || packet.ppi_offset > body.size())
    return Error::BadLength;
  if (packet.ppi_length > body.size() - packet.ppi_offset || packet.ppi_length > scratch.size())
    return Error::BadLength;
  copy_once(scratch.data(), body.data() + packet.ppi_offset, packet.ppi_length);
  frame.info = HV_TRY(parse_ppis(std::span(scratch).first(packet.ppi_length)));
  return frame;
}

}  // namespace hv::netvsc
