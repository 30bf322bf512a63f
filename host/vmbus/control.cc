// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/control.hpp"

#include "core/wire/ring.hpp"

namespace hv::host::vmbus {

using hv::wire::Sender;
using hv::wire::vmbus::MessageType;
using hv::wire::vmbus::Version;
namespace wire = hv::wire::vmbus;

const char* name(Complaint complaint) {
  switch (complaint) {
    case Complaint::ShortMessage:
      return "a message too short for its type";
    case Complaint::UnknownMessage:
      return "a message of unknown type";
    case Complaint::NotConnected:
      return "a message before INITIATE_CONTACT";
    case Complaint::BadContact:
      return "INITIATE_CONTACT for a SINT, VTL or VP that is not served";
    case Complaint::BadMonitorPage:
      return "INITIATE_CONTACT with a monitor page that is none";
    case Complaint::OffersTwice:
      return "REQUEST_OFFERS a second time";
    case Complaint::UnknownChannel:
      return "a channel id that was not offered";
    case Complaint::BadChannelState:
      return "a message that the channel's state does not allow";
    case Complaint::BadGpadl:
      return "a malformed GPADL, or too many of them";
    case Complaint::UnknownGpadl:
      return "a GPADL id that does not exist";
    case Complaint::GpadlInUse:
      return "teardown of the GPADL under an open channel, which was closed";
    case Complaint::BadOpen:
      return "OPEN_CHANNEL with an impossible ring or VP";
    case Complaint::BadTarget:
      return "MODIFY_CHANNEL to an impossible VP";
    case Complaint::NotInVersion:
      return "a message that the negotiated version does not have";
    case Complaint::Count:
      break;
  }
  return "something wrong";
}

ControlMachine::ControlMachine(Options options) : options_(options), gpadls_(options.gpadls) {}

// What the host does.

Result<ChannelKey> ControlMachine::offer(const OfferInfo& info, Actions& actions) {
  size_t primaries = 0;
  for (const auto& [key, channel] : channels_) {
    if (channel.index != 0 || channel.rescinded) continue;
    primaries++;
    if (channel.info.instance_id == info.instance_id && channel.info.class_id == info.class_id)
      return Error::BadId;
  }
  if (primaries >= wire::kMaxChannels - 1) return Error::Exhausted;
  const ChannelKey key = ++last_key_;
  Channel channel;
  channel.info = info;
  channel.primary = key;
  const auto at = channels_.emplace(key, std::move(channel)).first;
  if (connection_ && connection_->offers_sent) announce(key, at->second, actions);
  return key;
}

Result<void> ControlMachine::offer_sub_channels(ChannelKey primary, uint16_t count,
                                                Actions& actions) {
  const auto at = channels_.find(primary);
  if (at == channels_.end() || at->second.index != 0) return Error::BadId;
  if (at->second.state != ChannelState::Open || at->second.rescinded) return Error::BadState;
  if (count > options_.max_sub_channels) return Error::BadValue;
  std::vector<bool> present(size_t{count} + 1);
  for (const auto& [key, channel] : channels_) {
    if (channel.primary == primary && !channel.rescinded && channel.index <= count)
      present[channel.index] = true;
  }
  for (uint16_t index = 1; index <= count; index++) {
    if (present[index]) continue;
    if (free_relid() == 0) return Error::Exhausted;
    Channel channel;
    channel.info = at->second.info;
    channel.primary = primary;
    channel.index = index;
    const ChannelKey key = ++last_key_;
    announce(key, channels_.emplace(key, std::move(channel)).first->second, actions);
  }
  return {};
}

Result<void> ControlMachine::rescind(ChannelKey primary, Actions& actions) {
  const auto at = channels_.find(primary);
  if (at == channels_.end() || at->second.index != 0) return Error::BadId;
  if (at->second.rescinded) return {};
  // Linux frees a primary as soon as it is rescinded and finds its sub-channels' list gone when
  // they come later.
  rescind_sub_channels(primary, actions);
  if (at->second.state == ChannelState::Hidden) {
    at->second.rescinded = true;
    forget(at, actions);
  } else {
    rescind_one(primary, at->second, actions);
  }
  return {};
}

Result<void> ControlMachine::force(ChannelKey primary, Actions& actions) {
  const auto at = channels_.find(primary);
  if (at == channels_.end() || at->second.index != 0) return Error::BadId;
  if (!at->second.rescinded || at->second.given_up) return Error::BadState;
  close(primary, at->second, actions);
  at->second.given_up = true;
  actions.push_back(Gone{primary});
  return {};
}

void ControlMachine::opened(ChannelKey key, bool ok, Actions& actions) {
  const auto at = channels_.find(key);
  if (at == channels_.end() || at->second.state != ChannelState::Opening) return;
  at->second.state = ok ? ChannelState::Open : ChannelState::Closed;
  answer_open(at->second, ok ? wire::kStatusSuccess : wire::kStatusUnsuccessful, actions);
}

void ControlMachine::monitor_page_shared(bool ok, Actions& actions) {
  if (connection_) connection_->monitor_page = ok;
  if (!ok) complain(Complaint::BadMonitorPage, 0, actions);
}

void ControlMachine::reset(Actions& actions) { disconnect(actions); }

std::optional<Version> ControlMachine::version() const {
  if (!connection_) return std::nullopt;
  return connection_->version;
}

std::vector<ControlMachine::ChannelView> ControlMachine::channels() const {
  std::vector<ChannelView> views;
  views.reserve(channels_.size());
  for (const auto& [key, channel] : channels_) {
    views.push_back({key, channel.primary, channel.index, channel.relid, channel.state,
                     channel.rescinded, channel.vp, channel.monitor});
  }
  return views;
}

// Parts that several messages need.

/// Says nothing that the version of `to` does not have.
void ControlMachine::post_to(const Connection& to, const Message& message, Actions& actions) {
  const size_t bytes = message.bytes().size() - sizeof(wire::MessageHeader);
  if (check_message(wire::kMessages, Sender::Host, message.type(), bytes, to.version))
    actions.push_back(PostMessage{to.vp, to.sint, message});
}

void ControlMachine::post(const Message& message, Actions& actions) const {
  if (connection_) post_to(*connection_, message, actions);
}

void ControlMachine::complain(Complaint complaint, uint32_t value, Actions& actions) {
  const auto bit = static_cast<size_t>(complaint);
  if (complained_[bit]) return;
  complained_[bit] = true;
  actions.push_back(Complain{complaint, value});
}

uint32_t ControlMachine::free_relid() const {
  for (uint32_t relid = 1; relid < by_relid_.size(); relid++) {
    if (by_relid_[relid] == 0) return relid;
  }
  return 0;
}

void ControlMachine::give_monitor(Channel& channel, Actions& actions) {
  if (!connection_->monitor_page) return;
  for (uint8_t monitor = 0; monitor < wire::kMonitors; monitor++) {
    if (monitors_[monitor]) continue;
    monitors_[monitor] = true;
    channel.monitor = monitor;
    actions.push_back(PublishMonitor{monitor, wire::kSignalConnectionBase | channel.relid});
    return;
  }
}

void ControlMachine::take_monitor(Channel& channel, Actions& actions) {
  if (channel.monitor == wire::kNoMonitor) return;
  monitors_[channel.monitor] = false;
  actions.push_back(WithdrawMonitor{channel.monitor});
  channel.monitor = wire::kNoMonitor;
}

ControlMachine::Channels::iterator ControlMachine::by_relid(uint32_t relid, Actions& actions) {
  const ChannelKey key = relid < by_relid_.size() ? by_relid_[relid] : 0;
  const auto at = key == 0 ? channels_.end() : channels_.find(key);
  if (at == channels_.end()) complain(Complaint::UnknownChannel, relid, actions);
  return at;
}

/// Whether the guest still holds a rescinded offer of this instance: Linux would take a new one for
/// the same channel come back.
bool ControlMachine::instance_held(const Channel& wanted) const {
  for (const auto& [key, channel] : channels_) {
    if (channel.index == 0 && channel.rescinded && channel.relid != 0 &&
        channel.info.instance_id == wanted.info.instance_id &&
        channel.info.class_id == wanted.info.class_id) {
      return true;
    }
  }
  return false;
}

void ControlMachine::announce(ChannelKey key, Channel& channel, Actions& actions) {
  if (channel.index == 0 && instance_held(channel)) return;
  const uint32_t relid = free_relid();
  if (relid == 0) return;
  by_relid_[relid] = key;
  channel.relid = relid;
  channel.state = ChannelState::Closed;

  wire::OfferChannel offer{};
  offer.class_id = channel.info.class_id;
  offer.instance_id = channel.info.instance_id;
  offer.flags = channel.info.flags;
  offer.mmio_megabytes = channel.info.mmio_megabytes;
  offer.user_defined = channel.info.user_defined;
  offer.sub_channel_index = channel.index;
  offer.channel_id = relid;
  give_monitor(channel, actions);
  offer.monitor_id = channel.monitor;
  offer.monitor_allocated = channel.monitor != wire::kNoMonitor ? 1 : 0;
  offer.dedicated_interrupt = 1;
  offer.connection_id = wire::kSignalConnectionBase | relid;
  post(Message(MessageType::OfferChannel, offer), actions);
}

void ControlMachine::announce_waiting(Actions& actions) {
  if (!connection_ || !connection_->offers_sent) return;
  for (auto& [key, channel] : channels_) {
    if (channel.state == ChannelState::Hidden && !channel.released) announce(key, channel, actions);
  }
}

void ControlMachine::rescind_one(ChannelKey, Channel& channel, Actions& actions) {
  if (channel.rescinded) return;
  channel.rescinded = true;
  post(Message(MessageType::RescindChannelOffer, wire::ChannelId{channel.relid}), actions);
}

void ControlMachine::rescind_sub_channels(ChannelKey primary, Actions& actions) {
  for (auto& [key, channel] : channels_) {
    if (channel.primary == primary && channel.index != 0) rescind_one(key, channel, actions);
  }
}

/// Closes an open channel; with a primary go its sub-channels, first closed and then rescinded, as
/// the field does it.
void ControlMachine::close(ChannelKey key, Channel& channel, Actions& actions) {
  if (channel.index == 0) {
    for (auto& [sub_key, sub] : channels_) {
      if (sub.primary == key && sub.index != 0) close(sub_key, sub, actions);
    }
  }
  if (channel.state == ChannelState::Open) {
    channel.state = ChannelState::Closed;
    actions.push_back(CloseRings{key});
  }
  if (channel.index == 0) rescind_sub_channels(key, actions);
}

/// The guest holds nothing of this channel any more.
void ControlMachine::forget(Channels::iterator at, Actions& actions) {
  const ChannelKey key = at->first;
  Channel& channel = at->second;
  close(key, channel, actions);
  if (channel.relid != 0) {
    gpadls_.remove_all_of(channel.relid);
    by_relid_[channel.relid] = 0;
    channel.relid = 0;
    take_monitor(channel, actions);
  }
  channel.state = ChannelState::Hidden;
  channel.released = true;
  if (channel.index != 0) {
    channels_.erase(at);
  } else if (channel.rescinded) {
    if (!channel.given_up) actions.push_back(Gone{key});
    channels_.erase(at);
  }
}

void ControlMachine::disconnect(Actions& actions) {
  if (!connection_) return;
  const bool monitor_page = connection_->monitor_page;
  connection_.reset();  // nothing is said to it from here on
  for (auto& [key, channel] : channels_) {
    if (channel.index == 0) close(key, channel, actions);
  }
  for (auto at = channels_.begin(); at != channels_.end();) {
    const auto next = std::next(at);
    forget(at, actions);
    at = next;
  }
  for (auto& [key, channel] : channels_) channel.released = false;
  gpadls_.clear();
  complained_.reset();
  if (monitor_page) actions.push_back(ReleaseMonitorPage{});
  actions.push_back(Disconnected{});
}

const char* ControlMachine::broken_invariant() const {
  size_t relids = 0;
  std::bitset<wire::kMonitors> monitors;
  for (const auto& [key, channel] : channels_) {
    if (channel.monitor != wire::kNoMonitor) {
      if (channel.relid == 0) return "a channel that is not offered has a monitor";
      if (channel.monitor >= wire::kMonitors) return "a monitor is out of range";
      if (monitors[channel.monitor]) return "two channels have one monitor";
      monitors[channel.monitor] = true;
    }
    if (channel.state == ChannelState::Hidden) {
      if (channel.relid != 0) return "a hidden channel has a relid";
      if (channel.index != 0) return "a hidden sub-channel";
      if (channel.rescinded) return "a hidden channel is rescinded";
      continue;
    }
    if (!connection_) return "a channel is offered without a connection";
    relids++;
    if (channel.relid == 0 || channel.relid >= by_relid_.size()) return "a relid is out of range";
    if (by_relid_[channel.relid] != key) return "the relid table does not know a channel";
    if (channel.state == ChannelState::Open) {
      if (gpadls_.find(channel.relid, channel.ring_gpadl) == nullptr)
        return "an open channel without its GPADL";
      if (channel.given_up) return "a channel is open that its device does not own";
      if (channel.index != 0) {
        const auto primary = channels_.find(channel.primary);
        if (primary == channels_.end() || primary->second.state != ChannelState::Open)
          return "a sub-channel is open without its primary";
      }
    }
  }
  for (uint32_t relid = 0; relid < by_relid_.size(); relid++) {
    if (by_relid_[relid] == 0) continue;
    if (relids-- == 0) return "the relid table knows too much";
  }
  if (monitors != monitors_) return "a monitor without a channel";
  if (relids != 0) return "the relid table knows too little";
  if (!gpadls_.consistent()) return "the GPADL table's sums are wrong";
  if (!connection_ && gpadls_.count() != 0) return "GPADLs without a connection";
  return nullptr;
}

}  // namespace hv::host::vmbus
