// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/transmitter.hpp"

#include "core/base/mutant.hpp"

namespace hv::netvsc {

namespace proto = wire::netvsc;
using proto::MessageType;
using proto::RndisChannel;

namespace {

Message rndis_message(RndisChannel channel, uint32_t section, uint32_t bytes) {
  return make_message(MessageType::SendRndisPacket, proto::RndisPacket{channel, section, bytes});
}

}  // namespace

Result<std::byte*> Transmitter::copy_fitting(const SendFrame& frame) {
  const auto bare = static_cast<uint32_t>(header_size(frame)) + frame.length;
  const uint32_t padded = align_up(bare, limits_.alignment);

  if (batch_open() && (batch_.packets >= limits_.max_packets || padded > most_in_section() - batch_.used)) HV_TRY(flush());
  if (!batch_open()) batch_ = {.slot = HV_TRY(sections_.take()), .used = 0, .packets = 0};

  // Behind the last packet of a full section there is no room for padding, and no packet that would need it.
  const uint32_t room = most_in_section() - batch_.used;
  const uint32_t size = padded <= room ? padded : bare;
  const auto place = share_.bytes.subspan(size_t{batch_.slot} * share_.section_size + batch_.used, size);
  write_header(place, frame, size - bare);
  if (size > bare) __builtin_memset(place.data() + bare, 0, size - bare);
  batch_.used += size;
  batch_.packets++;
  return place.data() + (bare - frame.length);
}

Result<void> Transmitter::send_batch() {
  HV_TRY(send_in_band(batch_.slot, rndis_message(RndisChannel::Data, share_.first + batch_.slot, batch_.used)));
  batch_ = {};
  return {};
}

Result<void> Transmitter::send_pages(uint16_t slot, const SendFrame& frame, std::span<std::byte> header, uint64_t header_at, PageList& list,
                                     uint32_t count) {
  if (count < 2 || count > PageList::kMost) return Error::BadLength;
  const auto size = static_cast<uint32_t>(header_size(frame));
  const auto offset = static_cast<uint32_t>(header_at % wire::kPageSize);
  // Hosts refuse a header that is in two pieces.
  if ((offset + size > wire::kPageSize && !HV_MUTANT(37)) || size > header.size()) return Error::BadLength;
  HV_TRY(flush());

  write_header(header, frame, 0);
  list.head = {.reserved = 0, .range_count = count};
  list.ranges[0] = {.length = size, .offset = offset, .frame = header_at / wire::kPageSize};
  const uint64_t id = HV_TRY(slots_.arm(slot));
  const Message message = rndis_message(RndisChannel::Data, proto::kNoSection, 0);
  const std::span<const std::byte> parts[] = {message};
  return settle(slot, writer_.stage(wire::PacketType::DataUsingGpaDirect, wire::kPacketCompletionRequested, id, list.bytes(count), parts));
}

Result<void> Transmitter::send_control(uint64_t address, uint32_t length) {
  const auto offset = static_cast<uint32_t>(address % wire::kPageSize);
  if (length == 0 || length > wire::kPageSize - offset) return Error::BadLength;
  struct {
    wire::GpaDirectHeader head;
    PageRange range;
  } list{{.reserved = 0, .range_count = 1}, {.length = length, .offset = offset, .frame = address / wire::kPageSize}};
  HV_TRY(flush());
  const size_t slot = plan_.control();
  const uint64_t id = HV_TRY(slots_.arm(slot));
  const Message message = rndis_message(RndisChannel::Control, proto::kNoSection, 0);
  const std::span<const std::byte> parts[] = {message};
  const std::span<const std::byte> ranges(reinterpret_cast<const std::byte*>(&list), sizeof(list));
  return settle(slot, writer_.stage(wire::PacketType::DataUsingGpaDirect, wire::kPacketCompletionRequested, id, ranges, parts));
}

Result<void> Transmitter::send_completion(uint64_t id, proto::Status status) {
  struct {
    proto::Header header;
    proto::RndisPacketComplete body;
  } const message{{MessageType::SendRndisPacketComplete}, {status}};
  const std::span<const std::byte> parts[] = {bytes_of(message)};
  return writer_.stage(wire::PacketType::Completion, 0, id, {}, parts);
}

Result<void> Transmitter::send_in_band(size_t slot, const Message& message) {
  const uint64_t id = HV_TRY(slots_.arm(slot));
  const std::span<const std::byte> parts[] = {message};
  return settle(slot, writer_.stage(wire::PacketType::DataInBand, wire::kPacketCompletionRequested, id, {}, parts));
}

}  // namespace hv::netvsc
