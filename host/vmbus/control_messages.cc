// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The guest's control messages, one function each.
#include <algorithm>

#include "core/wire/ring.hpp"
#include "host/vmbus/control.hpp"
#include "host/vmbus/versions.hpp"

namespace hv::host::vmbus {

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
  switch (header->type) {
    case MessageType::InitiateContact:
      on_initiate_contact(connection_id, reader, actions);
      return true;
    case MessageType::RequestOffers:
      on_request_offers(actions);
      return true;
    case MessageType::Unload:
      on_unload(actions);
      return true;
    case MessageType::GpadlHeader:
      on_gpadl_header(reader, actions);
      return true;
    case MessageType::GpadlBody:
      on_gpadl_body(reader, actions);
      return true;
    case MessageType::GpadlTeardown:
      on_gpadl_teardown(reader, actions);
      return true;
    case MessageType::OpenChannel:
      on_open(reader, actions);
      return true;
    case MessageType::CloseChannel:
      on_close(reader, actions);
      return true;
    case MessageType::ModifyChannel:
      on_modify(reader, actions);
      return true;
    case MessageType::RelIdReleased:
      on_released(reader, actions);
      return true;
    case MessageType::TlConnectRequest:
      on_tl_connect(reader, actions);
      return true;
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
  complain(Complaint::UnknownMessage, number, actions);
  return true;
}

void ControlMachine::on_initiate_contact(uint32_t connection_id, ByteReader& reader,
                                         Actions& actions) {
  const auto request = reader.take<wire::InitiateContact>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::InitiateContact),
                    actions);
  // A new kernel after a crash, or a guest that could not say UNLOAD: what it had is over.
  disconnect(actions);
  actions.push_back(DropMessages{});

  const Version version = request->version;
  const bool tells_sint = connection_id == wire::kMessageConnectionIdWin10;
  const uint32_t sint = tells_sint && version >= Version::V5_0
                            ? static_cast<uint8_t>(request->interrupt_page)
                            : wire::kMessageSint;
  const uint32_t vtl = tells_sint && version >= Version::V5_1
                           ? static_cast<uint8_t>(request->interrupt_page >> 8)
                           : 0;
  const uint32_t vp = version >= Version::V3_0 ? request->target_vp : 0;
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
    if (options_.monitor && request->monitor_page2 != 0)
      actions.push_back(ShareMonitorPage{request->monitor_page2});
  }
  actions.push_back(PostMessage{vp < options_.vp_count ? vp : 0, wire::kMessageSint,
                                Message(MessageType::VersionResponse, response)});
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
  actions.push_back(PostMessage{last.vp, last.sint, Message(MessageType::UnloadResponse)});
}

void ControlMachine::on_gpadl_header(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::GpadlHeader>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::GpadlHeader),
                    actions);
  wire::GpadlCreated answer{request->channel_id, request->gpadl_id, wire::kStatusUnsuccessful};
  if (by_relid(request->channel_id, actions) != channels_.end()) {
    const auto progress = gpadls_.begin(request->channel_id, request->gpadl_id,
                                        request->range_bytes, request->range_count, reader.rest());
    if (progress && *progress == GpadlTable::Progress::Incomplete) return;
    if (progress) answer.status = wire::kStatusSuccess;
    if (!progress) complain(Complaint::BadGpadl, request->gpadl_id, actions);
  }
  post(Message(MessageType::GpadlCreated, answer), actions);
}

void ControlMachine::on_gpadl_body(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::GpadlBody>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::GpadlBody),
                    actions);
  const auto channel_id = gpadls_.under_way(request->gpadl_id);
  if (!channel_id) return complain(Complaint::UnknownGpadl, request->gpadl_id, actions);
  const auto progress = gpadls_.append(request->gpadl_id, reader.rest());
  if (progress && *progress == GpadlTable::Progress::Incomplete) return;
  if (!progress) complain(Complaint::BadGpadl, request->gpadl_id, actions);
  const uint32_t status = progress ? wire::kStatusSuccess : wire::kStatusUnsuccessful;
  post(Message(MessageType::GpadlCreated,
               wire::GpadlCreated{*channel_id, request->gpadl_id, status}),
       actions);
}

