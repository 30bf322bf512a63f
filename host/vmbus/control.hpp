// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/wire/vmbus.hpp"
#include "host/vmbus/device.hpp"
#include "host/vmbus/gpadl.hpp"
#include "host/vmbus/message.hpp"

namespace hv::host::vmbus {

/// Names one channel inside the host, from its offer until it is forgotten; never used again.
/// Nothing of it is ever seen by the guest.
using ChannelKey = uint64_t;

/// What is true of a channel.
enum class ChannelState {
  Hidden,   ///< the guest does not know it; it has no relid
  Closed,   ///< offered; nothing of the guest's memory is in use
  Opening,  ///< an Open action is out, `ControlMachine::opened` answers it
  Open,     ///< the device serves it
};

/// What the guest did wrong. Each is said once per connection.
enum class Complaint {
  ShortMessage,
  UnknownMessage,
  NotConnected,
  BadContact,  ///< SINT, VTL or VP of INITIATE_CONTACT
  BadMonitorPage,
  OffersTwice,
  UnknownChannel,
  BadChannelState,
  BadGpadl,
  UnknownGpadl,
  GpadlInUse,  ///< torn down under an open channel: the channel was closed
  BadOpen,
  BadTarget,
  NotInVersion,  ///< a message newer than the version agreed on
  Count,
};
const char* name(Complaint complaint);

/// What the port must do, in the order given.
struct PostMessage {
  uint32_t vp;
  uint32_t sint;
  Message message;
};
/// What waits for the guest is of a connection that is over.
struct DropMessages {};
/// The guest's triggers are in this page: map it, then call `monitor_page_shared`, before anything
/// else.
struct ShareMonitorPage {
  uint64_t gpa;
};
/// When it is done the guest's monitor page is not in use.
struct ReleaseMonitorPage {};
/// The guest may signal `connection_id` by this monitor from now on.
struct PublishMonitor {
  uint8_t monitor;
  uint32_t connection_id;
};
struct WithdrawMonitor {
  uint8_t monitor;
};
/// Map the rings, bind the signal, hand the channel to its device; then call `opened`, before
/// anything else.
struct OpenRings {
  ChannelKey channel;
  ChannelKey primary;
  uint16_t index;
  uint32_t relid;
  uint32_t connection_id;          ///< for HvCallSignalEvent
  uint32_t vp;                     ///< kNoInterrupt: never
  uint8_t monitor;                 ///< kNoMonitor: the guest signals by HvCallSignalEvent alone
  std::vector<uint64_t> incoming;  ///< page frames, control page first
  std::vector<uint64_t> outgoing;
};
/// Take the channel from its device. When it is done no memory of the guest is in use through it.
struct CloseRings {
  ChannelKey channel;
};
/// The guest takes back a GPADL that the open channel's device may use. When it is done the device
/// does not.
struct TakeGpadl {
  ChannelKey channel;
  uint32_t gpadl_id;
};
struct Retarget {
  ChannelKey channel;
  uint32_t vp;
};
/// The guest has let go of a rescinded device: its key names nothing any more.
struct Gone {
  ChannelKey primary;
};
struct Complain {
  Complaint complaint;
  uint32_t value;  ///< message type, relid or id, whichever it is about
};
struct Connected {
  hv::wire::vmbus::Version version;
};
struct Disconnected {};
using Action = std::variant<PostMessage, DropMessages, ShareMonitorPage, ReleaseMonitorPage,
                            PublishMonitor, WithdrawMonitor, OpenRings, CloseRings, TakeGpadl,
                            Retarget, Gone, Complain, Connected, Disconnected>;
using Actions = std::vector<Action>;

/// The control messages of one guest as a state machine: what happened goes in, actions come out;
/// it does no I/O itself. Every input appends to `actions`. The guest is not trusted: ids only
/// through tables, nothing grows beyond a limit, a wrong message is answered as the protocol allows
/// or ignored, and complained of once. Concurrency: one caller at a time. Source: vmbus_core,
/// vmbus_server (OpenVMM).
class ControlMachine {
 public:
  struct Options {
    hv::wire::vmbus::Version max_version = hv::wire::vmbus::Version::V5_3;
    uint32_t vp_count = 1;
    uint16_t max_sub_channels = 255;  ///< per device
    bool monitor = false;             ///< channels get a monitor each, as long as there are some
    GpadlTable::Limits gpadls = {};
  };
  struct ChannelView {
    ChannelKey key;
    ChannelKey primary;
    uint16_t index;
    uint32_t relid;  ///< 0: none
    ChannelState state;
    bool rescinded;
    uint32_t vp;
    uint8_t monitor;  ///< kNoMonitor: none
  };

  explicit ControlMachine(Options options);

  /// Adds a device. The guest is told at once if it has asked for offers; if it still holds a
  /// rescinded offer of the same instance, as soon as it lets go. Errors: BadId (this instance is
  /// offered already), Exhausted.
  Result<ChannelKey> offer(const OfferInfo& info, Actions& actions);
  /// Offers sub-channels 1..count of an open primary; those that exist are kept. Errors: BadId,
  /// BadState (not open), BadValue, Exhausted.
  Result<void> offer_sub_channels(ChannelKey primary, uint16_t count, Actions& actions);
  /// Tells the guest that the device goes. Its open channels are served until the guest closes
  /// them; `Gone` ends it. Errors: BadId.
  Result<void> rescind(ChannelKey primary, Actions& actions);
  /// Ends what `rescind` began without waiting for the guest: what is open is closed, and `Gone`
  /// follows. Errors: BadId, BadState (not rescinded).
  Result<void> force(ChannelKey primary, Actions& actions);

