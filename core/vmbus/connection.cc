// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/vmbus/connection.hpp"

#include "core/base/mutant.hpp"

// What the operating system asks for, and time limits. What the host says is in
// connection_messages.cc, what is said to it in connection_post.cc, what the port is told in
// connection_events.cc, how objects end in connection_life.cc.
namespace hv::vmbus {

namespace wire = hv::wire::vmbus;
using hv::wire::Sender;

namespace {
constexpr uint32_t kPage = 4096;
/// The 16-bit length of all ranges in a GPADL header: one range header and 8 bytes a page.
constexpr size_t kMaxGpadlFrames = (0xffff - 8) / 8;
}  // namespace

void Connection::begin(Request& request, RequestKind kind, Time now, Time limit) {
  request.kind_ = kind;
  request.done_ = false;
  request.ok_ = false;
  request.host_status_ = 0;
  request.channel_ = nullptr;
  request.gpadl_ = nullptr;
  now_ = now;
  request.deadline_ = now + limit;
  request.graced_ = false;
  requests_.push_back(request);
}

void Connection::finish(Request*& waiter, bool ok, Error error, uint32_t status) {
  if (!waiter) return;
  Request& request = *waiter;
  waiter = nullptr;
  static_cast<TableLink&>(request).unlink();
  request.done_ = true;
  request.ok_ = ok;
  request.error_ = error;
  request.host_status_ = status;
  enqueue(request);
}

void Connection::enqueue(EventLink& link) {
  if (!link.linked()) events_.push_back(link);
}

Time Connection::next_deadline() const {
  Time first = ~Time{0};
  requests_.for_each(
      [&](Request& request) { first = request.deadline_ < first ? request.deadline_ : first; });
  channels_.for_each([&](Channel& channel) {
    if (channel.released_ && channel.rescinded_ && channel.release_by_ < first &&
        answers_due(channel.relid()))
      first = channel.release_by_;
  });
  return first;
}

/// Whether a wait has come to its limit. Behind a pause over the limit it has not: the answer may
/// be there, and nobody had the time to take it. A pause that ends within `late` of the limit is
/// not told from a port that looks a little late.
bool Connection::is_over(Time& limit, bool& graced) const {
  if (limit > now_) return false;
  if (graced || now_ - limit <= limits_.late) return true;
  graced = true;
  limit = now_ < ~Time{0} - limits_.grace ? now_ + limits_.grace : ~Time{0};
  return false;
}

void Connection::expire(Time now) {
  now_ = now;
  channels_.for_each([&](Channel& channel) {
    if (!channel.released_ || !channel.rescinded_) return;
    if (!is_over(channel.release_by_, channel.release_graced_)) return;
    gpadls_of_relid_dead(channel.relid());
    free_if_released(channel);
  });
  // Giving one up may end others: start again each time. At most as many rounds as there are
  // requests.
  for (;;) {
    Request* due = nullptr;
    requests_.for_each([&](Request& request) {
      if (!due && is_over(request.deadline_, request.graced_)) due = &request;
    });
    if (!due) return;
    give_up(*due);
  }
}

Result<void> Connection::abandon(Request& request) {
  if (!request.waiting()) return Error::BadState;
  if (!request.done_) give_up(request);
  static_cast<EventLink&>(request).unlink();
  request.kind_ = RequestKind::None;
  if (request.ok_) return {};
  return request.error_;
}

/// Nobody waits any longer. What it was about goes on without a waiter, so that a late answer is
/// understood.
void Connection::give_up(Request& request) {
  Request* waiter = &request;
  switch (request.kind_) {
    case RequestKind::None:
      return;
    case RequestKind::Connect:
    case RequestKind::Resume:
      if (state_ == State::Contacting) {
        withdraw(post_contact_);
        state_ = State::Disconnected;
        resuming_ = false;
      } else if (request.kind_ == RequestKind::Resume) {
        end_resume();
      }
      connect_request_ = nullptr;
      break;
    case RequestKind::Offers:
      offers_request_ = nullptr;
      break;
    case RequestKind::Unload:
      unload_request_ = nullptr;
      disconnected(false);
      break;
    case RequestKind::Open: {
      Channel& channel = *request.channel_;
      if (channel.post_open_.linked()) {
        withdraw(channel.post_open_);
        channel.state_ = Channel::State::Offered;
        ring_done(channel);
      } else {
        channel.state_ = Channel::State::OpenLost;
      }
      if (!HV_MUTANT(6)) channel.open_request_ = nullptr;
      break;
    }
    case RequestKind::Modify: {
      Channel& channel = *request.channel_;
      if (channel.post_modify_.linked()) {
        withdraw(channel.post_modify_);
        channel.modify_unanswered_ = false;
      }
      channel.modify_request_ = nullptr;
      break;
    }
    case RequestKind::CreateGpadl: {
      Gpadl& gpadl = *request.gpadl_;
      gpadl.request_ = nullptr;
      const bool unsent = !gpadl.header_posted_ && !is_in_flight(gpadl.post_);
      withdraw(gpadl.post_);
      if (unsent) {
        gpadl_let_go(gpadl);
      } else {
        gpadl_lost(gpadl);
      }
      break;
    }
    case RequestKind::TeardownGpadl:
      // The teardown stays queued or unanswered: the host lets go in the end. With a rescind it has
      // said so already.
      request.gpadl_->request_ = nullptr;
      if (request.gpadl_->channel_ && request.gpadl_->channel_->rescinded_) {
        gpadl_let_go(*request.gpadl_);
      } else {
        request.gpadl_->orphan_ = true;
      }
      break;
  }
  finish(waiter, false, Error::TimedOut);
}

// --- Storage ---

void Connection::donate(Channel& channel) {
  if (!static_cast<TableLink&>(channel).linked()) free_channels_.push_back(channel);
}

Channel* Connection::reclaim() { return free_channels_.pop_front(); }

// --- Calls ---

Result<void> Connection::connect(Request& request, Time now) {
  if (request.waiting() || state_ != State::Disconnected) return Error::BadState;
  trying_ = config_.max_version;
  HV_TRY(start_contact());
  begin(request, RequestKind::Connect, now, limits_.contact);
  connect_request_ = &request;
  return {};
}

Result<void> Connection::resume(Request& request, Time now) {
  if (request.waiting() || state_ != State::Disconnected || version_ == wire::Version{})
    return Error::BadState;
  trying_ = version_;
  HV_TRY(start_contact());
  resuming_ = true;
  begin(request, RequestKind::Resume, now, limits_.contact + limits_.offers);
  connect_request_ = &request;
  return {};
}

Result<void> Connection::request_offers(Request& request, Time now) {
  if (request.waiting() || state_ != State::Connected || offers_wanted_ || post_offers_.linked())
    return Error::BadState;
  begin(request, RequestKind::Offers, now, limits_.offers);
  offers_request_ = &request;
  posts_.push_back(post_offers_);
  return {};
}

Result<void> Connection::create_gpadl(Channel& channel, Gpadl& gpadl,
                                      std::span<const uint64_t> frames, uint32_t byte_count,
                                      uint32_t byte_offset, Request& request, Time now) {
  if (channel.rescinded_) return Error::Gone;
  if (state_ != State::Connected || channel.state_ == Channel::State::Unused || channel.released_)
    return Error::BadState;
  if (gpadl.state_ != Gpadl::State::Dead || static_cast<EventLink&>(gpadl).linked() ||
      request.waiting())
    return Error::BadState;
  const uint64_t pages = (uint64_t{byte_offset} + byte_count + kPage - 1) / kPage;
  if (byte_count == 0 || byte_offset >= kPage || frames.size() != pages || pages > kMaxGpadlFrames)
    return Error::BadLength;

  do {
    gpadl.id_ = next_gpadl_id_++;
  } while (gpadl.id_ == 0 || find_gpadl(gpadl.id_));
  gpadl.state_ = Gpadl::State::Creating;
  gpadl.orphan_ = gpadl.ring_ = gpadl.teardown_wanted_ = gpadl.header_posted_ = gpadl.answer_due_ =
      false;
  gpadl.relid_ = channel.relid();
  gpadl.channel_ = &channel;
  gpadl.frames_ = frames;
  gpadl.frame_count_ = static_cast<uint32_t>(frames.size());
  gpadl.byte_count_ = byte_count;
  gpadl.byte_offset_ = byte_offset;
  gpadl.posted_frames_ = 0;
  gpadls_.push_back(gpadl);
  gpadl_count_++;
  begin(request, RequestKind::CreateGpadl, now, limits_.gpadl);
  request.gpadl_ = &gpadl;
  gpadl.request_ = &request;
  posts_.push_back(gpadl.post_);
  return {};
}

Result<void> Connection::teardown_gpadl(Gpadl& gpadl, Request* request, Time now) {
  if (request && request->waiting()) return Error::BadState;
  switch (gpadl.state_) {
    case Gpadl::State::Dead:
      if (request) {
        begin(*request, RequestKind::TeardownGpadl, now, limits_.gpadl);
        finish(request, true);
      } else if (!static_cast<EventLink&>(gpadl).linked()) {
        enqueue(gpadl);
      }
      return {};
    case Gpadl::State::Live:
      break;
    case Gpadl::State::Creating:
    case Gpadl::State::TearingDown:
    case Gpadl::State::Lost:
      return Error::BadState;
  }
  if (gpadl.ring_) {
    // Nobody knows whether the host has the channel open: it is torn down when the late answer has
    // been dealt with.
    if (!gpadl.channel_ || gpadl.channel_->state_ != Channel::State::OpenLost)
      return Error::BadState;
    gpadl.orphan_ = gpadl.teardown_wanted_ = true;
    if (request) {
      begin(*request, RequestKind::TeardownGpadl, now, limits_.gpadl);
      finish(request, false, Error::TimedOut);
    }
    return {};
  }
  if (state_ != State::Connected) return Error::BadState;
  if (request) {
    const bool rescinded = gpadl.channel_ && gpadl.channel_->rescinded_;
    begin(*request, RequestKind::TeardownGpadl, now,
          rescinded ? limits_.rescinded_gpadl : limits_.gpadl);
    request->gpadl_ = &gpadl;
    gpadl.request_ = request;
  } else {
    gpadl.orphan_ = true;
  }
  queue_teardown(gpadl);
  return {};
}

bool Connection::take_back(Gpadl& gpadl) {
  if (gpadl.state_ != Gpadl::State::Dead) return false;
  static_cast<EventLink&>(gpadl).unlink();
  return true;
}

Result<void> Connection::open(Channel& channel, Gpadl& ring, uint32_t downstream_pages,
                              uint32_t target_vp, std::span<const std::byte> user_data,
                              Request& request, Time now) {
  if (channel.rescinded_) return Error::Gone;
  if (state_ != State::Connected || channel.state_ != Channel::State::Offered || channel.released_)
    return Error::BadState;
  if (request.waiting() || ring.state_ != Gpadl::State::Live || ring.channel_ != &channel ||
      ring.ring_)
    return Error::BadState;
  if (downstream_pages == 0 || downstream_pages >= ring.frames_total()) return Error::BadLength;
  if (user_data.size() > sizeof(wire::OpenChannel::user_data)) return Error::BadLength;

  channel.state_ = Channel::State::Opening;
  do {
    channel.open_id_ = next_open_id_++;
  } while (channel.open_id_ == 0);
  channel.downstream_pages_ = downstream_pages;
  channel.target_vp_ = channel.wanted_vp_ =
      target_vp;  // whatever an answer from before the last close says
  channel.open_user_data_ = user_data;
  channel.ring_ = &ring;
  ring.ring_ = true;
  begin(request, RequestKind::Open, now, limits_.open);
  request.channel_ = &channel;
  channel.open_request_ = &request;
  posts_.push_back(channel.post_open_);
  return {};
}

Result<void> Connection::close(Channel& channel) {
  if (state_ != State::Connected || channel.state_ != Channel::State::Open) return Error::BadState;
  if (channel.post_modify_.linked()) {
    withdraw(channel.post_modify_);
    channel.modify_unanswered_ = false;
  }
  finish(channel.modify_request_, false, Error::Gone);  // an answer may be on its way all the same
  channel.state_ = Channel::State::Offered;
  posts_.push_back(channel.post_close_);
  ring_done(channel);
  return {};
}

Result<void> Connection::modify(Channel& channel, uint32_t target_vp, Request& request, Time now) {
  if (channel.rescinded_) return Error::Gone;
  if (state_ != State::Connected || channel.state_ != Channel::State::Open || request.waiting())
    return Error::BadState;
  if (!knows(Sender::Guest, MessageType::ModifyChannel)) return Error::NotSupported;
  if (channel.modify_unanswered_) return Error::BadState;
  channel.wanted_vp_ = target_vp;
  channel.modify_unanswered_ = true;
  begin(request, RequestKind::Modify, now, limits_.modify);
  request.channel_ = &channel;
  channel.modify_request_ = &request;
  posts_.push_back(channel.post_modify_);
  return {};
}

Result<void> Connection::connect_service(const Guid& endpoint, const Guid& service) {
  if (state_ != State::Connected) return Error::BadState;
  if (!knows(Sender::Guest, MessageType::TlConnectRequest)) return Error::NotSupported;
  if (service_count_ == services_.size()) return Error::Exhausted;
  services_[service_count_++] = {endpoint, service};
  if (!post_service_.linked() && !is_in_flight(post_service_)) posts_.push_back(post_service_);
  return {};
}

Result<void> Connection::unload(bool keep, Request& request, Time now) {
  if (request.waiting() || state_ == State::Unloading || state_ == State::Crashed)
    return Error::BadState;
  keep_ = keep;
  begin(request, RequestKind::Unload, now, limits_.unload);
  unload_request_ = &request;
  // All other waits end here. Their GPADLs stay with the host until it has answered.
  requests_.for_each([&](Request& other) {
    if (&other != &request) end_with_gone(other);
  });
  while (posts_.pop_front()) {
  }
  in_flight_ = nullptr;
  service_count_ = 0;
  offers_wanted_ = false;
  // What the port has not heard of yet, it need not hear of now.
  channels_.for_each([](Channel& channel) { channel.tell_offered_ = false; });
  if (state_ == State::Disconnected || (state_ == State::Connected && !knows_unload())) {
    disconnected(false);
    finish(unload_request_, true);
    return {};
  }
  state_ = State::Unloading;
  posts_.push_back(post_unload_);
  return {};
}

}  // namespace hv::vmbus
