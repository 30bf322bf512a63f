// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/guid.hpp"
#include "core/base/intrusive.hpp"
#include "core/base/result.hpp"
#include "core/vmbus/channel.hpp"
#include "core/wire/vmbus.hpp"

namespace hv::vmbus {

/// What a confidential VM takes from its host, where the port knows no better.
inline constexpr std::array<Guid, 5> kSafeClasses = {
    "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid,  // SCSI
    "f8615163-df3e-46c5-913f-f2d2f965ed0e"_guid,  // network
    "9527e630-d0ae-497b-adce-e80ab0175caf"_guid,  // time synchronisation
    "57164f39-9115-4e78-ab55-382f3bd5422d"_guid,  // heartbeat
    "0e0b6031-5213-4934-818b-38d90ced39db"_guid,  // shutdown
};

struct ConnectionConfig {
  wire::vmbus::Version max_version = wire::vmbus::Version::V5_3;
  uint32_t message_vp = 0;      ///< VP index that gets the host's messages
  uint8_t message_vtl = 0;      ///< told from 5.0 on
  uint64_t interrupt_page = 0;  ///< guest-physical; told below 5.0
  uint64_t monitor_page1 = 0;   ///< guest-physical, host to guest
  uint64_t monitor_page2 = 0;   ///< guest-physical, guest to host
  bool isolated =
      false;  ///< a confidential VM: at least 5.2, and only `safe_classes` and hvsocket connections
  /// The device classes whose drivers are hardened against the host; outlives the Connection.
  std::span<const Guid> safe_classes = kSafeClasses;
};

/// How long each wait lasts at most. A port that measures time itself takes the same figures.
struct TimeLimits {
  Time contact = 60'000, offers = 60'000, open = 60'000, gpadl = 60'000, modify = 60'000,
       unload = 100'000;
  Time rescinded_gpadl =
      3'000;  ///< teardown once the channel is rescinded: not every host answers then
  /// Whoever looks so long after a limit did not run when it was due: the machine was paused, and
  /// so were we, who have to take the answer. Such a wait gets `grace` once.
  Time late = 2'000, grace = 5'000;
};

/// A message for the host: HvCallPostMessage, type kSynicMessageType.
struct Post {
  uint32_t connection_id = 0;
  uint32_t size = 0;
  std::array<std::byte, wire::vmbus::kMaxMessageSize> bytes{};
  std::span<const std::byte> payload() const { return std::span(bytes).first(size); }
};

/// What came of posting a message.
enum class PostResult : uint8_t {
  Posted,
  Again,    ///< the host is short of memory, or does not listen yet: try again, a little later each
            ///< time
  NoPort,   ///< a host of before 5.0 where a newer version was proposed: final, and nothing to
            ///< complain about
  Refused,  ///< final
};
/// `status`: the low 16 bits of what HvCallPostMessage returned for `message`. Needs no lock.
PostResult post_result(std::span<const std::byte> message, uint16_t status);

/// What the port has to do or to tell.
struct Event {
  enum class Kind : uint8_t {
    RequestDone,  ///< `request` has ended: `ok`, or `error` (and `host_status` when Refused). Its
                  ///< storage is the port's again
    ChannelOffered,    ///< `channel` is new: the port makes a device (or gives a sub-channel to its
                       ///< primary's driver)
    ChannelRescinded,  ///< the host takes `channel` away: open, modify and create requests have
                       ///< ended; close it, tear down, `release` it. Once per channel
    ChannelReattached,  ///< after resume: `channel` is the one from before, its offer (relid,
                        ///< connection id) is new
    ChannelFreed,   ///< the storage of `channel` is the port's again (released, unloaded, or never
                    ///< announced)
    GpadlReleased,  ///< the host has let go of a GPADL that was Lost: its memory and storage are
                    ///< the port's again
  };
  Kind kind = Kind::RequestDone;
  bool ok = false;
  Error error = Error::Gone;
  uint32_t host_status = 0;
  RequestKind request_kind = RequestKind::None;
  Request* request = nullptr;
  Channel* channel = nullptr;
  Gpadl* gpadl = nullptr;
};

/// Something that the host did and may not do; the port logs it, rate-limited. Nothing else
/// happened because of it.
struct Violation {
  wire::vmbus::MessageType type = {};
  uint32_t id = 0;  ///< relid, GPADL id or 0
  Error why = Error::BadValue;
};

/// The guest's side of VMBus: version negotiation, offers, GPADLs, open, close, modify, rescind,
/// unload, suspend and resume. It does nothing by itself. The port
///   - hands in each message (a private copy) with `on_message`, calls of the operating system with
///   the functions below, time with `expire`;
///   - then posts what `next_post` gives (one at a time, in order: `posted` says how it went) and
///   does what `next_event` says.
///
/// Concurrency: one caller at a time (one lock of the port around every call; short, bounded work,
/// so a spin lock will do). Messages are posted and events carried out outside of that lock; while
/// one is being posted `next_post` gives no other one to anybody, so that several contexts may
/// drain. Events must be carried out in order and without waiting for an answer of the host (leave
/// that to a work queue). `crash_unload` and `is_unload_response` alone may be called at any time,
/// from any context.
///
/// Storage: the port's. Channels are given in advance (`donate`), GPADLs and requests with each
/// call. Nothing is allocated. Trust: the host is not trusted. A message is parsed through a
/// bounded view; an id is looked up, and accepted only where an answer with that id is awaited.
/// Every wait ends by the answer, rescind, unload, or its time limit. A time limit that runs out
/// leaves the memory concerned with the host (Gpadl::Lost) until the host is provably done with it.
///
/// A rescind does not mean that the host has stopped: some serve an open channel until it is
/// closed, some answer nothing any more. So a rescinded channel is taken down like any other
/// (close, teardown of its GPADLs, release), and only the teardown's time limit is shorter: when it
/// runs out on a rescinded channel, the memory counts as given back.
class Connection {
 public:
  enum class State : uint8_t {
    Disconnected,  ///< nothing is known to the host
    Contacting,    ///< a version was proposed, the answer is awaited
    Connected,     ///< version agreed
    Unloading,     ///< Unload queued or posted
    Crashed,       ///< `crash_unload` was called: nothing is ever posted again
  };