  /// Whether this message connection exists. Any thread. A host below 5.0 has no connection 4;
  /// guests find that out by its absence.
  bool has_connection(uint32_t connection_id) const;
  /// A SynIC message from the guest, a private copy. False: no such connection.
  bool message(uint32_t connection_id, std::span<const std::byte> bytes, Actions& actions);
  /// The answer to OpenRings.
  void opened(ChannelKey channel, bool ok, Actions& actions);
  /// The answer to ShareMonitorPage. Without the page no channel gets a monitor.
  void monitor_page_shared(bool ok, Actions& actions);
  /// The guest is gone (reset, or it does not take its messages): everything is closed, nothing is
  /// said to it.
  void reset(Actions& actions);

  std::optional<hv::wire::vmbus::Version> version() const;
  std::vector<ChannelView> channels() const;
  const GpadlTable& gpadls() const { return gpadls_; }
  /// nullptr, or what is wrong in the tables; for tests and fuzzing.
  const char* broken_invariant() const;

 private:
  struct Channel {
    OfferInfo info;
    ChannelKey primary = 0;
    uint16_t index = 0;
    uint32_t relid = 0;
    ChannelState state = ChannelState::Hidden;
    bool rescinded = false;  ///< the guest was told; the relid is free when it says RELID_RELEASED
    bool given_up = false;   ///< `Gone` was said of it: the device is not ours any more
    bool released = false;   ///< Hidden because the guest gave the channel back: not offered again
                             ///< before it reconnects
    uint32_t open_id = 0;
    uint32_t ring_gpadl = 0;
    uint32_t vp = 0;
    uint8_t monitor = hv::wire::vmbus::kNoMonitor;
  };
  using Channels = std::map<ChannelKey, Channel>;  ///< in the order of their offers
  struct Connection {
    hv::wire::vmbus::Version version;
    uint32_t vp;
    uint32_t sint;
    bool offers_sent = false;
    bool monitor_page = false;
  };

  Complaint complaint_about(hv::wire::vmbus::MessageType type, Error error) const;
  void dispatch(uint32_t connection_id, hv::wire::vmbus::MessageType type, ByteReader& reader,
                Actions& actions);
  void on_initiate_contact(uint32_t connection_id, const hv::wire::vmbus::InitiateContact& request,
                           Actions& actions);
  void on_request_offers(Actions& actions);
  void on_unload(Actions& actions);
  void on_gpadl_header(const hv::wire::vmbus::GpadlHeader& request,
                       std::span<const std::byte> ranges, Actions& actions);
  void on_gpadl_body(const hv::wire::vmbus::GpadlBody& request, std::span<const std::byte> frames,
                     Actions& actions);
  void on_gpadl_teardown(const hv::wire::vmbus::GpadlTeardown& request, Actions& actions);
  void on_open(const hv::wire::vmbus::OpenChannel& request, Actions& actions);
  void on_close(uint32_t relid, Actions& actions);
  void on_modify(const hv::wire::vmbus::ModifyChannel& request, Actions& actions);
  void on_released(uint32_t relid, Actions& actions);
  void on_tl_connect(const hv::wire::vmbus::TlConnectRequest& request, Actions& actions);

  Result<OpenRings> plan_open(ChannelKey key, const Channel& channel,
                              const hv::wire::vmbus::OpenChannel& request) const;
  void answer_open(const Channel& channel, uint32_t status, Actions& actions);
  void announce(ChannelKey key, Channel& channel, Actions& actions);
  void announce_waiting(Actions& actions);
  void close(ChannelKey key, Channel& channel, Actions& actions);
  void rescind_one(ChannelKey key, Channel& channel, Actions& actions);
  void rescind_sub_channels(ChannelKey primary, Actions& actions);
  void forget(Channels::iterator at, Actions& actions);
  void disconnect(Actions& actions);
  bool instance_held(const Channel& channel) const;
  uint32_t free_relid() const;
  void give_monitor(Channel& channel, Actions& actions);
  void take_monitor(Channel& channel, Actions& actions);
  Channels::iterator by_relid(uint32_t relid, Actions& actions);
  static void post_to(const Connection& to, const Message& message, Actions& actions);
  void post(const Message& message, Actions& actions) const;
  void complain(Complaint complaint, uint32_t value, Actions& actions);

  Options options_;
  std::optional<Connection> connection_;
  Channels channels_;
  std::array<ChannelKey, hv::wire::vmbus::kMaxChannels> by_relid_{};  ///< 0: free
  std::bitset<hv::wire::vmbus::kMonitors> monitors_;                  ///< in use
  GpadlTable gpadls_;
  std::bitset<static_cast<size_t>(Complaint::Count)> complained_;
  ChannelKey last_key_ = 0;
};

}  // namespace hv::host::vmbus