void ControlMachine::on_gpadl_teardown(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::GpadlTeardown>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::GpadlTeardown),
                    actions);
  const auto at = by_relid(request->channel_id, actions);
  if (at == channels_.end()) return;
  if (gpadls_.find(request->channel_id, request->gpadl_id) == nullptr) {
    return complain(Complaint::UnknownGpadl, request->gpadl_id, actions);
  }
  if (at->second.state == ChannelState::Open && at->second.ring_gpadl == request->gpadl_id) {
    complain(Complaint::GpadlInUse, request->gpadl_id, actions);
    close(at->first, at->second, actions);
  }
  if (at->second.state == ChannelState::Open)
    actions.push_back(TakeGpadl{at->first, request->gpadl_id});
  if (gpadls_.remove(request->channel_id, request->gpadl_id)) {
    post(Message(MessageType::GpadlTorndown, wire::GpadlTorndown{request->gpadl_id}), actions);
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

void ControlMachine::on_open(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::OpenChannel>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::OpenChannel),
                    actions);
  const auto at = by_relid(request->channel_id, actions);
  if (at == channels_.end()) return;
  Channel& channel = at->second;
  auto plan = plan_open(at->first, channel, *request);
  if (!plan) {
    if (!channel.rescinded) {
      complain(plan.error() == Error::BadState ? Complaint::BadChannelState : Complaint::BadOpen,
               request->channel_id, actions);
    }
    const wire::OpenChannelResult result{request->channel_id, request->open_id,
                                         wire::kStatusUnsuccessful};
    return post(Message(MessageType::OpenChannelResult, result), actions);
  }
  channel.state = ChannelState::Opening;
  channel.open_id = request->open_id;
  channel.ring_gpadl = request->gpadl_id;
  channel.vp = request->target_vp;
  actions.push_back(plan.take());
}

void ControlMachine::on_close(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::ChannelId>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::CloseChannel),
                    actions);
  const auto at = by_relid(request->channel_id, actions);
  if (at == channels_.end()) return;
  // Of a rescinded channel both sides may have closed first.
  if (at->second.state != ChannelState::Open && !at->second.rescinded) {
    complain(Complaint::BadChannelState, request->channel_id, actions);
  }
  close(at->first, at->second, actions);
}

void ControlMachine::on_modify(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::ModifyChannel>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::ModifyChannel),
                    actions);
  if (connection_->version < Version::V4_1) {
    return complain(Complaint::NotInVersion, static_cast<uint32_t>(MessageType::ModifyChannel),
                    actions);
  }
  const auto at = by_relid(request->channel_id, actions);
  if (at == channels_.end()) return;
  Channel& channel = at->second;
  uint32_t status = wire::kStatusUnsuccessful;
  if (channel.state != ChannelState::Open) {
    complain(Complaint::BadChannelState, request->channel_id, actions);
  } else if (request->target_vp >= options_.vp_count || channel.vp == wire::kNoInterrupt) {
    complain(Complaint::BadTarget, request->target_vp, actions);
  } else {
    channel.vp = request->target_vp;
    status = wire::kStatusSuccess;
    actions.push_back(Retarget{at->first, channel.vp});
  }
  // After the answer the guest expects no interrupt on the old VP: Retarget comes first.
  if (connection_->version >= Version::V5_3) {
    post(Message(MessageType::ModifyChannelResponse,
                 wire::ModifyChannelResponse{request->channel_id, status}),
         actions);
  }
}

void ControlMachine::on_released(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::ChannelId>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::RelIdReleased),
                    actions);
  const auto at = by_relid(request->channel_id, actions);
  if (at == channels_.end()) return;
  if (at->second.state == ChannelState::Open && !at->second.rescinded) {
    return complain(Complaint::BadChannelState, request->channel_id, actions);
  }
  forget(at, actions);
  announce_waiting(actions);
}

void ControlMachine::on_tl_connect(ByteReader& reader, Actions& actions) {
  const auto request = reader.take<wire::TlConnectRequest>();
  if (!request)
    return complain(Complaint::ShortMessage, static_cast<uint32_t>(MessageType::TlConnectRequest),
                    actions);
  // Nobody listens here yet. The answer exists from 4.1 on; older guests time out.
  if (connection_->version < Version::V4_1) return;
  const wire::TlConnectResult result{request->endpoint_id, request->service_id,
                                     wire::kStatusConnectionRefused};
  post(Message(MessageType::TlConnectResult, result), actions);
}

}  // namespace hv::host::vmbus