  explicit Connection(const ConnectionConfig& config, const TimeLimits& limits = {})
      : config_(config), limits_(limits) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // --- What came from the host ---

  /// One SynIC message of type kSynicMessageType. Errors are for the log, see also
  /// `next_violation`; the message is then dropped.
  Result<void> on_message(std::span<const std::byte> message);
  /// Ends every wait that is due at `now` with TimedOut. May find a wait that has a little more
  /// time: TimeLimits::late.
  void expire(Time now);
  /// When `expire` is needed next; ~0 when nothing waits.
  Time next_deadline() const;

  // --- What the port has to do ---

  /// Fills `post` and returns true; then `posted` has to be called before there is another one. A
  /// message that the version does not have is not given: its dialogue ends with NotSupported.
  bool next_post(Post& post);
  /// `accepted`: the hypercall succeeded. False (only after retries): the dialogue it belongs to
  /// ends with Exhausted.
  void posted(bool accepted);
  /// True and an event, or false when there is nothing more to do.
  bool next_event(Event& event);
  /// True and a violation since the last call. Of a burst only the first few are kept; `violations`
  /// counts them all.
  bool next_violation(Violation& violation);
  uint64_t violations() const { return violation_count_; }

  // --- Storage ---

  /// Gives storage for one channel more. The port keeps one spare at least: with none at hand, an
  /// offer is refused (the host is told once it rescinds it).
  void donate(Channel& channel);
  bool needs_storage() const { return free_channels_.empty(); }
  /// Takes unused storage back, nullptr when there is none.
  Channel* reclaim();

  // --- What the operating system wants. All return at once; `request` ends with RequestDone unless
  // an error is returned here ---

