// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/channel_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/vmbus/gpa_direct.hpp"
#include "host/net/offload.hpp"
#include "host/netvsp/packet.hpp"
#include "host/vmbus/guest_buffer.hpp"

namespace hv::host::netvsp {
namespace {

namespace proto = wire::netvsc;
using proto::Status;

constexpr size_t kMostReplies = 256;
constexpr size_t kMostMessage = 256 * 1024;  // RNDIS: a large send and its headers, with room
constexpr uint32_t kMostFrames = kMostMessage / wire::kPageSize + 64;

}  // namespace

ChannelService::ChannelService(vmbus::OpenChannel& channel, NicShared& shared)
    : end_(channel), shared_(shared), receive_(channel.index(), shared.counters) {}

bool ChannelService::deliver(net::Frame&& frame, std::optional<uint32_t> hash) {
  bool was_empty = false;
  if (!receive_.put(std::move(frame), hash, was_empty)) return false;
  if (was_empty) end_.wake();
  return true;
}

void ChannelService::gpadl_found(uint32_t gpadl_id, std::optional<SharedPages> pages) {
  {
    const std::lock_guard lock(found_mutex_);
    found_.push_back({gpadl_id, std::move(pages)});
  }
  end_.wake();
}

void ChannelService::gpadl_gone(uint32_t gpadl_id) {
  const std::lock_guard lock(found_mutex_);
  for (Found& found : found_) {
    if (found.gpadl_id == gpadl_id) found.pages.reset();
  }
  shared_.buffers.drop_gpadl(gpadl_id);
}

void ChannelService::link_changed() {
  link_changed_.store(true, std::memory_order_release);
  end_.wake();
}

void ChannelService::announce_channels(uint16_t count) {
  announce_.store(count, std::memory_order_release);
  end_.wake();
}

void ChannelService::run() {
  end_.mask();
  while (!end_.stopping()) {
    if (step()) end_.wait();
  }
}

bool ChannelService::step() {
  if (end_.broken()) return true;
  take_found();
  take_packets();
  if (shared_.leaving.load(std::memory_order_acquire)) {
    receive_.drop_frames();
    silent_.store(receive_.with_guest() == 0, std::memory_order_release);
  } else {
    send_notices();
  }
  send_replies();
  vmbus::OpenChannel& channel = end_.open();
  const auto staged =
      receive_.stage(shared_.buffers, shared_.device, channel.outgoing(), channel.counters());
  if (!staged) end_.break_off(fmt::format("outgoing ring: {}", hv::name(staged.error())));
  if (end_.broken()) return true;
  if (staged->packets > 0) end_.staged();
  end_.end_round();
  const bool waits = !replies_.empty() || staged->stop == ReceiveQueue::Stop::NoRoom;
  return end_.may_sleep(waits ? ReceiveQueue::most_packet_size() : 0,
                        replies_.size() < kMostReplies);
}

void ChannelService::take_packets() {
  // Not all at once: what comes for the guest has its turn between.
  constexpr size_t kTurn = 64;
  for (size_t taken = 0; taken < kTurn && replies_.size() < kMostReplies; taken++) {
    const auto packet = end_.take();
    if (!packet || !take_packet(*packet)) break;
  }
  end_.give_back();
}

bool ChannelService::take_packet(const hv::vmbus::Packet& packet) {
  if (packet.type == wire::PacketType::Completion) {
    receive_.completed(packet.transaction_id);
    return true;
  }
  if (packet.type != wire::PacketType::DataInBand &&
      packet.type != wire::PacketType::DataUsingGpaDirect) {
    end_.break_off("a packet of a type that the protocol does not use");
    return false;
  }
  const auto message = parse_message(packet.payload);
  if (!message) {
    end_.break_off(
        fmt::format("a packet that is none of the protocol's: {}", hv::name(message.error())));
    return false;
  }
  if (const auto* rndis = std::get_if<proto::RndisPacket>(&*message)) {
    reply(packet, packet_complete(take_rndis(*rndis, packet)));
  } else if (end_.primary()) {
    set_up(*message, packet);
  } else {
    reply(packet, Outgoing());  // the set-up is the primary's
  }
  return true;
}

void ChannelService::set_up(const Message& message, const hv::vmbus::Packet& packet) {
  const std::lock_guard lock(shared_.session_mutex);
  const Step step = shared_.session.handle(message);
  if (const auto* answer = std::get_if<Answer>(&step)) {
    reply(packet, answer->message);
  } else if (const auto* find = std::get_if<FindBuffer>(&step)) {
    asked_[static_cast<size_t>(find->which)] =
        Asked{find->gpadl_id, packet.transaction_id, packet.wants_completion()};
    vmbus::DeviceHandle* handle = shared_.handle.load(std::memory_order_acquire);
    if (handle) handle->find_gpadl(end_.index(), find->gpadl_id);
  } else if (const auto* drop = std::get_if<DropBuffer>(&step)) {
    asked_[static_cast<size_t>(drop->which)].reset();
    shared_.buffers.drop(drop->which);
  } else if (const auto* offer = std::get_if<OfferChannels>(&step)) {
    reply(packet, offer->message, offer->count);
  } else if (const auto* path = std::get_if<SwitchPath>(&step)) {
    count(shared_.counters.path_switches);
    reply(packet, path->message);
  }
}

void ChannelService::take_found() {
  if (!end_.primary()) return;
  // Under this lock, so that a GPADL that goes meanwhile is not put to use behind the back of
  // `gpadl_gone`.
  const std::lock_guard lock(found_mutex_);
  for (Found& found : found_) {
    for (const Buffer which : {Buffer::Receive, Buffer::Send}) {
      const auto& asked = asked_[static_cast<size_t>(which)];
      if (asked && asked->gpadl_id == found.gpadl_id) {
        put_buffer(which, found);
        break;
      }
    }
  }
  found_.clear();
}

void ChannelService::put_buffer(Buffer which, Found& found) {
  auto& asked = asked_[static_cast<size_t>(which)];
  const std::lock_guard lock(shared_.session_mutex);
  Session& session = shared_.session;
  const bool there = found.pages.has_value();
  const Outgoing answer = session.buffer_found(which, there ? found.pages->size() : 0);
  if (asked->wants_answer) replies_.push_back({asked->transaction_id, answer});
  asked.reset();
  if (!there) return;
  if (which == Buffer::Send)
    return shared_.buffers.put_send(found.gpadl_id, std::move(*found.pages));
  if (session.receive_sections().count == 0) return;
  shared_.buffers.put_receive(found.gpadl_id, std::move(*found.pages), session.receive_sections(),
                              session.receive_buffer_id(), session.queues());
}

/// The whole RNDIS message, of which a part may be in the send buffer and the rest in pages, as a
/// private copy.
Result<std::span<std::byte>> ChannelService::gather(const proto::RndisPacket& message,
                                                    const hv::vmbus::Packet& packet) {
  const size_t in_section = message.section == proto::kNoSection ? 0 : message.section_size;
  size_t in_pages = 0;
  if (packet.type == wire::PacketType::DataUsingGpaDirect) {
    const auto ranges =
        HV_TRY(hv::vmbus::GpaRanges::parse(packet.extra, {.ranges = 64, .frames = kMostFrames}));
    if (ranges.byte_count() > kMostMessage) return Error::BadLength;
    in_pages = static_cast<size_t>(ranges.byte_count());
  }
  if (in_section > proto::kSendSectionSize) return Error::BadLength;
  if (message_.size() < in_section + in_pages) message_.resize(in_section + in_pages);
  const std::span<std::byte> out = std::span(message_).first(in_section + in_pages);
  if (in_section > 0 && !shared_.buffers.read_section(message.section, out.first(in_section)))
    return Error::BadId;
  if (in_pages > 0) {
    std::vector<iovec> parts;
    HV_TRY(vmbus::resolve_guest_buffer(end_.open().machine(), packet.extra,
                                       static_cast<uint32_t>(in_pages), kMostFrames, parts));
    std::byte* to = out.data() + in_section;
    for (const iovec& part : parts) {
      std::memcpy(to, part.iov_base, part.iov_len);
      to += part.iov_len;
    }
  }
  return out;
}

Status ChannelService::take_rndis(const proto::RndisPacket& message,
                                  const hv::vmbus::Packet& packet) {
  const auto bytes = gather(message, packet);
  Status status = Status::InvalidRndisPacket;
  if (bytes)
    status = message.channel == proto::RndisChannel::Control ? control(*bytes) : transmit(*bytes);
  if (status != Status::Success) count(shared_.counters.bad_packets);
  return status;
}

Status ChannelService::control(std::span<const std::byte> message) {
  if (!end_.primary()) return Status::InvalidRndisPacket;
  // It asks on without making room for the answers.
  if (receive_.control_full()) return Status::Busy;
  uint16_t queues;
  uint32_t frame_size;
  {
    const std::lock_guard lock(shared_.session_mutex);
    queues = shared_.session.queues();
    frame_size = shared_.session.frame_size();
  }
  auto answer = shared_.device.handle(message, queues, frame_size);
  if (!answer) return Status::InvalidRndisPacket;
  const bool joins = shared_.device.joins_received();
  if (std::exchange(joins_, joins) != joins) shared_.backend.join(joins);
  if (*answer) receive_.put_control(std::move(**answer));
  return Status::Success;
}

Status ChannelService::transmit(std::span<std::byte> messages) {
  while (!messages.empty()) {
    const auto view = first_message(messages);
    if (!view || view->type != wire::rndis::MessageType::Packet) return Status::InvalidRndisPacket;
    const auto packet = parse_packet(*view);
    if (!packet ||
        !transmit_one(messages.first(view->size), packet->data_at, packet->data_size, packet->info))
      return Status::InvalidRndisPacket;
    messages = messages.subspan(view->size);
  }
  return Status::Success;
}

/// False: the guest asks for an offload that its frame does not allow.
bool ChannelService::transmit_one(std::span<std::byte> message, size_t at, size_t size,
                                  const PacketInfo& info) {
  NicCounters& counters = shared_.counters;
  // No error: what one channel has under way may come behind the HALT of another.
  if (!shared_.device.initialized()) {
    count(counters.dropped_halted);
    return true;
  }
  if (info.vlan) {
    at = insert_vlan(message, at, *info.vlan);
    size += kVlanTag;
  }
  const std::span<std::byte> frame = message.subspan(at, size);
  net::Offload offload;
  if (info.large_send) {
    auto prepared =
        net::prepare_segments(frame, *info.large_send & wire::rndis::kLargeSendSizeMask);
    if (!prepared) return false;
    offload = *prepared;
    count(counters.sent_large);
  } else if (info.checksum) {
    if (*info.checksum & wire::rndis::kChecksumIpHeader && !net::fill_ip_checksum(frame))
      return false;
    if (*info.checksum & (wire::rndis::kChecksumTcp | wire::rndis::kChecksumUdp)) {
      auto prepared = net::prepare_checksum(frame);
      if (!prepared) return false;
      offload = *prepared;
      count(counters.sent_checksums);
    }
  }
  if (!shared_.device.link() || !shared_.backend.send(frame, offload, end_.index())) {
    count(counters.dropped_sent);
    return true;
  }
  count(counters.sent);
  count(counters.sent_bytes, size);
  return true;
}

void ChannelService::reply(const hv::vmbus::Packet& packet, const Outgoing& message,
                           uint16_t then_offer) {
  if (packet.wants_completion()) replies_.push_back({packet.transaction_id, message, then_offer});
}

void ChannelService::send_replies() {
  while (!replies_.empty() &&
         end_.send(wire::PacketType::Completion, replies_.front().transaction_id,
                   replies_.front().message.bytes())) {
    const uint16_t channels = replies_.front().then_offer;
    replies_.pop_front();
    if (channels == 0) continue;
    shared_.granted.store(channels, std::memory_order_release);
    vmbus::DeviceHandle* handle = shared_.handle.load(std::memory_order_acquire);
    if (handle) (void)handle->offer_sub_channels(channels);
  }
}

/// What the host says by itself, on the primary.
void ChannelService::send_notices() {
  if (!end_.primary()) return;
  if (link_changed_.load(std::memory_order_acquire) && !receive_.control_full()) {
    link_changed_.store(false, std::memory_order_release);
    if (shared_.device.initialized()) {
      receive_.put_control(shared_.device.link_message());
      if (auto speed = shared_.device.speed_message()) receive_.put_control(std::move(*speed));
    }
  }
  tell_function();
  const uint16_t channels = announce_.load(std::memory_order_acquire);
  if (channels == 0) return;
  std::array<std::byte, proto::kMessageSize + proto::kSendTableEntries * sizeof(uint32_t)> table{};
  uint32_t offset;
  {
    const std::lock_guard lock(shared_.session_mutex);
    offset = shared_.session.send_table_offset();
  }
  const Outgoing head(proto::MessageType::SendIndirectionTable,
                      proto::SendTable{proto::kSendTableEntries, offset});
  std::memcpy(table.data(), head.bytes().data(), head.bytes().size());
  for (uint32_t i = 0; i < proto::kSendTableEntries; i++) {
    const uint32_t channel = i % channels;
    std::memcpy(table.data() + proto::kMessageSize + i * sizeof(channel), &channel,
                sizeof(channel));
  }
  // Not in the way of others when the ring is full: the next round tries again.
  if (end_.send(wire::PacketType::DataInBand, 0, table))
    announce_.store(0, std::memory_order_release);
}

/// Of its virtual function the guest is told once its device is open, when it takes functions; and
/// whenever that changes.
void ChannelService::tell_function() {
  const uint64_t function = shared_.function.load(std::memory_order_acquire);
  if (function == told_function_ || !shared_.device.initialized()) return;
  {
    const std::lock_guard lock(shared_.session_mutex);
    if (!shared_.session.takes_function()) return;
  }
  const proto::VfAssociation association{(function & kFunction) != 0 ? 1u : 0u,
                                         static_cast<uint32_t>(function)};
  if (end_.send(wire::PacketType::DataInBand, 0,
                Outgoing(proto::MessageType::SendVfAssociation, association).bytes()))
    told_function_ = function;
}

}  // namespace hv::host::netvsp
