// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/receive_queue.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <utility>

#include "host/net/headers.hpp"
#include "host/net/offload.hpp"

namespace hv::host::netvsp {

namespace proto = wire::netvsc;
using hv::vmbus::RingWriter;

namespace {

/// Bytes of a joined frame in each of its sections.
size_t part_size(const Buffers::Receive& buffer) { return buffer.sections.size - kPartOverhead; }

}  // namespace

ReceiveQueue::ReceiveQueue(uint16_t channel, NicCounters& counters)
    : channel_(channel),
      counters_(counters),
      slots_(kMostInFlight),
      table_(slots_),
      in_flight_(kMostInFlight) {
  for (uint32_t slot = kMostInFlight; slot > 0; slot--) free_slots_.push_back(slot - 1);
}

bool ReceiveQueue::put(net::Frame&& frame, std::optional<uint32_t> hash, bool& was_empty) {
  const std::lock_guard lock(mutex_);
  was_empty = arrived_.empty();
  if (arrived_.size() >= kMostWaiting) return false;
  arrived_.push_back({std::move(frame), hash});
  return true;
}

/// The channel's share of a buffer that is new to it. What is in flight of the last one is given
/// back to nobody.
void ReceiveQueue::adopt(const Buffers::Receive& buffer) {
  if (buffer.generation == generation_) return;
  generation_ = buffer.generation;
  free_sections_.clear();
  share_ = 0;
  if (channel_ >= buffer.shares) return;
  share_ = buffer.sections.count / buffer.shares;
  for (uint32_t section = share_; section > 0; section--)
    free_sections_.push_back(channel_ * share_ + section - 1);
}

/// False: no frame waits.
bool ReceiveQueue::take_waiting() {
  if (waiting_.empty()) {
    const std::lock_guard lock(mutex_);
    std::swap(waiting_, arrived_);
  }
  return !waiting_.empty();
}

void ReceiveQueue::drop_frames() {
  while (take_waiting()) {
    count(counters_.dropped_link, waiting_.size());
    waiting_.clear();
  }
}

Result<ReceiveQueue::Staged> ReceiveQueue::stage(const Buffers& buffers, const RndisDevice& device,
                                                 RingWriter& ring,
                                                 vmbus::ChannelCounters& counters) {
  return buffers.with_receive([&](const Buffers::Receive* buffer) -> Result<Staged> {
    if (buffer == nullptr) {
      control_.clear();
      drop_frames();
      return Staged{Stop::Empty, 0};
    }
    adopt(*buffer);
    size_t packets = 0;
    while (!control_.empty() || take_waiting()) {
      if (free_slots_.empty() || free_sections_.empty()) return Staged{Stop::NoSection, packets};
      if (HV_TRY(ring.free_bytes()) < most_packet_size()) return Staged{Stop::NoRoom, packets};
      Batch batch{};
      auto channel = proto::RndisChannel::Data;
      if (!control_.empty()) {
        channel = proto::RndisChannel::Control;
        (void)write(*buffer, {}, control_.front(), batch);
        control_.pop_front();
      } else {
        while (batch.sections.count < kMostFrames && !free_sections_.empty() && take_waiting()) {
          const size_t parts = parts_of(*buffer, device, waiting_.front().frame);
          if (parts == 0) {
            cut_front();
            continue;
          }
          if (parts > free_sections_.size() && batch.sections.count == 0)
            return Staged{Stop::NoSection, packets};
          if (parts > std::min(free_sections_.size(), kMostRanges - batch.sections.count)) break;
          if (!write_frame(*buffer, device, waiting_.front(), batch))
            count(counters_.dropped_too_long);
          waiting_.pop_front();
        }
      }
      if (batch.sections.count == 0) continue;
      HV_TRY(send(*buffer, channel, batch, ring, counters));
      packets++;
    }
    return Staged{Stop::Empty, packets};
  });
}

/// Sections that the frame takes. 0: the guest does not take it joined, or not of that length; it
/// is to be cut.
size_t ReceiveQueue::parts_of(const Buffers::Receive& buffer, const RndisDevice& device,
                              const net::Frame& frame) const {
  if (frame.joined.kind != net::Offload::Kind::Segment) return 1;
  if (!device.joins_received(frame.joined.ipv6) || buffer.sections.size <= kPartOverhead) return 0;
  const size_t parts = (frame.bytes.size() + part_size(buffer) - 1) / part_size(buffer);
  return parts <= std::min<size_t>(kMostRanges, share_) ? parts : 0;
}

/// Has the joined frame at the front wait as the segments that it was made of.
void ReceiveQueue::cut_front() {
  Waiting whole = std::move(waiting_.front());
  waiting_.pop_front();
  std::vector<Waiting> segments;
  net::finish(whole.frame.bytes, whole.frame.joined, [&](std::span<const std::byte> segment) {
    segments.push_back({.frame = {.bytes = {segment.begin(), segment.end()}, .checked = true},
                        .hash = whole.hash});
  });
  waiting_.insert(waiting_.begin(), std::make_move_iterator(segments.begin()),
                  std::make_move_iterator(segments.end()));
}

bool ReceiveQueue::write_frame(const Buffers::Receive& buffer, const RndisDevice& device,
                               Waiting& waiting, Batch& batch) {
  std::vector<std::byte>& bytes = waiting.frame.bytes;
  ReceiveInfo info{.vlan = vlan_info(bytes), .checksum = {}, .hash = waiting.hash};
  if (waiting.frame.checked && device.checks_received()) {
    const auto headers = net::parse_headers(bytes);
    if (headers && headers->transport == net::Headers::Transport::Tcp)
      info.checksum = wire::rndis::kTcpChecksumGood;
    if (headers && headers->transport == net::Headers::Transport::Udp)
      info.checksum = wire::rndis::kUdpChecksumGood;
  }
  const net::Offload& joined = waiting.frame.joined;
  if (joined.kind == net::Offload::Kind::Segment && !joined.ipv6 && device.leaves_sum_stale()) {
    net::leave_first_checksum(bytes, joined);
    info.checksum =
        info.checksum.value_or(0) | wire::rndis::kIpChecksumGood | wire::rndis::kIpChecksumStale;
  }
  std::span<const std::byte> frame = bytes;
  if (info.vlan) {
    std::memmove(bytes.data() + kVlanTag, bytes.data(), 12);
    frame = frame.subspan(kVlanTag);
  }
  if (joined.kind == net::Offload::Kind::Segment) {
    if (!write_parts(buffer, frame, info, batch)) return false;
    count(counters_.received_joined);
  } else {
    std::array<std::byte, kReceiveOverhead> head;
    const size_t head_size = write_packet_header(head, frame.size(), info);
    if (!write(buffer, std::span(head).first(head_size), frame, batch)) return false;
  }
  count(counters_.received);
  count(counters_.received_bytes, frame.size());
  return true;
}

/// A joined frame, as long as it is: the parts are all in this packet, and the first bears what the
/// guest is told of the whole.
bool ReceiveQueue::write_parts(const Buffers::Receive& buffer, std::span<const std::byte> frame,
                               ReceiveInfo info, Batch& batch) {
  for (uint8_t flags = wire::rndis::kPart | wire::rndis::kPartFirst; !frame.empty();
       flags = wire::rndis::kPart) {
    const auto part = frame.first(std::min(frame.size(), part_size(buffer)));
    frame = frame.subspan(part.size());
    if (frame.empty()) flags |= wire::rndis::kPartLast;
    info.part = {.version = 1, .flags = flags, .number = 0};
    std::array<std::byte, kPartOverhead> head;
    if (!write(buffer, std::span(head).first(write_packet_header(head, part.size(), info)), part,
               batch))
      return false;
    info = {};
  }
  return true;
}

/// Into the next free section. False: longer than a section.
bool ReceiveQueue::write(const Buffers::Receive& buffer, std::span<const std::byte> head,
                         std::span<const std::byte> data, Batch& batch) {
  const size_t size = head.size() + data.size();
  if (size > buffer.sections.size) return false;
  const uint32_t section = free_sections_.back();
  const uint64_t offset = uint64_t{section} * buffer.sections.size;
  if (!buffer.pages.write(offset, head) || !buffer.pages.write(offset + head.size(), data))
    return false;
  free_sections_.pop_back();
  batch.ranges[batch.sections.count] = {static_cast<uint32_t>(size), static_cast<uint32_t>(offset)};
  batch.sections.sections[batch.sections.count++] = section;
  return true;
}

Result<void> ReceiveQueue::send(const Buffers::Receive& buffer, proto::RndisChannel channel,
                                const Batch& batch, RingWriter& ring,
                                vmbus::ChannelCounters& counters) {
  const uint32_t slot = free_slots_.back();
  const uint64_t id = HV_TRY(table_.arm(slot));
  free_slots_.pop_back();
  in_flight_[slot] = batch.sections;
  in_flight_[slot].generation = generation_;

  const size_t ranges = batch.sections.count;
  std::array<std::byte, kHeaderSize(kMostRanges)> extra;
  const wire::TransferPageHeader header{buffer.id, 0, 0, static_cast<uint32_t>(ranges)};
  std::memcpy(extra.data(), &header, sizeof(header));
  std::memcpy(extra.data() + sizeof(header), batch.ranges.data(),
              ranges * sizeof(wire::TransferPageRange));
  const Outgoing message(proto::MessageType::SendRndisPacket,
                         proto::RndisPacket{channel, proto::kNoSection, 0});
  HV_TRY(ring.stage(wire::PacketType::DataUsingTransferPages, wire::kPacketCompletionRequested, id,
                    std::span(extra).first(kHeaderSize(ranges)),
                    message.bytes().first(kPayloadSize)));
  counters.packets_out.add();
  counters.bytes_out.add(kHeaderSize(ranges) + kPayloadSize);
  return {};
}

void ReceiveQueue::completed(uint64_t transaction_id) {
  const auto slot = table_.take(transaction_id);
  if (!slot) return count(counters_.stray_completions);
  const InFlight& packet = in_flight_[*slot];
  if (packet.generation == generation_) {
    for (size_t i = 0; i < packet.count; i++) free_sections_.push_back(packet.sections[i]);
  }
  free_slots_.push_back(static_cast<uint32_t>(*slot));
}

}  // namespace hv::host::netvsp