  /// Negotiates a version, from max_version down. Done: ok, NotSupported (no common version),
  /// Refused, TimedOut, Exhausted.
  Result<void> connect(Request& request, Time now);
  /// Asks for the offers; ends when all boot offers have been delivered (their ChannelOffered
  /// events come before).
  Result<void> request_offers(Request& request, Time now);
  /// Makes the pages `frames` known to the host. `frames` stay as they are until the request ends
  /// (the state is Creating until then). byte_offset is into the first page, byte_count at most
  /// what the pages hold. Errors here: BadState (not connected, GPADL in use), Gone (rescinded),
  /// BadLength. Done with an error: look at host_may_use().
  Result<void> create_gpadl(Channel& channel, Gpadl& gpadl, std::span<const uint64_t> frames,
                            uint32_t byte_count, uint32_t byte_offset, Request& request, Time now);
  /// Errors here: BadState (not Live, or the ring of a channel that is not closed); of a Dead one:
  /// done at once, ok. `request` nullptr: nobody waits, GpadlReleased tells the end.
  Result<void> teardown_gpadl(Gpadl& gpadl, Request* request, Time now);
  /// For an owner that wants to know now instead of by GpadlReleased: true when `gpadl` is Dead,
  /// and then no event of it comes any more; false while the host may use it: GpadlReleased comes
  /// when it does not.
  bool take_back(Gpadl& gpadl);
  /// `ring` is a Live GPADL of this channel, its second ring starts `downstream_pages` pages in.
  /// `user_data`: at most 120 bytes, kept until done.
  Result<void> open(Channel& channel, Gpadl& ring, uint32_t downstream_pages, uint32_t target_vp,
                    std::span<const std::byte> user_data, Request& request, Time now);
  /// Closes; nothing to wait for. Also when rescinded: completions may come until then. Errors:
  /// BadState (not open).
  Result<void> close(Channel& channel);
  /// Moves the channel's interrupts to another VP. Below 4.1: NotSupported. From 5.3 it ends by the
  /// host's answer, below when it is posted.
  Result<void> modify(Channel& channel, uint32_t target_vp, Request& request, Time now);
  /// Lets go of a channel for good; of its events only ChannelFreed comes after it. Errors:
  /// BadState (opening or open, a GPADL request waits, or a primary with sub-channels left). The
  /// host is told as soon as it has rescinded the channel and answered for its last GPADLs, or has
  /// not for `rescinded_gpadl` long.
  Result<void> release(Channel& channel);
  /// Asks for an hvsocket connection; the answer comes as an offer, or never. Errors: BadState,
  /// NotSupported (below 4.0), Exhausted (8 may wait to be posted).
  Result<void> connect_service(const Guid& endpoint, const Guid& service);
  /// Ends everything: all requests end with Gone, no GPADL is known to the host afterwards. `keep`:
  /// primaries stay (Suspended) for `resume`; else all channels are freed. Versions below 3.0 know
  /// no Unload: done at once. After TimedOut the connection is Disconnected all the same.
  Result<void> unload(bool keep, Request& request, Time now);
  /// After unload(keep): the same version again, and all offers. Suspended channels are reattached
  /// (ChannelReattached) or, when the host does not offer them any more, rescinded. Done: ok,
  /// NotSupported (not that version), TimedOut, ...
  Result<void> resume(Request& request, Time now);

  /// Nobody waits for `request` any more; on return it is the caller's. Returns how it ended, if it
  /// has, else TimedOut: what it was about goes on as after a time limit. BadState: `next_event`
  /// has given its RequestDone to somebody already.
  Result<void> abandon(Request& request);

  // --- When the kernel is dying ---

  /// Writes the Unload message that has to be posted by the caller, once: 0 the second time, or
  /// when there is nothing to unload. Takes no lock and waits for nothing.
  size_t crash_unload(std::span<std::byte> message);
  static bool is_unload_response(std::span<const std::byte> message);

  // --- State ---

  State state() const { return crashed_.load(std::memory_order_relaxed) ? State::Crashed : state_; }
  /// Valid from the end of `connect` on.
  wire::vmbus::Version version() const { return version_; }
  uint32_t message_connection_id() const { return connection_id_; }
  /// The channel with this relid, nullptr when there is none.
  Channel* channel(uint32_t relid) const {
    return relid < relids_.size() ? relids_[relid] : nullptr;
  }
  size_t channel_count() const { return channel_count_; }
  /// Not Dead.
  size_t gpadl_count() const { return gpadl_count_; }
  /// The next version below that this driver speaks, 0 when there is none.
  static wire::vmbus::Version lower_version(wire::vmbus::Version version);

 private:
  using MessageType = wire::vmbus::MessageType;
  struct GlobalPost : PostLink {
    using PostLink::PostLink;
  };
  struct Bitmap {
    std::array<uint64_t, wire::vmbus::kMaxChannels / 64> words{};
    bool test(uint32_t i) const { return words[i / 64] >> (i % 64) & 1; }
    void set(uint32_t i) { words[i / 64] |= uint64_t{1} << (i % 64); }
    void clear(uint32_t i) { words[i / 64] &= ~(uint64_t{1} << (i % 64)); }
    void clear_all() { words = {}; }
    int first() const;
  };

  // connection_messages.cc: what the host says
  Result<void> dispatch(MessageType type, std::span<const std::byte> payload, uint32_t& id);
  Result<void> on_version_response(const wire::vmbus::VersionResponse& response);
  Result<void> on_offer(const wire::vmbus::OfferChannel& offer);
  Result<void> accept_offer(const wire::vmbus::OfferChannel& offer);
  Result<void> on_rescind(uint32_t relid);
  Result<void> on_offers_delivered();
  Result<void> on_open_result(const wire::vmbus::OpenChannelResult& result);
  Result<void> on_gpadl_created(const wire::vmbus::GpadlCreated& created);
  Result<void> on_gpadl_torndown(uint32_t id);
  Result<void> on_modify_response(const wire::vmbus::ModifyChannelResponse& response);
  Result<void> on_unload_response();
  void reattach(Channel& channel, const wire::vmbus::OfferChannel& offer);

