// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/rndis_device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "core/base/bytes.hpp"
#include "host/netvsp/packet.hpp"

namespace hv::host::netvsp {
namespace {

namespace proto = wire::rndis;
using proto::MessageType;
using proto::Status;

constexpr uint32_t kMostPackets = 8;
constexpr uint32_t kMostTransfer = 128 * 1024;
constexpr uint32_t kAlignmentShift = 3;

template <WireStruct Body>
std::vector<std::byte> message(MessageType type, const Body& body,
                               std::span<const std::byte> tail = {}) {
  const proto::Header header{
      type, static_cast<uint32_t>(sizeof(proto::Header) + sizeof(Body) + tail.size())};
  std::vector<std::byte> out(header.length);
  std::memcpy(out.data(), &header, sizeof(header));
  std::memcpy(out.data() + sizeof(header), &body, sizeof(body));
  std::copy(tail.begin(), tail.end(), out.begin() + sizeof(header) + sizeof(body));
  return out;
}

/// The buffer of a Query or Set, or nothing when it is not all in the message.
std::optional<std::span<const std::byte>> buffer_of(std::span<const std::byte> body,
                                                    const proto::Query& request) {
  if (request.buffer_length == 0) return std::span<const std::byte>();
  if (request.buffer_offset < sizeof(proto::Query) || request.buffer_offset > body.size())
    return std::nullopt;
  if (request.buffer_length > body.size() - request.buffer_offset) return std::nullopt;
  return body.subspan(request.buffer_offset, request.buffer_length);
}

bool is_broadcast(std::span<const std::byte> mac) {
  return std::all_of(mac.begin(), mac.end(),
                     [](std::byte byte) { return byte == std::byte{0xff}; });
}

}  // namespace

Result<std::optional<std::vector<std::byte>>> RndisDevice::handle(Bytes bytes, uint16_t queues,
                                                                  uint32_t frame_size) {
  using Reply = std::optional<std::vector<std::byte>>;
  const MessageView view = HV_TRY(first_message(bytes));
  ByteReader reader(view.body);
  switch (view.type) {
    case MessageType::Initialize: {
      const auto request = HV_TRY(reader.take<proto::Initialize>());
      initialized_.store(true, std::memory_order_release);
      return Reply(message(MessageType::InitializeComplete,
                           proto::InitializeComplete{.request_id = request.request_id,
                                                     .status = Status::Success,
                                                     .major = 1,
                                                     .minor = 0,
                                                     .device_flags = proto::kConnectionless,
                                                     .medium = 0,
                                                     .max_packets = kMostPackets,
                                                     .max_transfer = kMostTransfer,
                                                     .alignment_shift = kAlignmentShift,
                                                     .address_family_offset = 0,
                                                     .address_family_size = 0}));
    }
    case MessageType::Halt:
      reset();
      return Reply();
    case MessageType::Query: {
      const auto request = HV_TRY(reader.take<proto::Query>());
      const auto buffer = buffer_of(view.body, request);
      const Answer answer =
          !initialized() ? Answer{Status::Failure}
          : buffer       ? query(static_cast<proto::Oid>(request.oid), *buffer, queues, frame_size)
                         : Answer{Status::InvalidLength};
      const proto::QueryComplete complete{request.request_id, answer.status,
                                          static_cast<uint32_t>(answer.bytes.size()),
                                          static_cast<uint32_t>(sizeof(proto::QueryComplete))};
      return Reply(message(MessageType::QueryComplete, complete, answer.bytes));
    }
    case MessageType::Set: {
      const auto request = HV_TRY(reader.take<proto::Set>());
      const auto buffer = buffer_of(view.body, request);
      const Status status = !initialized() ? Status::Failure
                            : buffer ? set(static_cast<proto::Oid>(request.oid), *buffer, queues)
                                     : Status::InvalidLength;
      return Reply(message(MessageType::SetComplete, proto::Complete{request.request_id, status}));
    }
    case MessageType::Reset:
      // Nothing is under way that could be reset; the guest's settings are gone.
      filter_.store(0, std::memory_order_relaxed);
      return Reply(message(MessageType::ResetComplete, proto::ResetComplete{Status::Success, 1}));
    case MessageType::KeepAlive: {
      const auto id = HV_TRY(reader.take<uint32_t>());
      return Reply(message(MessageType::KeepAliveComplete, proto::Complete{id, Status::Success}));
    }
    case MessageType::Packet:
    case MessageType::IndicateStatus:
    case MessageType::InitializeComplete:
    case MessageType::QueryComplete:
    case MessageType::SetComplete:
    case MessageType::ResetComplete:
    case MessageType::KeepAliveComplete:
      break;
  }
  return Error::NotSupported;
}

void RndisDevice::reset() {
  initialized_.store(false, std::memory_order_release);
  filter_.store(0, std::memory_order_relaxed);
  receive_checksum_.store(false, std::memory_order_relaxed);
  joins_.store(0, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  mac_ = facts_.mac;
  scale_ = {};
  scaled_.store(false, std::memory_order_relaxed);
}

std::vector<std::byte> RndisDevice::link_message() const {
  return message(
      MessageType::IndicateStatus,
      proto::IndicateStatus{link() ? Status::MediaConnect : Status::MediaDisconnect, 0, 0});
}

std::optional<std::vector<std::byte>> RndisDevice::speed_message() const {
  if (!facts_.old_speed_messages) return std::nullopt;
  const auto speed = static_cast<uint32_t>(facts_.bits_per_second / 100);
  auto whole = message(
      MessageType::IndicateStatus,
      proto::IndicateStatus{Status::LinkSpeedChange, sizeof(speed), sizeof(proto::IndicateStatus)},
      bytes_of(speed));
  const auto length = static_cast<uint32_t>(whole.size() - sizeof(speed));
  std::memcpy(whole.data() + offsetof(proto::Header, length), &length, sizeof(length));
  return whole;
}

Mac RndisDevice::mac() const {
  const std::lock_guard lock(mutex_);
  return mac_;
}

RndisDevice::Place RndisDevice::place(Bytes frame) const {
  if (!scaled_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(mutex_);
  if (scale_.table.empty()) return {};
  const auto hash = net::flow_hash(scale_.key, frame);
  if (!hash) return {};
  return {scale_.table[*hash % scale_.table.size()], hash};
}

bool RndisDevice::wants(Bytes frame) const {
  const uint32_t filter = filter_.load(std::memory_order_relaxed);
  if (filter == 0 || frame.size() < net::kMinFrame) return false;
  if (filter & proto::kFilterPromiscuous) return true;
  const Bytes destination = frame.first(6);
  if (is_broadcast(destination)) return filter & proto::kFilterBroadcast;
  // Which groups the guest has joined is not asked for: those that filter by list look at them
  // themselves.
  if ((destination[0] & std::byte{1}) != std::byte{0})
    return filter & (proto::kFilterMulticast | proto::kFilterAllMulticast);
  if (!(filter & proto::kFilterDirected)) return false;
  const std::lock_guard lock(mutex_);
  return std::equal(destination.begin(), destination.end(), mac_.begin());
}

std::optional<Mac> parse_mac(std::string_view text) {
  if (text.size() != 17) return std::nullopt;
  Mac mac{};
  for (size_t i = 0; i < mac.size(); i++) {
    unsigned value = 0;
    for (size_t digit = 0; digit < 2; digit++) {
      const char c = text[i * 3 + digit];
      const char lower = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9')
        value = value * 16 + static_cast<unsigned>(c - '0');
      else if (lower >= 'a' && lower <= 'f')
        value = value * 16 + static_cast<unsigned>(lower - 'a') + 10;
      else
        return std::nullopt;
    }
    if (i + 1 < mac.size() && text[i * 3 + 2] != ':') return std::nullopt;
    mac[i] = static_cast<std::byte>(value);
  }
  const bool group = (mac[0] & std::byte{1}) != std::byte{0};
  if (group || mac == Mac{}) return std::nullopt;
  return mac;
}

std::string text(const Mac& mac) {
  std::string out;
  for (const std::byte byte : mac)
    out += fmt::format("{}{:02x}", out.empty() ? "" : ":", static_cast<unsigned>(byte));
  return out;
}

}  // namespace hv::host::netvsp
