// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/bytes.hpp"
#include "core/base/mutant.hpp"
#include "core/vmbus/connection.hpp"
#include "core/wire/ring.hpp"

// What is said to the host: one message at a time, each written when it is posted, from the state
// as it is then.
namespace hv::vmbus {

namespace wire = hv::wire::vmbus;
using hv::wire::Sender;

namespace {

/// Begins `post` with a header. Every byte of it is written: nothing of ours that is not meant for
/// the host reaches it.
ByteWriter start(Post& post, wire::MessageType type) {
  ByteWriter writer(post.bytes);
  const wire::MessageHeader header{type, 0};
  if (HV_MUTANT(20)) {
    (void)writer.put(type);
    return ByteWriter(std::span(post.bytes).subspan(sizeof(header)));
  }
  (void)writer.put(header);
  return ByteWriter(std::span(post.bytes).subspan(sizeof(header)));
}

void end(Post& post, const ByteWriter& writer) {
  post.size = static_cast<uint32_t>(sizeof(wire::MessageHeader) + writer.size());
}

template <typename T>
void whole(Post& post, wire::MessageType type, const T& payload) {
  ByteWriter writer = start(post, type);
  (void)writer.put(payload);
  end(post, writer);
}

void empty(Post& post, wire::MessageType type) { end(post, start(post, type)); }

}  // namespace

/// Takes a message back that was queued; one that is being posted is forgotten, `posted` then
/// concerns nobody.
void Connection::withdraw(PostLink& link) {
  link.unlink();
  if (in_flight_ == &link) in_flight_ = nullptr;
}

bool Connection::next_post(Post& post) {
  if (posting_ || crashed_.load(std::memory_order_relaxed)) return false;
  post.connection_id = connection_id_;
  while (PostLink* link = posts_.pop_front()) {
    if (!fill(*link, post)) continue;
    if (const auto allowed = check(post); !allowed) {
      post_failed(*link, allowed.error());
      continue;
    }
    in_flight_ = link;
    posting_ = true;
    return true;
  }
  const int relid = release_pending_.first();
  if (relid < 0 || state_ != State::Connected) return false;
  release_pending_.clear(static_cast<uint32_t>(relid));
  whole(post, MessageType::RelIdReleased, wire::ChannelId{static_cast<uint32_t>(relid)});
  if (!check(post)) return false;
  releasing_relid_ = relid;
  posting_ = true;
  return true;
}

/// Every message passes here on its way to the host. Errors: NotSupported (this version does not
/// have it).
Result<void> Connection::check(const Post& post) const {
  ByteReader reader(post.payload());
  const auto header = HV_TRY(reader.take<wire::MessageHeader>());
  return check_message(wire::kMessages, Sender::Guest, header.type, reader.remaining(), trying_);
}

bool Connection::fill(PostLink& link, Post& post) {
  switch (link.what) {
    case PostLink::What::Contact: {
      const bool told_sint = trying_ >= wire::Version::V5_0;
      connection_id_ = told_sint ? wire::kMessageConnectionIdWin10 : wire::kMessageConnectionId;
      post.connection_id = connection_id_;
      wire::InitiateContact contact{};
      contact.version = trying_;
      contact.target_vp = config_.message_vp;
      contact.interrupt_page = told_sint ? wire::kMessageSint | uint64_t{config_.message_vtl} << 8
                                         : config_.interrupt_page;
      contact.monitor_page1 = config_.monitor_page1;
      contact.monitor_page2 = config_.monitor_page2;
      whole(post, MessageType::InitiateContact, contact);
      return true;
    }
    case PostLink::What::RequestOffers:
      empty(post, MessageType::RequestOffers);
      offers_wanted_ = true;
      return true;
    case PostLink::What::Unload:
      empty(post, MessageType::Unload);
      return true;
    case PostLink::What::Open: {
      Channel& channel = static_cast<Channel::Posting&>(link).channel;
      wire::OpenChannel open{};
      open.channel_id = channel.relid();
      open.open_id = channel.open_id_;
      open.gpadl_id = channel.ring_->id_;
      open.target_vp = channel.target_vp_;
      open.downstream_offset = channel.downstream_pages_;
      if (!channel.open_user_data_.empty()) {
        __builtin_memcpy(open.user_data.data(), channel.open_user_data_.data(),
                         channel.open_user_data_.size());
      }
      whole(post, MessageType::OpenChannel, open);
      return true;
    }
    case PostLink::What::Close:
      whole(post, MessageType::CloseChannel,
            wire::ChannelId{static_cast<Channel::Posting&>(link).channel.relid()});
      return true;
    case PostLink::What::Modify: {
      Channel& channel = static_cast<Channel::Posting&>(link).channel;
      whole(post, MessageType::ModifyChannel,
            wire::ModifyChannel{channel.relid(), channel.wanted_vp_});
      return true;
    }
    case PostLink::What::Gpadl:
      return fill_gpadl(static_cast<Gpadl::Posting&>(link).gpadl, post);
    case PostLink::What::TlConnect: {
      if (service_count_ == 0) return false;
      whole(post, MessageType::TlConnectRequest, services_[0]);
      for (size_t i = 1; i < service_count_; i++) services_[i - 1] = services_[i];
      service_count_--;
      return true;
    }
  }
  return false;
}

bool Connection::fill_gpadl(Gpadl& gpadl, Post& post) {
  if (gpadl.state_ == Gpadl::State::TearingDown) {
    whole(post, MessageType::GpadlTeardown, wire::GpadlTeardown{gpadl.relid_, gpadl.id_});
    return true;
  }
  if (gpadl.state_ != Gpadl::State::Creating) return false;
  const bool first = !gpadl.header_posted_;
  ByteWriter writer = start(post, first ? MessageType::GpadlHeader : MessageType::GpadlBody);
  if (first) {
    const size_t range_bytes =
        sizeof(hv::wire::GpaRangeHeader) + gpadl.frames_.size() * sizeof(uint64_t);
    (void)writer.put(
        wire::GpadlHeader{gpadl.relid_, gpadl.id_, static_cast<uint16_t>(range_bytes), 1});
    (void)writer.put(hv::wire::GpaRangeHeader{gpadl.byte_count_, gpadl.byte_offset_});
  } else {
    (void)writer.put(wire::GpadlBody{0, gpadl.id_});
  }
  while (!gpadl.posted_all() && writer.put(gpadl.frames_[gpadl.posted_frames_]).ok())
    gpadl.posted_frames_++;
  end(post, writer);
  gpadl.answer_due_ = gpadl.posted_all();
  return true;
}

void Connection::posted(bool accepted) {
  if (!posting_) return;
  posting_ = false;
  releasing_relid_ = -1;
  PostLink* link = in_flight_;
  in_flight_ = nullptr;
  // The host may have answered before its call returned, and the next message of this kind be
  // queued already: that one is as it was.
  if (!link || link->linked()) return;
  if (accepted) {
    post_succeeded(*link);
  } else {
    post_failed(*link, Error::Exhausted);
  }
}

void Connection::post_succeeded(PostLink& link) {
  switch (link.what) {
    case PostLink::What::Contact:
    case PostLink::What::RequestOffers:
    case PostLink::What::Unload:
    case PostLink::What::Open:
      return;
    case PostLink::What::Close:
      free_if_released(static_cast<Channel::Posting&>(link).channel);
      return;
    case PostLink::What::Modify: {
      Channel& channel = static_cast<Channel::Posting&>(link).channel;
      if (knows(Sender::Host, MessageType::ModifyChannelResponse) || !channel.modify_unanswered_)
        return;
      channel.modify_unanswered_ = false;
      channel.target_vp_ = channel.wanted_vp_;
      finish(channel.modify_request_, true);
      return;
    }
    case PostLink::What::Gpadl: {
      Gpadl& gpadl = static_cast<Gpadl::Posting&>(link).gpadl;
      if (gpadl.state_ != Gpadl::State::Creating) return;
      gpadl.header_posted_ = true;
      if (!gpadl.posted_all() && !gpadl.post_.linked()) posts_.push_back(gpadl.post_);
      return;
    }
    case PostLink::What::TlConnect:
      if (service_count_) posts_.push_back(link);
      return;
  }
}

void Connection::post_failed(PostLink& link, Error why) {
  switch (link.what) {
    case PostLink::What::Contact:
      if (state_ != State::Contacting) return;  // answered all the same
      // A host of before 5.0 has no port where the newer versions are proposed.
      if (trying_ >= wire::Version::V5_0 && !resuming_) {
        trying_ = wire::Version::V4_1;
        if (start_contact().ok()) return;
      }
      state_ = State::Disconnected;
      resuming_ = false;
      finish(connect_request_, false, why);
      return;
    case PostLink::What::RequestOffers:
      offers_wanted_ = false;
      finish(offers_request_, false, why);
      if (resuming_) {
        end_resume();
        finish(connect_request_, false, why);
      }
      return;
    case PostLink::What::Unload:
      if (state_ != State::Unloading) return;
      disconnected(false);
      finish(unload_request_, false, why);
      return;
    case PostLink::What::Open: {
      Channel& channel = static_cast<Channel::Posting&>(link).channel;
      if (channel.state_ != Channel::State::Opening && channel.state_ != Channel::State::OpenLost)
        return;
      channel.state_ = Channel::State::Offered;
      ring_done(channel);
      finish(channel.open_request_, false, why);
      free_if_released(channel);
      return;
    }
    case PostLink::What::Close:
      free_if_released(static_cast<Channel::Posting&>(link).channel);
      return;
    case PostLink::What::Modify: {
      Channel& channel = static_cast<Channel::Posting&>(link).channel;
      channel.modify_unanswered_ = false;
      finish(channel.modify_request_, false, why);
      return;
    }
    case PostLink::What::Gpadl: {
      Gpadl& gpadl = static_cast<Gpadl::Posting&>(link).gpadl;
      if (gpadl.state_ != Gpadl::State::Creating && gpadl.state_ != Gpadl::State::TearingDown)
        return;
      Channel* channel = gpadl.channel_;
      Request* waiter = gpadl.request_;
      gpadl.request_ = nullptr;
      if (gpadl.state_ == Gpadl::State::TearingDown) {
        // The host was not told: it still has it, and it can be asked again, unless nobody is left
        // to do so.
        gpadl.state_ = Gpadl::State::Live;
        if (gpadl.orphan_) gpadl_lost(gpadl);
      } else if (!gpadl.header_posted_) {
        gpadl_dead(gpadl);
      } else {
        gpadl.answer_due_ = false;
        gpadl_lost(gpadl);
      }
      finish(waiter, false, why);
      if (channel) free_if_released(*channel);
      return;
    }
    case PostLink::What::TlConnect:
      if (service_count_) posts_.push_back(link);
      return;
  }
}

}  // namespace hv::vmbus
