// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The guest's control messages, one function each.
#include <algorithm>

#include "core/wire/ring.hpp"
#include "host/vmbus/control.hpp"
#include "host/vmbus/versions.hpp"

namespace hv::host::vmbus {

using hv::wire::Sender;
using hv::wire::take_body;
using hv::wire::vmbus::MessageType;
using hv::wire::vmbus::Version;
namespace wire = hv::wire::vmbus;

bool ControlMachine::has_connection(uint32_t connection_id) const {
  return connection_id == wire::kMessageConnectionId ||
         (connection_id == wire::kMessageConnectionIdWin10 &&
          options_.max_version >= Version::V5_0);
}

bool ControlMachine::message(uint32_t connection_id, std::span<const std::byte> bytes,
                             Actions& actions) {
  if (!has_connection(connection_id)) return false;
  ByteReader reader(bytes);
  const auto header = reader.take<wire::MessageHeader>();
  if (!header) {
    complain(Complaint::ShortMessage, 0, actions);
    return true;
  }
  const auto number = static_cast<uint32_t>(header->type);
  if (!connection_ && header->type != MessageType::InitiateContact) {
    // Linux releases its channels after it has unloaded.
    if (header->type == MessageType::RelIdReleased) return true;
    complain(Complaint::NotConnected, number, actions);
    return true;
  }
  const Version version = connection_ ? connection_->version : Version{};
  const auto allowed =
      check_message(wire::kMessages, Sender::Guest, header->type, reader.remaining(), version);
  if (!allowed) {
    complain(complaint_about(header->type, allowed.error()), number, actions);
    return true;
  }
  dispatch(connection_id, header->type, reader, actions);
  return true;
}

/// Why a message is not taken.
Complaint ControlMachine::complaint_about(MessageType type, Error error) const {
  if (error == Error::Truncated) return Complaint::ShortMessage;
  const bool newer = has_message(wire::kMessages, Sender::Guest, type, options_.max_version);
  return newer ? Complaint::NotInVersion : Complaint::UnknownMessage;
}

void ControlMachine::dispatch(uint32_t connection_id, MessageType type, ByteReader& reader,
                              Actions& actions) {
  switch (type) {
    case MessageType::InitiateContact:
      return on_initiate_contact(connection_id, take_body<wire::InitiateContact>(reader), actions);
    case MessageType::RequestOffers:
      return on_request_offers(actions);
    case MessageType::Unload:
      return on_unload(actions);
    case MessageType::GpadlHeader: {
      const auto request = take_body<wire::GpadlHeader>(reader);
      return on_gpadl_header(request, reader.rest(), actions);
    }
    case MessageType::GpadlBody: {
      const auto request = take_body<wire::GpadlBody>(reader);
      return on_gpadl_body(request, reader.rest(), actions);
    }
    case MessageType::GpadlTeardown:
      return on_gpadl_teardown(take_body<wire::GpadlTeardown>(reader), actions);
    case MessageType::OpenChannel:
      return on_open(take_body<wire::OpenChannel>(reader), actions);
    case MessageType::CloseChannel:
      return on_close(take_body<wire::ChannelId>(reader).channel_id, actions);
    case MessageType::ModifyChannel:
      return on_modify(take_body<wire::ModifyChannel>(reader), actions);
    case MessageType::RelIdReleased:
      return on_released(take_body<wire::ChannelId>(reader).channel_id, actions);
    case MessageType::TlConnectRequest:
      return on_tl_connect(take_body<wire::TlConnectRequest>(reader), actions);
    case MessageType::Invalid:
    case MessageType::OfferChannel:
    case MessageType::RescindChannelOffer:
    case MessageType::AllOffersDelivered:
    case MessageType::OpenChannelResult:
    case MessageType::GpadlCreated:
    case MessageType::GpadlTorndown:
    case MessageType::VersionResponse:
    case MessageType::UnloadResponse:
    case MessageType::TlConnectResult:
    case MessageType::ModifyChannelResponse:
      break;
  }
  complain(Complaint::UnknownMessage, static_cast<uint32_t>(type), actions);
}

void ControlMachine::on_initiate_contact(uint32_t connection_id,
                                         const wire::InitiateContact& request, Actions& actions) {
  // A new kernel after a crash, or a guest that could not say UNLOAD: what it had is over.
  disconnect(actions);
  actions.push_back(DropMessages{});

  const Version version = request.version;
  const bool tells_sint = connection_id == wire::kMessageConnectionIdWin10;
  const uint32_t sint = tells_sint && version >= Version::V5_0
                            ? static_cast<uint8_t>(request.interrupt_page)
                            : wire::kMessageSint;
  const uint32_t vtl = tells_sint && version >= Version::V5_1
                           ? static_cast<uint8_t>(request.interrupt_page >> 8)
                           : 0;
  const uint32_t vp = version >= Version::V3_0 ? request.target_vp : 0;
  const bool deliverable = sint == wire::kMessageSint && vtl == 0 && vp < options_.vp_count;
  const bool spoken =
      version <= options_.max_version && std::ranges::find(kVersions, version) != kVersions.end();
  if (!deliverable) complain(Complaint::BadContact, vp, actions);

  wire::VersionResponse response{};
  if (deliverable && spoken) {
    connection_ = Connection{version, vp, sint};
    response.supported = 1;
    response.message_connection_id =
        version >= Version::V5_0 ? wire::kMessageConnectionIdWin10 : static_cast<uint32_t>(version);
    actions.push_back(Connected{version});
    if (options_.monitor && request.monitor_page2 != 0)
      actions.push_back(ShareMonitorPage{request.monitor_page2});
  }
  post_to(Connection{version, vp < options_.vp_count ? vp : 0, wire::kMessageSint},
          Message(MessageType::VersionResponse, response), actions);
}

void ControlMachine::on_request_offers(Actions& actions) {
  if (connection_->offers_sent) return complain(Complaint::OffersTwice, 0, actions);
  connection_->offers_sent = true;
  announce_waiting(actions);
  post(Message(MessageType::AllOffersDelivered), actions);
}

void ControlMachine::on_unload(Actions& actions) {
  const Connection last = *connection_;
  disconnect(actions);
  post_to(last, Message(MessageType::UnloadResponse), actions);
}

void ControlMachine::on_gpadl_header(const wire::GpadlHeader& request,
                                     std::span<const std::byte> ranges, Actions& actions) {
  wire::GpadlCreated answer{request.channel_id, request.gpadl_id, wire::kStatusUnsuccessful};
  if (by_relid(request.channel_id, actions) != channels_.end()) {
    const auto progress = gpadls_.begin(request.channel_id, request.gpadl_id, request.range_bytes,
                                        request.range_count, ranges);
    if (progress && *progress == GpadlTable::Progress::Incomplete) return;
    if (progress) answer.status = wire::kStatusSuccess;
    if (!progress) complain(Complaint::BadGpadl, request.gpadl_id, actions);
  }
  post(Message(MessageType::GpadlCreated, answer), actions);
}

void ControlMachine::on_gpadl_body(const wire::GpadlBody& request,
                                   std::span<const std::byte> frames, Actions& actions) {
  const auto channel_id = gpadls_.under_way(request.gpadl_id);
  if (!channel_id) return complain(Complaint::UnknownGpadl, request.gpadl_id, actions);
  const auto progress = gpadls_.append(request.gpadl_id, frames);
  if (progress && *progress == GpadlTable::Progress::Incomplete) return;
  if (!progress) complain(Complaint::BadGpadl, request.gpadl_id, actions);
  const uint32_t status = progress ? wire::kStatusSuccess : wire::kStatusUnsuccessful;
  post(
      Message(MessageType::GpadlCreated, wire::GpadlCreated{*channel_id, request.gpadl_id, status}),
      actions);
}

void ControlMachine::on_gpadl_teardown(const wire::GpadlTeardown& request, Actions& actions) {
  const auto at = by_relid(request.channel_id, actions);
  if (at == channels_.end()) return;
  if (gpadls_.find(request.channel_id, request.gpadl_id) == nullptr) {
    return complain(Complaint::UnknownGpadl, request.gpadl_id, actions);
  }
  if (at->second.state == ChannelState::Open && at->second.ring_gpadl == request.gpadl_id) {
    complain(Complaint::GpadlInUse, request.gpadl_id, actions);
    close(at->first, at->second, actions);
  }
  if (at->second.state == ChannelState::Open)
    actions.push_back(TakeGpadl{at->first, request.gpadl_id});
  if (gpadls_.remove(request.channel_id, request.gpadl_id)) {
    post(Message(MessageType::GpadlTorndown, wire::GpadlTorndown{request.gpadl_id}), actions);
  }
}

/// Checks everything about the rings that can be known without touching memory. Errors: BadState,
/// BadId, BadLength, BadValue.
Result<OpenRings> ControlMachine::plan_open(ChannelKey key, const Channel& channel,
                                            const wire::OpenChannel& request) const {
  if (channel.state != ChannelState::Closed || channel.rescinded) return Error::BadState;
  if (channel.index != 0) {
    const auto primary = channels_.find(channel.primary);
    if (primary == channels_.end() || primary->second.state != ChannelState::Open)
      return Error::BadState;
  }
  const Gpadl* gpadl = gpadls_.find(channel.relid, request.gpadl_id);
  if (gpadl == nullptr) return Error::BadId;
  if (gpadl->ranges.size() != 1) return Error::BadLength;
  const GpadlRange& range = gpadl->ranges.front();
  if (range.byte_offset != 0 || range.byte_count % hv::wire::kPageSize != 0)
    return Error::BadLength;
  const size_t pages = range.frames.size();
  const size_t split = request.downstream_offset;
  if (split < 2 || split >= pages || pages - split < 2) return Error::BadLength;
  if (request.target_vp != wire::kNoInterrupt && request.target_vp >= options_.vp_count)
    return Error::BadValue;

  const auto middle = range.frames.begin() + static_cast<std::ptrdiff_t>(split);
  return OpenRings{key,
                   channel.primary,
                   channel.index,
                   channel.relid,
                   wire::kSignalConnectionBase | channel.relid,
                   request.target_vp,
                   channel.monitor,
                   {range.frames.begin(), middle},
                   {middle, range.frames.end()}};
}

void ControlMachine::answer_open(const Channel& channel, uint32_t status, Actions& actions) {
  const wire::OpenChannelResult result{channel.relid, channel.open_id, status};
  post(Message(MessageType::OpenChannelResult, result), actions);
}

void ControlMachine::on_open(const wire::OpenChannel& request, Actions& actions) {
  const auto at = by_relid(request.channel_id, actions);
  if (at == channels_.end()) return;
  Channel& channel = at->second;
  auto plan = plan_open(at->first, channel, request);
  if (!plan) {
    if (!channel.rescinded) {
      complain(plan.error() == Error::BadState ? Complaint::BadChannelState : Complaint::BadOpen,
               request.channel_id, actions);
    }
    const wire::OpenChannelResult result{request.channel_id, request.open_id,
                                         wire::kStatusUnsuccessful};
    return post(Message(MessageType::OpenChannelResult, result), actions);
  }
  channel.state = ChannelState::Opening;
  channel.open_id = request.open_id;
  channel.ring_gpadl = request.gpadl_id;
  channel.vp = request.target_vp;
  actions.push_back(plan.take());
}

void ControlMachine::on_close(uint32_t relid, Actions& actions) {
  const auto at = by_relid(relid, actions);
  if (at == channels_.end()) return;
  // Of a rescinded channel both sides may have closed first.
  if (at->second.state != ChannelState::Open && !at->second.rescinded) {
    complain(Complaint::BadChannelState, relid, actions);
  }
  close(at->first, at->second, actions);
}

void ControlMachine::on_modify(const wire::ModifyChannel& request, Actions& actions) {
  const auto at = by_relid(request.channel_id, actions);
  if (at == channels_.end()) return;
  Channel& channel = at->second;
  uint32_t status = wire::kStatusUnsuccessful;
  if (channel.state != ChannelState::Open) {
    complain(Complaint::BadChannelState, request.channel_id, actions);
  } else if (request.target_vp >= options_.vp_count || channel.vp == wire::kNoInterrupt) {
    complain(Complaint::BadTarget, request.target_vp, actions);
  } else {
    channel.vp = request.target_vp;
    status = wire::kStatusSuccess;
    actions.push_back(Retarget{at->first, channel.vp});
  }
  // After the answer the guest expects no interrupt on the old VP: Retarget comes first.
  post(Message(MessageType::ModifyChannelResponse,
               wire::ModifyChannelResponse{request.channel_id, status}),
       actions);
}

void ControlMachine::on_released(uint32_t relid, Actions& actions) {
  const auto at = by_relid(relid, actions);
  if (at == channels_.end()) return;
  if (at->second.state == ChannelState::Open && !at->second.rescinded) {
    return complain(Complaint::BadChannelState, relid, actions);
  }
  forget(at, actions);
  announce_waiting(actions);
}

void ControlMachine::on_tl_connect(const wire::TlConnectRequest& request, Actions& actions) {
  // Nobody listens here yet. Guests of versions without this answer time out.
  const wire::TlConnectResult result{request.endpoint_id, request.service_id,
                                     wire::kStatusConnectionRefused};
  post(Message(MessageType::TlConnectResult, result), actions);
}

}  // namespace hv::host::vmbus