  // connection_post.cc: what is said to the host
  bool fill(PostLink& link, Post& post);
  bool fill_gpadl(Gpadl& gpadl, Post& post);
  Result<void> check(const Post& post) const;
  void post_failed(PostLink& link, Error why);
  void post_succeeded(PostLink& link);
  bool is_in_flight(const PostLink& link) const { return in_flight_ == &link; }
  void withdraw(PostLink& link);

  // connection_facts.cc: what the version has
  bool knows(wire::Sender sender, MessageType type) const;
  bool knows_unload() const;

  // connection.cc: life cycles
  void begin(Request& request, RequestKind kind, Time now, Time limit);
  void finish(Request*& waiter, bool ok, Error error = Error::Gone, uint32_t status = 0);
  Result<void> start_contact();
  bool is_over(Time& limit, bool& graced) const;
  void give_up(Request& request);
  void end_with_gone(Request& request);
  void enqueue(EventLink& link);
  void rescind(Channel& channel);
  void free_channel(Channel& channel);
  void free_if_released(Channel& channel);
  bool answers_due(uint32_t relid) const;
  void gpadl_dead(Gpadl& gpadl);
  void gpadl_let_go(Gpadl& gpadl);
  void gpadl_lost(Gpadl& gpadl);
  void gpadls_of_relid_dead(uint32_t relid);
  void queue_teardown(Gpadl& gpadl);
  void ring_done(Channel& channel);
  void open_late(Channel& channel, bool succeeded);
  void limit_teardowns(const Channel& channel);
  void offer_or_hold(Channel& channel);
  void wake_held_back();
  void disconnected(bool answered);
  void end_resume();
  bool is_safe_class(const Guid& class_id) const;
  Gpadl* find_gpadl(uint32_t id) const;
  bool has_sub_channels(const Channel& primary) const;
  void violation(MessageType type, uint32_t id, Error why);
  bool event_of(Channel& channel, Event& event);

  const ConnectionConfig config_;
  const TimeLimits limits_;
  State state_ = State::Disconnected;
  std::atomic<bool> crashed_{false};
  std::atomic<bool> unload_makes_sense_{false};
  bool offers_wanted_ = false;  ///< RequestOffers was posted: offers may come
  bool offers_complete_ = false;
  bool resuming_ = false;
  bool keep_ = false;
  Time now_ = 0;  ///< as last heard
  wire::vmbus::Version version_ = {};
  wire::vmbus::Version trying_ = {};  ///< the one proposed last; once connected, `version_`
  uint32_t connection_id_ = wire::vmbus::kMessageConnectionIdWin10;
  uint32_t next_gpadl_id_ = 0xE1E10;
  uint32_t next_open_id_ = 1;

  Request* connect_request_ = nullptr;
  Request* offers_request_ = nullptr;
  Request* unload_request_ = nullptr;
  GlobalPost post_contact_{PostLink::What::Contact};
  GlobalPost post_offers_{PostLink::What::RequestOffers};
  GlobalPost post_unload_{PostLink::What::Unload};
  GlobalPost post_service_{PostLink::What::TlConnect};
  std::array<wire::vmbus::TlConnectRequest, 8> services_{};
  size_t service_count_ = 0;

  List<PostLink, Link> posts_;
  PostLink* in_flight_ = nullptr;
  bool posting_ = false;
  int releasing_relid_ = -1;
  List<EventLink, Link> events_;
  List<Request, TableLink> requests_;
  List<Gpadl, TableLink> gpadls_;
  List<Channel, TableLink> channels_;
  List<Channel, TableLink> free_channels_;
  std::array<Channel*, wire::vmbus::kMaxChannels> relids_{};
  Bitmap refused_{};  ///< offered, but nothing of ours is behind it: the relid is released when the
                      ///< host rescinds it
  Bitmap release_pending_{};  ///< RelIdReleased is to be posted
  size_t channel_count_ = 0;
  size_t gpadl_count_ = 0;

  std::array<Violation, 8> violations_{};
  size_t violation_kept_ = 0;
  uint64_t violation_count_ = 0;
};

}  // namespace hv::vmbus
