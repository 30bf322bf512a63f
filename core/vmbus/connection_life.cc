// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/mutant.hpp"
#include "core/vmbus/connection.hpp"

// How channels, GPADLs and the connection itself end.
namespace hv::vmbus {

namespace wire = hv::wire::vmbus;

int Connection::Bitmap::first() const {
  for (size_t i = 0; i < words.size(); i++) {
    if (words[i]) return static_cast<int>(i * 64) + __builtin_ctzll(words[i]);
  }
  return -1;
}

Gpadl* Connection::find_gpadl(uint32_t id) const {
  Gpadl* found = nullptr;
  gpadls_.for_each([&](Gpadl& gpadl) {
    if (gpadl.id_ == id) found = &gpadl;
  });
  return found;
}

bool Connection::has_sub_channels(const Channel& primary) const {
  bool any = false;
  channels_.for_each(
      [&](Channel& channel) { any = any || (channel.primary_ == &primary && !channel.released_); });
  return any;
}

Result<void> Connection::start_contact() {
  if (config_.isolated && trying_ < wire::Version::V5_2) return Error::NotSupported;
  state_ = State::Contacting;
  posts_.push_back(post_contact_);
  return {};
}

/// The connection ends: whoever waits is told that what it waits for is gone.
void Connection::end_with_gone(Request& request) {
  Request* waiter = &request;
  switch (request.kind_) {
    case RequestKind::None:
    case RequestKind::Unload:
      return;
    case RequestKind::Connect:
    case RequestKind::Resume:
      connect_request_ = nullptr;
      resuming_ = false;
      break;
    case RequestKind::Offers:
      offers_request_ = nullptr;
      break;
    case RequestKind::Open:
      request.channel_->open_request_ = nullptr;
      break;
    case RequestKind::Modify:
      request.channel_->modify_request_ = nullptr;
      break;
    case RequestKind::CreateGpadl: {
      Gpadl& gpadl = *request.gpadl_;
      gpadl.request_ = nullptr;
      if (gpadl.header_posted_ || is_in_flight(gpadl.post_)) {
        gpadl_lost(gpadl);
      } else {
        gpadl_dead(gpadl);
      }
      break;
    }
    case RequestKind::TeardownGpadl:
      request.gpadl_->request_ = nullptr;
      gpadl_lost(*request.gpadl_);
      break;
  }
  finish(waiter, false, Error::Gone);
}

// --- GPADLs ---

/// Out of the list, and nothing else leaves any list by it: what walks the GPADLs may call it for
/// the one it is at.
void Connection::gpadl_dead(Gpadl& gpadl) {
  withdraw(gpadl.post_);
  static_cast<TableLink&>(gpadl).unlink();
  gpadl.state_ = Gpadl::State::Dead;
  gpadl.channel_ = nullptr;
  gpadl.ring_ = gpadl.teardown_wanted_ = false;
  gpadl_count_--;
  if (gpadl.orphan_) {
    gpadl.orphan_ = false;
    enqueue(gpadl);
  }
}

/// The host has let go of this one: a channel that only waited for it ends too, and takes with it
/// what else the host has of it.
void Connection::gpadl_let_go(Gpadl& gpadl) {
  Channel* channel = gpadl.channel_;
  gpadl_dead(gpadl);
  if (channel) free_if_released(*channel);
}

void Connection::gpadl_lost(Gpadl& gpadl) {
  if (HV_MUTANT(18)) {
    // The bug: after a failure the memory is taken to be free, whatever the host does with it.
    gpadl_dead(gpadl);
    return;
  }
  gpadl.state_ = Gpadl::State::Lost;
  gpadl.orphan_ = true;
  gpadl.frames_ = {};
}

/// The host had its time to answer for what it has under this relid.
void Connection::gpadls_of_relid_dead(uint32_t relid) {
  gpadls_.for_each([&](Gpadl& gpadl) {
    if (relid == 0 || gpadl.relid_ != relid) return;
    finish(gpadl.request_, gpadl.state_ == Gpadl::State::TearingDown, Error::Gone);
    gpadl_dead(gpadl);
  });
}

/// What is waited for from here on may never be answered.
void Connection::limit_teardowns(const Channel& channel) {
  gpadls_.for_each([&](Gpadl& gpadl) {
    if (gpadl.channel_ != &channel || !gpadl.request_) return;
    if (gpadl.state_ == Gpadl::State::Creating) {
      end_with_gone(*gpadl.request_);
    } else if (gpadl.request_->deadline_ > now_ + limits_.rescinded_gpadl) {
      gpadl.request_->deadline_ = now_ + limits_.rescinded_gpadl;
    }
  });
}

void Connection::queue_teardown(Gpadl& gpadl) {
  gpadl.state_ = Gpadl::State::TearingDown;
  if (!gpadl.post_.linked()) posts_.push_back(gpadl.post_);
}

/// The host does not use the channel's ring any more, or has been told to stop in a message before
/// any other.
void Connection::ring_done(Channel& channel) {
  Gpadl* ring = channel.ring_;
  channel.ring_ = nullptr;
  if (!ring) return;
  ring->ring_ = false;
  if (ring->teardown_wanted_) {
    ring->teardown_wanted_ = false;
    queue_teardown(*ring);
  }
}

// --- Channels ---

void Connection::offer_or_hold(Channel& channel) {
  bool wait = channel.primary_ && channel.primary_->held_back_;
  channels_.for_each([&](Channel& other) {
    if (&other != &channel && other.rescinded_ && other.announced_ &&
        other.offer_.instance_id == channel.offer_.instance_id &&
        other.sub_index() == channel.sub_index()) {
      wait = true;
    }
  });
  channel.held_back_ = wait;
  if (wait) return;
  channel.tell_offered_ = true;
  enqueue(channel);
}

void Connection::wake_held_back() {
  channels_.for_each([&](Channel& channel) {
    if (channel.held_back_) offer_or_hold(channel);
  });
}

void Connection::rescind(Channel& channel) {
  channel.rescinded_ = true;
  withdraw(channel.post_modify_);
  channel.modify_unanswered_ = false;
  if (channel.state_ == Channel::State::Opening || channel.state_ == Channel::State::OpenLost) {
    // Sent already, it may be opened all the same.
    const bool sent = !channel.post_open_.linked();
    withdraw(channel.post_open_);
    channel.state_ = Channel::State::Offered;
    if (sent) posts_.push_back(channel.post_close_);
    ring_done(channel);
  }
  finish(channel.open_request_, false, Error::Gone);
  finish(channel.modify_request_, false, Error::Gone);
  limit_teardowns(channel);
  if (channel.released_) {
    free_if_released(channel);  // the port has let go of it already
    return;
  }
  if (channel.announced_) {
    channel.tell_rescinded_ = true;
    enqueue(channel);
    return;
  }
  // The port never heard of it, nor of its sub-channels, whose events come behind its own.
  channels_.for_each([&](Channel& sub) {
    if (sub.primary_ != &channel) return;
    if (!sub.rescinded_) refused_.set(sub.relid());
    free_channel(sub);
  });
  free_channel(channel);
}

Result<void> Connection::release(Channel& channel) {
  if (channel.state_ == Channel::State::Unused || channel.released_) return Error::BadState;
  if (channel.state_ == Channel::State::Opening || channel.state_ == Channel::State::Open)
    return Error::BadState;
  if (has_sub_channels(channel)) return Error::BadState;
  bool busy = false;
  gpadls_.for_each([&](Gpadl& gpadl) {
    if (gpadl.channel_ == &channel) busy = busy || gpadl.request_;
  });
  if (busy) return Error::BadState;
  channel.released_ = true;
  channel.tell_rescinded_ = channel.tell_reattached_ = false;
  channel.release_by_ = now_ + limits_.rescinded_gpadl;
  channel.release_graced_ = false;
  free_if_released(channel);
  return {};
}

/// Answers that may still come, each of which says that the host has let go of something.
bool Connection::answers_due(uint32_t relid) const {
  bool any = false;
  gpadls_.for_each([&](Gpadl& gpadl) {
    if (gpadl.relid_ == relid && relid != 0)
      any = any || gpadl.answer_due_ || gpadl.state_ == Gpadl::State::TearingDown;
  });
  return any;
}

/// Once nothing is left to say of it: RelIdReleased ends everything that the host has under this
/// relid.
void Connection::free_if_released(Channel& channel) {
  if (!channel.released_ || channel.post_close_.linked() ||
      channel.state_ == Channel::State::OpenLost)
    return;
  if (channel.rescinded_ && answers_due(channel.relid())) return;
  gpadls_.for_each([&](Gpadl& gpadl) {
    if (gpadl.channel_ == &channel) gpadl.channel_ = nullptr;
  });
  if (channel.rescinded_) {
    gpadls_of_relid_dead(channel.relid());
  } else if (channel.relid() && state_ == State::Connected) {
    refused_.set(channel.relid());
  }
  free_channel(channel);
}

/// Out of every table; the relid of a rescinded one goes back to the host.
void Connection::free_channel(Channel& channel) {
  const uint32_t relid = channel.relid();
  if (relid && relids_[relid] == &channel) {
    relids_[relid] = nullptr;
    if (channel.rescinded_ && state_ == State::Connected) release_pending_.set(relid);
  }
  withdraw(channel.post_open_);
  withdraw(channel.post_close_);
  withdraw(channel.post_modify_);
  static_cast<TableLink&>(channel).unlink();
  channel.state_ = Channel::State::Unused;
  channel.rescinded_ = channel.announced_ = channel.released_ = channel.held_back_ = false;
  channel.tell_offered_ = channel.tell_rescinded_ = channel.tell_reattached_ = false;
  channel.primary_ = nullptr;
  channels_.for_each([&](Channel& sub) {
    if (sub.primary_ == &channel) sub.primary_ = nullptr;  // released, and waiting for the host
  });
  channel_count_--;
  channel.tell_freed_ = true;
  enqueue(channel);
  wake_held_back();
}

// --- The connection ---

/// Nothing is said to the host any more. `answered`: it has let go of everything.
void Connection::disconnected(bool answered) {
  withdraw(post_unload_);
  while (posts_.pop_front()) {
  }
  in_flight_ = nullptr;
  releasing_relid_ = -1;
  state_ = State::Disconnected;
  unload_makes_sense_.store(false, std::memory_order_release);
  offers_wanted_ = resuming_ = false;
  service_count_ = 0;
  refused_.clear_all();
  release_pending_.clear_all();
  relids_ = {};
  gpadls_.for_each([&](Gpadl& gpadl) {
    finish(gpadl.request_, false, Error::Gone);
    if (answered) {
      gpadl_dead(gpadl);
    } else {
      gpadl_lost(gpadl);
      gpadl.channel_ = nullptr;
    }
  });
  // Sub-channels stand behind their primaries in the list: those go first.
  for (int subs = 1; subs >= 0; subs--) {
    channels_.for_each([&](Channel& channel) {
      if ((channel.primary_ != nullptr) != (subs == 1)) return;
      channel.offer_.channel_id = 0;
      channel.ring_ = nullptr;
      channel.modify_unanswered_ = false;
      channel.state_ = Channel::State::Offered;
      const bool hvsocket = channel.offer_.flags & wire::kOfferTlnpiProvider;
      if (!keep_ || !channel.announced_ || channel.released_) {
        free_channel(channel);
      } else if (!channel.rescinded_ && !subs && !hvsocket) {
        channel.state_ = Channel::State::Suspended;
      } else if (!channel.rescinded_) {
        rescind(channel);
      }
    });
  }
}

/// All that the host offers again has been offered: what is missing is gone.
void Connection::end_resume() {
  resuming_ = false;
  channels_.for_each([&](Channel& channel) {
    if (channel.state_ != Channel::State::Suspended || HV_MUTANT(15)) return;
    channel.state_ = Channel::State::Offered;
    rescind(channel);
  });
}

}  // namespace hv::vmbus
