// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/mutant.hpp"
#include "core/netvsc/rndis.hpp"

namespace hv::netvsc {

namespace proto = wire::rndis;
using proto::MessageType;
using proto::Status;
using Bytes = std::span<const std::byte>;

namespace {

/// `length` bytes at `offset`. Errors: BadLength.
Result<Bytes> part(Bytes bytes, uint32_t offset, uint32_t length) {
  if (offset > bytes.size() || length > bytes.size() - offset) return Error::BadLength;
  return bytes.subspan(offset, length);
}

Result<void> check(Status status) {
  if (status == Status::Success) return {};
  return status == Status::NotSupported ? Error::NotSupported : Error::Refused;
}

/// The body of an answer of `type`; `least` bytes of T must be there.
template <WireStruct T>
Result<T> answer_of(Bytes message, MessageType type, size_t least = sizeof(T)) {
  const auto view = HV_TRY(parse_control(message));
  if (view.type != type) return Error::BadValue;
  return ByteReader(view.body).take_at_least<T>(least);
}

constexpr size_t kIdAndStatus = sizeof(proto::Complete);

/// Stacks take the room of headers from what the host says: with less than this nothing would be
/// left of it, or less than nothing.
constexpr uint32_t kLeastLargeSend = 4096;

/// Bytes of a large send; 0: none is offered that makes sense.
constexpr uint32_t large_send(uint32_t most) { return most < kLeastLargeSend ? 0 : most; }

constexpr bool all_of(uint32_t value, uint32_t bits) { return (value & bits) == bits; }

}  // namespace

Result<ControlView> parse_control(Bytes message) {
  const auto header = HV_TRY(ByteReader(message).take<proto::Header>());
  if (header.length < sizeof(header) || header.length > message.size()) return Error::BadLength;
  return ControlView{header.type, message.subspan(sizeof(header), header.length - sizeof(header)),
                     message.subspan(sizeof(header))};
}

Result<Limits> parse_initialize_complete(Bytes message) {
  // A refusal may be shorter than the whole.
  const auto complete = HV_TRY(
      answer_of<proto::InitializeComplete>(message, MessageType::InitializeComplete, kIdAndStatus));
  HV_TRY(check(complete.status));
  Limits limits;
  limits.max_transfer = complete.max_transfer;
  // More than a page makes no sense, and shifted by 32 it would be anything: then each packet goes
  // alone.
  constexpr uint32_t kMostShift = 12;
  if (complete.alignment_shift <= kMostShift) {
    limits.alignment = 1u << complete.alignment_shift;
    limits.max_packets = complete.max_packets ? complete.max_packets : 1;
  }
  return limits;
}

Result<Bytes> parse_query_complete(Bytes message) {
  const auto view = HV_TRY(parse_control(message));
  const auto complete =
      HV_TRY(answer_of<proto::QueryComplete>(message, MessageType::QueryComplete, kIdAndStatus));
  HV_TRY(check(complete.status));
  if (complete.buffer_length == 0) return Bytes();
  if (complete.buffer_offset < sizeof(complete)) return Error::BadLength;
  return part(view.body, complete.buffer_offset, complete.buffer_length);
}

Result<void> parse_set_complete(Bytes message) {
  return check(HV_TRY(answer_of<proto::Complete>(message, MessageType::SetComplete)).status);
}

Result<uint32_t> parse_u32(Bytes message) {
  return ByteReader(HV_TRY(parse_query_complete(message))).take<uint32_t>();
}

Result<MacAddress> parse_mac(Bytes message) {
  return ByteReader(HV_TRY(parse_query_complete(message))).take<MacAddress>();
}

Result<Capabilities> parse_offloads(Bytes message) {
  const auto answer = HV_TRY(parse_query_complete(message));
  const auto header = HV_TRY(ByteReader(answer).take<proto::ObjectHeader>());
  if (header.type != proto::kObjectOffload || header.revision == 0) return Error::BadValue;
  if (header.size > answer.size() || header.size < proto::kOffloadSizeNdis60)
    return Error::BadLength;
  // What is behind the size it states is not its own.
  const auto offload = HV_TRY(ByteReader(answer.first(header.size))
                                  .take_at_least<proto::Offload>(proto::kOffloadSizeNdis60));

  constexpr uint32_t kTcp4 = proto::kOffloadTcp | proto::kOffloadTcpOptions;
  constexpr uint32_t kTcp6 = kTcp4 | proto::kOffloadIpOptions;
  constexpr uint32_t kLargeSend6 = proto::kOffloadIpOptions | proto::kOffloadTcpOptions;
  Capabilities found;
  found.tcp4_checksum = all_of(offload.checksum.ipv4_send, kTcp4);
  found.udp4_checksum = found.tcp4_checksum && (offload.checksum.ipv4_send & proto::kOffloadUdp);
  found.tcp6_checksum = all_of(offload.checksum.ipv6_send, kTcp6);
  found.udp6_checksum = found.tcp6_checksum && (offload.checksum.ipv6_send & proto::kOffloadUdp);
  if (found.tcp4_checksum && (offload.large_send_v2.ipv4_encapsulation & proto::kEncapsulation8023))
    found.large_send4 = large_send(offload.large_send_v2.ipv4_most);
  if (found.tcp6_checksum &&
      (offload.large_send_v2.ipv6_encapsulation & proto::kEncapsulation8023) &&
      all_of(offload.large_send_v2.ipv6_options, kLargeSend6))
    found.large_send6 = large_send(offload.large_send_v2.ipv6_most);
  found.rsc = offload.rsc[0] && offload.rsc[1];
  return found;
}

Result<RssCapabilities> parse_rss(Bytes message) {
  const auto answer = HV_TRY(parse_query_complete(message));
  // Revision 1 ends before the number of table entries.
  constexpr size_t kLeast = offsetof(proto::RssCapabilities, table_entries);
  const auto found = HV_TRY(ByteReader(answer).take_at_least<proto::RssCapabilities>(kLeast));
  RssCapabilities rss;
  rss.queues = found.queues ? found.queues : 1;
  rss.table_entries = found.table_entries;
  if (rss.table_entries == 0 || rss.table_entries > kMostRssEntries)
    rss.table_entries = proto::kRssTableEntries;
  return rss;
}

Result<Indication> parse_indication(const ControlView& message) {
  const auto head = HV_TRY(ByteReader(message.body).take<proto::IndicateStatus>());
  switch (head.status) {
    case Status::MediaConnect:
      return Indication{.kind = Indication::Kind::LinkUp};
    case Status::MediaDisconnect:
      return Indication{.kind = Indication::Kind::LinkDown};
    case Status::NetworkChange:
      return Indication{.kind = Indication::Kind::NetworkChanged};
    case Status::LinkSpeedChange: {
      if (head.buffer_offset < sizeof(head)) return Error::BadLength;
      const auto buffer = HV_TRY(part(HV_MUTANT(35) ? message.body : message.rest,
                                      head.buffer_offset, head.buffer_length));
      return Indication{.kind = Indication::Kind::SpeedChanged,
                        .speed = HV_TRY(ByteReader(buffer).take<uint32_t>())};
    }
    case Status::Success:
    case Status::Failure:
    case Status::NotSupported:
    case Status::InvalidLength:
    case Status::InvalidData:
    case Status::BufferTooShort:
      break;
  }
  return Indication{};
}

}  // namespace hv::netvsc
