// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/intrusive.hpp"
#include "core/base/result.hpp"
#include "core/wire/vmbus.hpp"

/// The objects that a Connection works on. Their storage is the port's (embed them in its own
/// structures); what is in them is the Connection's. `owner` is the port's own and never touched.
namespace hv::vmbus {

class Connection;
class Channel;
class Gpadl;

/// Milliseconds of any clock that does not go backwards.
using Time = uint64_t;

// Which of an object's places a list uses.
struct PostLink : Link {
  enum class What : uint8_t {
    Contact,
    RequestOffers,
    Unload,
    Open,
    Close,
    Modify,
    Gpadl,
    TlConnect
  };
  explicit PostLink(What w) : what(w) {}
  const What what;  ///< which message it is that waits to be posted
};
struct EventLink : Link {
  enum class Of : uint8_t { Request, Channel, Gpadl };
  explicit EventLink(Of o) : of(o) {}
  const Of of;
};
struct TableLink : Link {};

enum class RequestKind : uint8_t {
  None,
  Connect,
  Offers,
  Resume,
  Unload,
  Open,
  Modify,
  CreateGpadl,
  TeardownGpadl
};

/// Somebody who waits for the end of one dialogue with the host. Belongs to the Connection from the
/// call it was given to until Event::RequestDone names it or `Connection::abandon` returns; then it
/// may be used again or go away.
class Request : public EventLink, public TableLink {
 public:
  explicit Request(void* port_owner = nullptr) : EventLink(Of::Request), owner(port_owner) {}
  void* owner;
  bool waiting() const { return kind_ != RequestKind::None; }
  RequestKind kind() const { return kind_; }

 private:
  friend class Connection;
  RequestKind kind_ = RequestKind::None;
  bool done_ = false;
  bool ok_ = false;
  bool graced_ = false;  ///< deadline_ was moved, as the machine had been paused
  Error error_ = Error::Gone;
  uint32_t host_status_ = 0;
  Time deadline_ = 0;
  Channel* channel_ = nullptr;
  Gpadl* gpadl_ = nullptr;
};

/// Guest pages made known to the host.
class Gpadl : public EventLink, public TableLink {
 public:
  enum class State : uint8_t {
    Dead,         ///< the host does not have it: the memory is its owner's
    Creating,     ///< header (and bodies) on their way, or the answer is awaited
    Live,         ///< the host has it
    TearingDown,  ///< the host was asked to let go
    Lost,  ///< no answer in time, or given up half sent: the host may use the memory until it says
           ///< otherwise
  };
  explicit Gpadl(void* port_owner = nullptr)
      : EventLink(Of::Gpadl), owner(port_owner), post_(*this) {}
  void* owner;
  State state() const { return state_; }
  uint32_t id() const { return id_; }
  /// The memory must not be given to anybody else. False once it is Dead.
  bool host_may_use() const { return state_ != State::Dead; }
  /// Pages that it has or had.
  uint32_t frames_total() const { return frame_count_; }

 private:
  friend class Connection;
  struct Posting : PostLink {
    explicit Posting(Gpadl& g) : PostLink(What::Gpadl), gpadl(g) {}
    Gpadl& gpadl;
  };
  State state_ = State::Dead;
  bool orphan_ = false;  ///< its owner has been told that it may be lost: it gets GpadlReleased
                         ///< when the host has let go
  bool ring_ = false;    ///< the ring of an opening or open channel
  bool teardown_wanted_ = false;
  uint32_t id_ = 0;
  uint32_t relid_ = 0;
  Channel* channel_ = nullptr;
  Request* request_ = nullptr;
  std::span<const uint64_t> frames_;
  uint32_t byte_count_ = 0;
  uint32_t byte_offset_ = 0;
  uint32_t frame_count_ = 0;
  uint32_t posted_frames_ = 0;
  bool header_posted_ = false;
  bool answer_due_ = false;  ///< the host has been given all of it and has not answered
  bool posted_all() const { return posted_frames_ == frame_count_; }
  Posting post_;
};

/// A channel that the host offers.
class Channel : public EventLink, public TableLink {
 public:
  enum class State : uint8_t {
    Unused,     ///< storage only
    Offered,    ///< ours to open
    Opening,    ///< OpenChannel queued or posted; the answer is awaited
    Open,       ///< both rings in use
    OpenLost,   ///< no answer to OpenChannel in time: the host may have it open. Only the late
                ///< answer, a rescind or unload ends this
    Suspended,  ///< unloaded with `keep`: waits to be offered again
  };
  explicit Channel(void* port_owner = nullptr) : EventLink(Of::Channel), owner(port_owner) {}
  void* owner;
  State state() const { return state_; }
  bool rescinded() const { return rescinded_; }
  /// Stays what it was while the channel lives, but for Event::ChannelReattached.
  const wire::vmbus::OfferChannel& offer() const { return offer_; }
  uint32_t relid() const { return offer_.channel_id; }
  uint16_t sub_index() const { return offer_.sub_channel_index; }
  /// The primary of a sub-channel, nullptr for a primary.
  Channel* primary() const { return primary_; }
  uint32_t target_vp() const { return target_vp_; }
  /// A ModifyChannel is unanswered: the VP it interrupted before may still be interrupted.
  bool modifying() const { return modify_unanswered_; }

 private:
  friend class Connection;
  struct Posting : PostLink {
    Posting(What w, Channel& c) : PostLink(w), channel(c) {}
    Channel& channel;
  };
  State state_ = State::Unused;
  bool rescinded_ = false;
  bool announced_ = false;  ///< Event::ChannelOffered was given: the port holds it until `release`
  bool released_ = false;   ///< let go of by the port; waits for a late OpenChannelResult, its
                            ///< CloseChannel to be posted, or its last GPADLs
  Time release_by_ = 0;     ///< and no longer than this for the latter
  bool held_back_ = false;  ///< an older channel of the same identity is not released yet
  bool tell_offered_ = false, tell_rescinded_ = false, tell_reattached_ = false,
       tell_freed_ = false;
  bool modify_unanswered_ = false;
  bool release_graced_ = false;  ///< release_by_ was moved, as the machine had been paused
  uint32_t target_vp_ = 0;
  uint32_t wanted_vp_ = 0;
  uint32_t open_id_ = 0;
  uint32_t downstream_pages_ = 0;
  std::span<const std::byte> open_user_data_;
  Channel* primary_ = nullptr;
  Gpadl* ring_ = nullptr;
  Request* open_request_ = nullptr;
  Request* modify_request_ = nullptr;
  wire::vmbus::OfferChannel offer_{};
  Posting post_open_{PostLink::What::Open, *this};
  Posting post_close_{PostLink::What::Close, *this};
  Posting post_modify_{PostLink::What::Modify, *this};
};

}  // namespace hv::vmbus
