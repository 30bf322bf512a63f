// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/receiver.hpp"

#include "core/base/mutant.hpp"
#include "core/vmbus/shared.hpp"

namespace hv::netvsc {

namespace proto = wire::netvsc;
using proto::MessageType;
using proto::Status;
using wire::PacketType;

namespace {

// These are many: what the table says of them is known when this is compiled.
constexpr bool kTakesPackets = Dialect().has(wire::Sender::Host, MessageType::SendRndisPacket);
constexpr bool kTakesCompletions =
    Dialect().has(wire::Sender::Host, MessageType::SendRndisPacketComplete);

}  // namespace

Result<ChannelTable> parse_send_table(std::span<const std::byte> message, const Dialect& dialect) {
  ByteReader reader(message);
  HV_TRY(reader.take<proto::Header>());
  const auto head = HV_TRY(reader.take<proto::SendTable>());
  if (head.count != proto::kSendTableEntries) return Error::BadValue;
  size_t offset = head.offset;
  if (dialect.send_table_offset_unreliable() && !HV_MUTANT(34) &&
      message.size() >= proto::kMessageSize + sizeof(ChannelTable))
    offset = proto::kMessageSize;
  if (offset > message.size()) return Error::BadLength;
  auto table = ByteReader(message.subspan(offset)).take<ChannelTable>();
  if (!table) return Error::BadLength;
  for (uint32_t& queue : *table) queue %= proto::kMaxQueues;
  return *table;
}

Result<Event> Receiver::next() {
  if (transfer_.active) {
    if (const auto event = next_range()) return *event;
  }
  if (owed_count_ == kMostOwed) return Error::Exhausted;
  return open_packet();
}

inline Result<Event> Receiver::open_packet() {
  const auto packet = HV_TRY(in_.read());
  switch (packet.type) {
    case PacketType::Completion:
      return completed(packet);
    case PacketType::DataInBand:
      return host_says(packet.payload);
    case PacketType::DataUsingTransferPages:
      return begin_transfer(packet);
    case PacketType::DataUsingGpaDirect:
      break;
  }
  return Error::NotSupported;
}

inline Result<Event> Receiver::completed(const vmbus::Packet& packet) {
  const size_t slot = HV_TRY(slots_.take(packet.transaction_id));
  const SlotKind kind = plan_.kind(slot);
  if (kind == SlotKind::Setup && !HV_MUTANT(68))
    return Event{.kind = Event::Kind::Answered, .slot_kind = kind, .bytes = packet.payload};

  // The slot is taken: whatever else the packet says, nothing more will come for it.
  ByteReader reader(packet.payload);
  const auto header = reader.take<proto::Header>();
  const auto body = reader.take<proto::RndisPacketComplete>();
  const bool good = kTakesCompletions && header && body &&
                    header->type == MessageType::SendRndisPacketComplete &&
                    body->status == Status::Success;
  if (HV_MUTANT(68) && header && header->type == MessageType::SendRndisPacketComplete) {
    return Event{.kind = Event::Kind::Sent,
                 .slot_kind = SlotKind::Pages,
                 .good = good,
                 .slot = static_cast<uint16_t>(slot)};
  }
  if (HV_MUTANT(68) && kind == SlotKind::Setup)
    return Event{.kind = Event::Kind::Answered, .slot_kind = kind, .bytes = packet.payload};
  const auto event = kind == SlotKind::Control ? Event::Kind::ControlSent : Event::Kind::Sent;
  return Event{.kind = event, .slot_kind = kind, .good = good, .slot = static_cast<uint16_t>(slot)};
}

Result<Event> Receiver::host_says(std::span<const std::byte> message) {
  ByteReader reader(message);
  const auto header = HV_TRY(reader.take<proto::Header>());
  if (!primary_) return Event{.kind = Event::Kind::Ignored};
  const auto allowed = dialect_.check(wire::Sender::Host, header.type, reader.remaining());
  if (!allowed && allowed.error() == Error::Truncated) return Error::Truncated;
  if (!allowed) return Event{.kind = Event::Kind::Ignored};
  switch (header.type) {
    case MessageType::SendIndirectionTable:
      table_ = HV_TRY(parse_send_table(message, dialect_));
      return Event{.kind = Event::Kind::SendTable, .table = &table_};
    case MessageType::SendVfAssociation: {
      const auto body = wire::take_body<proto::VfAssociation>(reader);
      return Event{.kind = Event::Kind::VfAssociation,
                   .vf_allocated = body.allocated != 0,
                   .vf_serial = body.serial};
    }
    case MessageType::Init:
    case MessageType::InitComplete:
    case MessageType::SendNdisVersion:
    case MessageType::SendReceiveBuffer:
    case MessageType::SendReceiveBufferComplete:
    case MessageType::RevokeReceiveBuffer:
    case MessageType::SendSendBuffer:
    case MessageType::SendSendBufferComplete:
    case MessageType::RevokeSendBuffer:
    case MessageType::SendRndisPacket:
    case MessageType::SendRndisPacketComplete:
    case MessageType::SendNdisConfig:
    case MessageType::SwitchDataPath:
    case MessageType::SubChannel:
      break;
  }
  return Event{.kind = Event::Kind::Ignored};
}

inline Result<Event> Receiver::begin_transfer(const vmbus::Packet& packet) {
  ByteReader extra(packet.extra);
  const auto head = extra.take<wire::TransferPageHeader>();
  const auto message = ByteReader(packet.payload).take<proto::Header>();
  transfer_ = {.active = true, .id = packet.transaction_id, .wants_completion = true};

  const size_t bytes = head ? head->range_count * sizeof(wire::TransferPageRange) : 0;
  const auto ranges = extra.take_bytes(bytes);
  if (!head || head->transfer_page_set_id != proto::kReceiveBufferId || !ranges || !message ||
      !kTakesPackets || message->type != MessageType::SendRndisPacket) {
    // The host still gets its completion: the sections would be lost to it.
    transfer_.status = Status::Failure;
    end_transfer();
    return Error::BadValue;
  }
  transfer_.ranges = *ranges;
  if (const auto event = next_range()) return *event;
  return Event{.kind = Event::Kind::Ignored};
}

/// Goes on to what the next range makes, or to the end of the packet, which makes something only
/// when a frame is not finished.
inline std::optional<Event> Receiver::next_range() {
  while (!transfer_.ranges.empty()) {
    wire::TransferPageRange range;
    __builtin_memcpy(&range, transfer_.ranges.data(), sizeof(range));
    transfer_.ranges = transfer_.ranges.subspan(sizeof(range));
    if (const auto event = take_range(range)) return event;
  }
  const bool unfinished = forming_;
  end_transfer();
  if (!unfinished) return std::nullopt;
  return Event{.kind = Event::Kind::Dropped};
}

inline void Receiver::end_transfer() {
  if (forming_) transfer_.status = Status::Failure;
  forming_ = false;
  if (transfer_.wants_completion)
    owed_[(owed_head_ + owed_count_++) % kMostOwed] = {transfer_.id, transfer_.status};
  transfer_ = {};
}

/// What the message in one range makes; nothing when it is a part of a frame and more are to come.
inline std::optional<Event> Receiver::take_range(const wire::TransferPageRange& range) {
  const Event dropped{.kind = Event::Kind::Dropped};
  if (range.byte_offset > buffer_.size() || range.byte_count > buffer_.size() - range.byte_offset ||
      range.byte_count < sizeof(wire::rndis::Header)) {
    transfer_.status = Status::Failure;
    return dropped;
  }
  const auto message = buffer_.subspan(range.byte_offset, range.byte_count);
  const uint64_t words = vmbus::shared::read8_anywhere(message.data());
  const auto type = static_cast<wire::rndis::MessageType>(static_cast<uint32_t>(words));
  const auto length = static_cast<uint32_t>(words >> 32);
  if (length < sizeof(wire::rndis::Header) || length > message.size()) {
    transfer_.status = Status::Failure;
    return dropped;
  }
  if (type == wire::rndis::MessageType::Packet) return take_frame(message);
  if (!primary_) {
    transfer_.status = Status::Failure;
    return Event{.kind = Event::Kind::Ignored};
  }
  // The header again, as it was looked at; then the rest.
  const size_t size = message.size() < control_.size() ? message.size() : control_.size();
  __builtin_memcpy(control_.data(), &words, sizeof(words));
  vmbus::shared::copy_out(control_.data() + sizeof(words), message.data() + sizeof(words),
                          size - sizeof(words));
  __asm__ volatile("" : : "r"(control_.data()) : "memory");
  return Event{.kind = Event::Kind::Control, .bytes = std::span(control_).first(size)};
}

/// A part begins a frame, goes on with the one that is forming, or is out of place; a whole frame
/// is its own only part.
inline std::optional<Event> Receiver::take_frame(std::span<const std::byte> message) {
  const auto parsed = parse_frame(message, ppis_);
  if (!parsed) return drop_frame();
  const uint8_t part = parsed->info.part;
  const bool whole = !(part & wire::rndis::kPart);
  if (whole || part & wire::rndis::kPartFirst) {
    // What was forming has never ended.
    if (forming_) transfer_.status = Status::Failure;
    part_count_ = 0;
    length_ = 0;
    first_info_ = parsed->info;
  } else if (!forming_ || part_count_ == kMostParts) {
    return drop_frame();
  }
  if (parsed->length > kMostFrame - length_) return drop_frame();
  length_ += parsed->length;
  parts_[part_count_++] = {message.data() + parsed->offset, parsed->length};
  forming_ = !whole && !(part & wire::rndis::kPartLast);
  if (forming_) return std::nullopt;
  if (length_ < kEthernetHeader) return drop_frame();
  return Event{.kind = Event::Kind::Frame,
               .length = length_,
               .fragments = std::span(parts_).first(part_count_),
               .info = first_info_};
}

Event Receiver::drop_frame() {
  transfer_.status = Status::Failure;
  forming_ = false;
  return Event{.kind = Event::Kind::Dropped};
}

}  // namespace hv::netvsc
