// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/transmitter.hpp"

namespace hv::netvsc {

namespace proto = wire::netvsc;
using proto::MessageType;
using proto::RndisChannel;

namespace {

// These are many: what the table says of them is known when this is compiled.
constexpr bool kSendsPackets = Dialect().has(wire::Sender::Guest, MessageType::SendRndisPacket);
constexpr bool kSendsCompletions =
    Dialect().has(wire::Sender::Guest, MessageType::SendRndisPacketComplete);

/// Errors: NotSupported (the host does not know this message).
Result<void> check(const Dialect& dialect, const Message& message) {
  ByteReader reader(message);
  const auto header = HV_TRY(reader.take<proto::Header>());
  return dialect.check(wire::Sender::Guest, header.type, reader.remaining());
}

Message rndis_message(RndisChannel channel, uint32_t section, uint32_t bytes) {
  return make_message(MessageType::SendRndisPacket, proto::RndisPacket{channel, section, bytes});
}

}  // namespace

Result<std::byte*> Transmitter::copy_fitting(const SendFrame& frame) {
  const auto bare = static_cast<uint32_t>(header_size(frame)) + frame.length;
  const uint32_t padded = align_up(bare, limits_.alignment);

  if (batch_open() &&
      (batch_.packets >= limits_.max_packets || padded > most_in_section() - batch_.used))
    HV_TRY(flush());
  if (!batch_open()) batch_ = {.slot = HV_TRY(sections_.take()), .used = 0, .packets = 0};

  // Behind the last packet of a full section there is no room for padding, and no packet that would
  // need it.
  const uint32_t room = most_in_section() - batch_.used;
  const uint32_t size = padded <= room ? padded : bare;
  const auto place =
      share_.bytes.subspan(size_t{batch_.slot} * share_.section_size + batch_.used, size);
  write_header(place, frame, size - bare);
  if (size > bare) __builtin_memset(place.data() + bare, 0, size - bare);
  batch_.used += size;
  batch_.packets++;
  piggyback_.frame();
  return place.data() + (bare - frame.length);
}

Result<void> Transmitter::send_batch() {
  if (!kSendsPackets) return Error::NotSupported;
  HV_TRY(send_in_band(batch_.slot,
                      rndis_message(RndisChannel::Data, share_.first + batch_.slot, batch_.used)));
  batch_ = {};
  return {};
}

Result<void> Transmitter::send_pages(uint16_t slot, const SendFrame& frame,
                                     std::span<std::byte> header) {
  if (!kSendsPackets) return Error::NotSupported;
  if (list_.bytes() != header_size(frame) + frame.length) return Error::BadLength;
  const auto ranges = HV_TRY(list_.finish());
  HV_TRY(flush());

  write_header(header, frame, 0);
  piggyback_.frame();
  return vmbus::send_request(out_, slots_, slot, ranges,
                             rndis_message(RndisChannel::Data, proto::kNoSection, 0));
}

Result<void> Transmitter::send_setup(const Message& message) {
  HV_TRY(check(dialect_, message));
  return send_in_band(plan_.setup(), message);
}

Result<void> Transmitter::send_notice(const Message& message) {
  HV_TRY(check(dialect_, message));
  return out_.notice(message);
}

Result<void> Transmitter::send_control(uint64_t address, uint32_t length) {
  if (!kSendsPackets) return Error::NotSupported;
  if (length == 0 || length > wire::kPageSize - address % wire::kPageSize) return Error::BadLength;
  HV_TRY(list_.begin(address, length));
  const auto ranges = HV_TRY(list_.finish());
  HV_TRY(flush());
  return vmbus::send_request(out_, slots_, plan_.control(), ranges,
                             rndis_message(RndisChannel::Control, proto::kNoSection, 0));
}

Result<void> Transmitter::send_completion(uint64_t id, proto::Status status) {
  if (!kSendsCompletions) return Error::NotSupported;
  struct {
    proto::Header header;
    proto::RndisPacketComplete body;
  } const message{{MessageType::SendRndisPacketComplete}, {status}};
  HV_TRY(out_.complete(id, bytes_of(message)));
  piggyback_.completion();
  return {};
}

Result<void> Transmitter::send_in_band(size_t slot, const Message& message) {
  return vmbus::send_request(out_, slots_, slot, {}, message);
}

}  // namespace hv::netvsc
