// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/channel_service.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "host/scsi/bigendian.hpp"
#include "host/scsi/identity.hpp"
#include "host/vmbus/guest_buffer.hpp"

namespace hv::host::storvsp {
namespace {

namespace proto = wire::storvsc;
using scsi::Progress;

constexpr uint64_t kSignalToken = ~uint64_t{0} - 1;
constexpr uint64_t kWakeToken = ~uint64_t{0} - 2;
constexpr size_t kMaxReplies = 64;
constexpr uint8_t kReportLuns = 0xa0, kInquiry = 0x12;

uint32_t nt_status(proto::SrbStatus srb) {
  switch (srb) {
    case proto::SrbStatus::Success:
      return proto::kStatusSuccess;
    case proto::SrbStatus::Busy:
      return proto::kStatusDeviceBusy;
    case proto::SrbStatus::InvalidLun:
    case proto::SrbStatus::InvalidTargetId:
    case proto::SrbStatus::NoDevice:
      return proto::kStatusDeviceDoesNotExist;
    case proto::SrbStatus::BadFunction:
      return proto::kStatusInvalidDeviceRequest;
    case proto::SrbStatus::DataOverrun:
      return proto::kStatusBufferOverflow;
    default:
      return proto::kStatusIoDeviceError;
  }
}

Outgoing completion(const proto::ScsiRequest& request, const scsi::Outcome& outcome, size_t size) {
  proto::ScsiRequest body = request;
  body.length = static_cast<uint16_t>(size - sizeof(proto::Header));
  body.scsi_status = static_cast<uint8_t>(outcome.status);
  body.srb_status = static_cast<uint8_t>(outcome.srb);
  body.cdb_or_sense = {};
  body.sense_length = 0;
  if (outcome.has_sense) {
    body.srb_status |= proto::kSrbAutosenseValid;
    const auto sense = scsi::fixed_format(outcome.sense);
    std::copy(sense.begin(), sense.end(), body.cdb_or_sense.begin());
    body.sense_length = static_cast<uint8_t>(sense.size());
  }
  body.transfer_length = outcome.moved;
  return Outgoing(proto::Operation::CompleteIo,
                  outcome.nt != 0 ? outcome.nt : nt_status(outcome.srb), size)
      .with(body);
}

}  // namespace

ChannelService::ChannelService(vmbus::OpenChannel& channel, ControllerShared& shared)
    : end_(channel), shared_(shared) {}

void ChannelService::luns_changed(bool announce) {
  if (announce) announce_.store(true, std::memory_order_release);
  end_.wake();
}

void ChannelService::run(bool allow_uring) {
  IoQueue queue(allow_uring);
  queue.watch(end_.open().signal_fd(), kSignalToken);
  queue.watch(end_.wake_fd(), kWakeToken);
  end_.mask();
  while (true) {
    const bool stopping = end_.stopping();
    if (stopping && in_flight_ == 0) return;
    // The round may have taken the wake-up of `stop` itself: look again before waiting for it.
    if (!stopping && (!step(queue) || end_.stopping())) continue;
    handle(queue, queue.wait());
    end_.mask();
  }
}

bool ChannelService::step(IoQueue& queue) {
  take_requests(queue);
  handle(queue, queue.poll());
  if (end_.broken()) drop_finished();
  send_finished();
  end_.end_round();
  return may_sleep();
}

void ChannelService::handle(IoQueue& queue, std::span<const IoQueue::Event> events) {
  for (const IoQueue::Event& event : events) {
    if (event.token == kSignalToken) {
      end_.open().counters().signals_in.add(static_cast<uint64_t>(event.result));
    } else if (event.token == kWakeToken) {
      refresh_luns();  // lets go of units that were removed
    } else {
      Request& request = requests_[static_cast<size_t>(event.token)];
      advance(queue, request, request.unit->resume(request, event.result));
    }
  }
}

void ChannelService::take_requests(IoQueue& queue) {
  while (takes_more()) {
    const auto packet = end_.take();
    if (!packet || !take_packet(queue, *packet)) break;
  }
  end_.give_back();
}

bool ChannelService::take_packet(IoQueue& queue, const hv::vmbus::Packet& packet) {
  if (packet.type == wire::PacketType::Completion) return true;  // nothing we send asks for one
  const auto incoming = parse_packet(packet);
  if (!incoming) {
    end_.break_off(
        fmt::format("a packet that is none of the protocol's: {}", hv::name(incoming.error())));
    return false;
  }
  if (incoming->operation != proto::Operation::ExecuteSrb) {
    const auto offer = [this](uint16_t count) {
      vmbus::DeviceHandle* handle = shared_.handle.load(std::memory_order_acquire);
      return handle && handle->offer_sub_channels(count);
    };
    replies_.emplace_back(incoming->transaction_id,
                          shared_.session.handle(*incoming, end_.primary(), offer));
    return true;
  }
  if (!shared_.session.ready()) {
    replies_.emplace_back(
        incoming->transaction_id,
        Outgoing(proto::Operation::CompleteIo, proto::kStatusInvalidDeviceState, incoming->size));
    return true;
  }
  start(queue, *incoming, packet.extra);
  return true;
}

void ChannelService::start(IoQueue& queue, const Incoming& packet,
                           std::span<const std::byte> extra) {
  Request& request = allocate();
  request.transaction_id = packet.transaction_id;
  request.size = packet.size;
  request.header = packet.request;
  request.direction = packet.request.direction;
  request.cdb_size = std::min<uint8_t>(packet.request.cdb_length, proto::kCdbSize);
  std::copy_n(packet.request.cdb_or_sense.begin(), proto::kCdbSize, request.cdb.begin());
  in_flight_++;
  const uint32_t length = packet.request.transfer_length;
  if (length > 0) {
    const uint32_t most = shared_.session.limits().max_transfer_bytes;
    const auto resolved =
        length > most ? Result<void>(Error::BadLength)
                      : vmbus::resolve_guest_buffer(end_.open().machine(), extra, length,
                                                    most / wire::kPageSize + 64, request.guest);
    if (!resolved) {
      request.fail(scsi::kInvalidFieldInCdb);
      request.outcome.srb = proto::SrbStatus::InvalidRequest;
      return advance(queue, request, Progress::Done);
    }
    request.guest_bytes = length;
  }
  if (request.cdb[0] == kReportLuns) return advance(queue, request, report_luns(request));
  request.unit = find(request.header);
  advance(queue, request, request.unit ? request.unit->start(request) : absent_unit(request));
}

void ChannelService::advance(IoQueue& queue, Request& request, Progress progress) {
  if (progress == Progress::Io) {
    queue.submit(request.unit->backend(), request.io, request.index);
    return;
  }
  in_flight_--;
  finished_.push_back(request.index);
}

void ChannelService::drop_finished() {
  for (const uint32_t index : finished_) release(requests_[index]);
  finished_.clear();
  replies_.clear();
}

void ChannelService::send_finished() {
  const auto answer = [this](uint64_t transaction_id, const Outgoing& packet) {
    return end_.send(wire::PacketType::Completion, transaction_id, packet.bytes());
  };
  while (!replies_.empty() && answer(replies_.front().first, replies_.front().second))
    replies_.pop_front();
  size_t count = 0;
  while (replies_.empty() && count < finished_.size()) {
    Request& request = requests_[finished_[count]];
    if (!answer(request.transaction_id, completion(request.header, request.outcome, request.size)))
      break;
    release(request);
    count++;
  }
  finished_.erase(finished_.begin(), finished_.begin() + static_cast<ptrdiff_t>(count));
  if (end_.primary() && announce_.load(std::memory_order_acquire) && shared_.session.ready() &&
      shared_.session.knows_enumerate_bus() &&
      end_.send(wire::PacketType::DataInBand, 0,
                Outgoing(proto::Operation::EnumerateBus, proto::kStatusSuccess,
                         shared_.session.packet_size())
                    .bytes()))
    announce_.store(false, std::memory_order_release);
}

/// With the pool in use up, only a completion helps.
bool ChannelService::takes_more() const {
  return in_flight_ + finished_.size() < kMaxTasks && replies_.size() < kMaxReplies;
}

bool ChannelService::may_sleep() {
  const bool waits = !finished_.empty() || !replies_.empty();
  return end_.may_sleep(waits ? hv::vmbus::RingWriter::packet_size(0, proto::kPacketSize) : 0,
                        takes_more());
}

void ChannelService::refresh_luns() {
  const uint64_t generation = shared_.luns.generation();
  if (generation == luns_generation_) return;
  luns_ = shared_.luns.snapshot();
  luns_generation_ = generation;
}

std::shared_ptr<scsi::LogicalUnit> ChannelService::find(const proto::ScsiRequest& header) {
  refresh_luns();
  const auto found = luns_->find(
      {shared_.ignore_path ? uint8_t{0} : header.path_id, header.target_id, header.lun});
  return found == luns_->end() ? nullptr : found->second;
}

Progress ChannelService::report_luns(Request& request) {
  refresh_luns();
  std::vector<uint8_t> list(8);
  for (const auto& [address, unit] : *luns_) {
    if ((!shared_.ignore_path && address.path != request.header.path_id) ||
        address.target != request.header.target_id)
      continue;
    list.resize(list.size() + 8);
    list[list.size() - 7] = address.lun;
  }
  scsi::store_be<4>(list, 0, list.size() - 8);
  request.answer(list, scsi::load_be<4>(request.cdb, 6));
  return Progress::Done;
}

/// INQUIRY says that nothing is there; everything else names no logical unit, and a guest that
/// thought otherwise drops it.
Progress ChannelService::absent_unit(Request& request) {
  if (request.cdb[0] == kInquiry && (request.cdb[1] & 1) == 0 && request.cdb[2] == 0) {
    constexpr uint8_t kNothingHere = 0x7f;
    const bool first = request.header.lun == 0;
    request.answer(scsi::standard_inquiry({.device_type = kNothingHere,
                                           .vendor = first ? "Msft" : "",
                                           .product = first ? "Virtual Disk" : "",
                                           .revision = first ? "1.0" : ""}),
                   scsi::load_be<2>(request.cdb, 3));
  } else {
    request.fail(proto::SrbStatus::InvalidLun);
  }
  return Progress::Done;
}

ChannelService::Request& ChannelService::allocate() {
  if (free_.empty()) {
    Request& request = requests_.emplace_back();
    request.index = static_cast<uint32_t>(requests_.size() - 1);
    return request;
  }
  Request& request = requests_[free_.back()];
  free_.pop_back();
  return request;
}

void ChannelService::release(Request& request) {
  request.clear();
  request.unit.reset();
  free_.push_back(request.index);
}

}  // namespace hv::host::storvsp
