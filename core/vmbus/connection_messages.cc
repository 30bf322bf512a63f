// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/bytes.hpp"
#include "core/base/mutant.hpp"
#include "core/vmbus/connection.hpp"

// What the host says. Each handler accepts only what is awaited; everything else is a violation
// that changes nothing.
namespace hv::vmbus {

namespace wire = hv::wire::vmbus;
using hv::wire::Sender;
using hv::wire::take_body;

Result<void> Connection::on_message(std::span<const std::byte> message) {
  if (crashed_.load(std::memory_order_relaxed)) return Error::Gone;
  MessageType type = MessageType::Invalid;
  uint32_t id = 0;
  const Result<void> result = [&]() -> Result<void> {
    if (message.size() > wire::kMaxMessageSize) return Error::BadLength;
    ByteReader reader(message);
    const auto header = HV_TRY(reader.take<wire::MessageHeader>());
    type = header.type;
    return dispatch(type, reader.rest(), id);
  }();
  if (!result) violation(type, id, result.error());
  return result;
}

Result<void> Connection::dispatch(MessageType type, std::span<const std::byte> payload,
                                  uint32_t& id) {
  // While unloading the host may still be answering what was asked before.
  if (state_ == State::Unloading && type != MessageType::UnloadResponse) return {};
  HV_TRY(check_message(wire::kMessages, Sender::Host, type, payload.size(), trying_));
  ByteReader reader(payload);
  switch (type) {
    case MessageType::OfferChannel: {
      const auto offer = take_body<wire::OfferChannel>(reader);
      id = offer.channel_id;
      return on_offer(offer);
    }
    case MessageType::RescindChannelOffer:
      id = take_body<wire::ChannelId>(reader).channel_id;
      return on_rescind(id);
    case MessageType::AllOffersDelivered:
      return on_offers_delivered();
    case MessageType::OpenChannelResult: {
      const auto opened = take_body<wire::OpenChannelResult>(reader);
      id = opened.channel_id;
      return on_open_result(opened);
    }
    case MessageType::GpadlCreated: {
      const auto created = take_body<wire::GpadlCreated>(reader);
      id = created.gpadl_id;
      return on_gpadl_created(created);
    }
    case MessageType::GpadlTorndown:
      id = take_body<wire::GpadlTorndown>(reader).gpadl_id;
      return on_gpadl_torndown(id);
    case MessageType::VersionResponse:
      return on_version_response(take_body<wire::VersionResponse>(reader));
    case MessageType::UnloadResponse:
      return on_unload_response();
    case MessageType::ModifyChannelResponse: {
      const auto modified = take_body<wire::ModifyChannelResponse>(reader);
      id = modified.channel_id;
      return on_modify_response(modified);
    }
    case MessageType::TlConnectResult:
      return {};  // a success is followed by an offer, a failure by nothing: nobody waits for it
    case MessageType::Invalid:
    case MessageType::RequestOffers:
    case MessageType::OpenChannel:
    case MessageType::CloseChannel:
    case MessageType::GpadlHeader:
    case MessageType::GpadlBody:
    case MessageType::GpadlTeardown:
    case MessageType::RelIdReleased:
    case MessageType::InitiateContact:
    case MessageType::Unload:
    case MessageType::TlConnectRequest:
    case MessageType::ModifyChannel:
      break;
  }
  return Error::NotSupported;
}

Result<void> Connection::on_version_response(const wire::VersionResponse& response) {
  if (state_ != State::Contacting || post_contact_.linked()) return Error::BadState;
  if (!response.supported) {
    const wire::Version next = resuming_ ? wire::Version{} : lower_version(trying_);
    trying_ = next;
    if (next == wire::Version{} || !start_contact().ok()) {
      state_ = State::Disconnected;
      resuming_ = false;
      finish(connect_request_, false, Error::NotSupported);
    }
    return {};
  }
  if (trying_ >= wire::Version::V5_0 && response.connection_state != 0) {
    state_ = State::Disconnected;
    resuming_ = false;
    finish(connect_request_, false, Error::Refused, response.connection_state);
    return {};
  }
  state_ = State::Connected;
  version_ = trying_;
  if (version_ >= wire::Version::V5_0 && response.message_connection_id != 0)
    connection_id_ = response.message_connection_id;
  unload_makes_sense_.store(knows_unload(), std::memory_order_release);
  offers_wanted_ = offers_complete_ = false;
  if (resuming_) {
    posts_.push_back(post_offers_);
  } else {
    finish(connect_request_, true);
  }
  return {};
}

Result<void> Connection::on_offer(const wire::OfferChannel& offer) {
  const uint32_t relid = offer.channel_id;
  if (state_ != State::Connected || !offers_wanted_) return Error::BadState;
  if (relid == 0 || relid >= wire::kMaxChannels) return Error::BadId;
  if (relids_[relid] && !HV_MUTANT(9))
    return Error::BadId;  // a duplicate must not hide who has this relid
  if (refused_.test(relid) || release_pending_.test(relid)) return Error::BadId;
  const Result<void> accepted = accept_offer(offer);
  if (!accepted) refused_.set(relid);
  return accepted;
}

Result<void> Connection::accept_offer(const wire::OfferChannel& offer) {
  const bool hvsocket = offer.flags & wire::kOfferTlnpiProvider;
  if (config_.isolated && !hvsocket && !is_safe_class(offer.class_id)) return Error::NotSupported;
  if ((offer.monitor_allocated & 1) && offer.monitor_id >= 128) return Error::BadValue;

  Channel* primary = nullptr;
  bool duplicate = false;
  bool reattached = false;
  channels_.for_each([&](Channel& channel) {
    if (channel.rescinded_ || channel.released_ || channel.offer_.instance_id != offer.instance_id)
      return;
    if (channel.offer_.class_id != offer.class_id) {  // the instance alone names a device
      duplicate = true;
      return;
    }
    if (channel.state_ == Channel::State::Suspended && offer.sub_channel_index == 0) {
      reattach(channel, offer);
      reattached = true;
      return;
    }
    if (channel.sub_index() == offer.sub_channel_index) duplicate = true;
    if (channel.sub_index() == 0) primary = &channel;
  });
  if (reattached) return {};
  if (duplicate && !HV_MUTANT(9)) return Error::BadId;
  if (offer.sub_channel_index != 0 && !primary) return Error::BadId;

  Channel* channel = free_channels_.pop_front();
  if (!channel) return Error::NoMemory;
  channel->offer_ = offer;
  channel->state_ = Channel::State::Offered;
  channel->primary_ = offer.sub_channel_index ? primary : nullptr;
  channel->target_vp_ = 0;
  relids_[offer.channel_id] = channel;
  channels_.push_back(*channel);
  channel_count_++;
  offer_or_hold(*channel);
  return {};
}

/// After resume: the host offers again what we have kept. Its relid and connection id may be others
/// now.
void Connection::reattach(Channel& channel, const wire::OfferChannel& offer) {
  if (HV_MUTANT(15)) {
    channel.state_ = Channel::State::Offered;
    return;
  }
  channel.offer_ = offer;
  channel.state_ = Channel::State::Offered;
  relids_[offer.channel_id] = &channel;
  channel.tell_reattached_ = true;
  enqueue(channel);
}

Result<void> Connection::on_rescind(uint32_t relid) {
  if (state_ != State::Connected) return Error::BadState;
  if (relid == 0 || relid >= wire::kMaxChannels) return Error::BadId;
  Channel* channel = relids_[relid];
  if (!channel) {
    if (!refused_.test(relid)) return Error::BadId;
    refused_.clear(relid);
    release_pending_.set(relid);
    return {};
  }
  if (channel->rescinded_ && !HV_MUTANT(8)) return Error::BadState;
  rescind(*channel);
  return {};
}

Result<void> Connection::on_offers_delivered() {
  if (state_ != State::Connected || !offers_wanted_) return Error::BadState;
  offers_complete_ = true;
  finish(offers_request_, true);
  if (resuming_) {
    end_resume();
    finish(connect_request_, true);
  }
  return {};
}

Result<void> Connection::on_open_result(const wire::OpenChannelResult& result) {
  Channel* channel = this->channel(result.channel_id);
  if (!channel) return Error::BadId;
  if (channel->rescinded_)
    return {};  // crossed the rescind: a CloseChannel follows the OpenChannel
  const bool awaited =
      channel->state_ == Channel::State::Opening || channel->state_ == Channel::State::OpenLost;
  if (!awaited || channel->post_open_.linked()) return Error::BadState;
  if (result.open_id != channel->open_id_) return Error::BadId;
  const bool opened = result.status == wire::kStatusSuccess;
  if (channel->state_ == Channel::State::OpenLost) {
    if (HV_MUTANT(6)) finish(channel->open_request_, opened);
    open_late(*channel, opened);
    return {};
  }
  if (opened) {
    channel->state_ = Channel::State::Open;
    finish(channel->open_request_, true);
  } else {
    channel->state_ = Channel::State::Offered;
    ring_done(*channel);
    finish(channel->open_request_, false, Error::Refused, result.status);
  }
  return {};
}

/// Nobody waits for it any more: what the host has opened is closed at once, and the channel can be
/// used again.
void Connection::open_late(Channel& channel, bool succeeded) {
  channel.state_ = Channel::State::Offered;
  if (succeeded) posts_.push_back(channel.post_close_);
  ring_done(channel);
  free_if_released(channel);
}

Result<void> Connection::on_gpadl_created(const wire::GpadlCreated& created) {
  Gpadl* gpadl = find_gpadl(created.gpadl_id);
  if (!gpadl || gpadl->relid_ != created.channel_id) return Error::BadId;
  const bool complete = gpadl->posted_all() && !gpadl->post_.linked();
  const bool refused = created.status != wire::kStatusSuccess;
  switch (gpadl->state_) {
    case Gpadl::State::Creating:
      // A success before it has seen all of the pages is a lie; a failure may come early.
      if (!gpadl->header_posted_ && !is_in_flight(gpadl->post_)) return Error::BadState;
      if (!refused && !complete) return Error::BadState;
      break;
    case Gpadl::State::Lost:
      if (!gpadl->answer_due_) return Error::BadState;
      break;
    case Gpadl::State::Dead:
    case Gpadl::State::Live:
    case Gpadl::State::TearingDown:
      return Error::BadState;
  }
  gpadl->answer_due_ = false;
  gpadl->frames_ = {};
  if (refused) {
    Request* waiter = gpadl->request_;
    gpadl->request_ = nullptr;
    gpadl_let_go(*gpadl);
    finish(waiter, false, Error::Refused, created.status);
  } else if (gpadl->state_ == Gpadl::State::Lost) {
    if (state_ == State::Connected) queue_teardown(*gpadl);
  } else {
    gpadl->state_ = Gpadl::State::Live;
    finish(gpadl->request_, true);
  }
  return {};
}

Result<void> Connection::on_gpadl_torndown(uint32_t id) {
  Gpadl* gpadl = find_gpadl(id);
  if (!gpadl) return Error::BadId;
  if (gpadl->state_ != Gpadl::State::TearingDown || gpadl->post_.linked()) return Error::BadState;
  Request* waiter = gpadl->request_;
  gpadl->request_ = nullptr;
  gpadl_let_go(*gpadl);
  finish(waiter, true);
  return {};
}

Result<void> Connection::on_modify_response(const wire::ModifyChannelResponse& response) {
  Channel* channel = this->channel(response.channel_id);
  if (!channel) return Error::BadId;
  if (channel->rescinded_) return {};
  if (!channel->modify_unanswered_ || channel->post_modify_.linked()) return Error::BadState;
  channel->modify_unanswered_ = false;
  if (response.status == wire::kStatusSuccess) {
    channel->target_vp_ = channel->wanted_vp_;
    finish(channel->modify_request_, true);
  } else {
    finish(channel->modify_request_, false, Error::Refused, response.status);
  }
  return {};
}

Result<void> Connection::on_unload_response() {
  if (state_ != State::Unloading || post_unload_.linked()) return Error::BadState;
  disconnected(true);
  finish(unload_request_, true);
  return {};
}

}  // namespace hv::vmbus
