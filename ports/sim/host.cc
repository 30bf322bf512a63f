// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/host.hpp"

#include <algorithm>
#include <cstring>

namespace hv::sim {

namespace wire = hv::wire::vmbus;
namespace {
constexpr uint8_t kNetworkDevice = 1;  ///< instance number
}
using host::vmbus::Actions;
using hv::vmbus::Signal;

Host::Host(const Profile& profile, Rng& rng, Log& log, Memory& memory, Processors*& processors)
    : profile_(profile),
      rng_(rng),
      log_(log),
      memory_(memory),
      processors_(processors),
      control_({.max_version = profile.host_max, .vp_count = profile.cpus}),
      events_left_(profile.host_events),
      forgeries_left_(profile.hostile ? 60 : 0),
      buffer_(65536) {
  for (unsigned i = 0; i < profile.devices; i++) offer();
  memory_.host_has = [this](uint32_t frame) { return keeps_word() && has_page(frame); };
}

// --- From the guest ---

bool Host::posted(uint32_t connection_id, std::span<const std::byte> message) {
  check_message(message);
  const bool known = connection_id == wire::kMessageConnectionId ||
                     (connection_id == wire::kMessageConnectionIdWin10 &&
                      profile_.host_max >= wire::Version::V5_0);
  if (!known && !profile_.hostile) return false;
  inbound_.push_back({connection_id, {message.begin(), message.end()}});
  return true;
}

/// No byte of the guest's that is not meant for the host, and no message longer than its type.
void Host::check_message(std::span<const std::byte> message) {
  wire::MessageHeader header{};
  if (message.size() < sizeof(header) || message.size() > wire::kMaxMessageSize)
    fail("message of an impossible size posted");
  std::memcpy(&header, message.data(), sizeof(header));
  if (header.reserved != 0) fail("uninitialised bytes in a message to the host");
  size_t size = 0;
  switch (header.type) {
    case wire::MessageType::RequestOffers:
    case wire::MessageType::Unload:
      size = 0;
      break;
    case wire::MessageType::OpenChannel:
      size = sizeof(wire::OpenChannel);
      break;
    case wire::MessageType::CloseChannel:
    case wire::MessageType::RelIdReleased:
      size = sizeof(wire::ChannelId);
      break;
    case wire::MessageType::GpadlTeardown:
      size = sizeof(wire::GpadlTeardown);
      break;
    case wire::MessageType::InitiateContact:
      size = sizeof(wire::InitiateContact);
      break;
    case wire::MessageType::ModifyChannel:
      size = sizeof(wire::ModifyChannel);
      break;
    default:
      return;
  }
  if (message.size() != sizeof(header) + size) fail("message of the wrong size posted");
  if (header.type != wire::MessageType::OpenChannel) return;
  for (const std::byte byte : message.last(sizeof(wire::OpenChannel::user_data))) {
    if (byte != std::byte{0}) fail("uninitialised bytes in a message to the host");
  }
}

void Host::signalled(uint32_t connection_id) {
  for (auto& [key, channel] : open_) {
    if ((wire::kSignalConnectionBase | channel.relid) == connection_id) channel.signalled = true;
  }
}

// --- Scheduler ---

void Host::collect(Choices& choices) const {
  if (!inbound_.empty()) choices.push_back({Choice::HostHandles, 0});
  for (uint16_t vp = 0; vp < profile_.cpus; vp++) {
    if ((!outbound_[vp].empty() || (forgeries_left_ && vp == 0 && connected())) && processors_ &&
        processors_->message_slot_free(vp)) {
      choices.push_back({Choice::HostDelivers, vp});
    }
  }
  uint16_t index = 0;
  for (const auto& [key, channel] : open_) {
    if (channel.nic ? channel.signalled || channel.nic->runnable(channel.index)
                    : !channel.broken && (channel.signalled || channel.reading ||
                                          (!channel.replies.empty() && !channel.waits_for_room))) {
      choices.push_back({Choice::HostServes, index});
    }
    index++;
  }
  if (frames_left()) choices.push_back({Choice::HostFrames, 0});
  if (events_left_) choices.push_back({Choice::HostEvent, 0});
}

void Host::run(Choice choice) {
  switch (choice.kind) {
    case Choice::HostHandles:
      handle();
      break;
    case Choice::HostDelivers:
      deliver(choice.index);
      break;
    case Choice::HostServes:
      serve(std::next(open_.begin(), choice.index)->second);
      break;
    case Choice::HostFrames:
      for (auto& [key, nic] : nics_) {
        if (nic->events_left()) nic->event();
      }
      break;
    default:
      if (rng_.chance(60)) event();
  }
}

void Host::handle() {
  const Inbound message = std::move(inbound_.front());
  inbound_.pop_front();
  uint32_t type = 0;
  std::memcpy(&type, message.bytes.data(), sizeof(type));
  log_("host handles message %u", type);
  if (type == static_cast<uint32_t>(wire::MessageType::Unload)) unloads_++;
  Actions actions;
  control_.message(message.connection_id, message.bytes, actions);
  apply(actions);
  if (const char* broken = control_.broken_invariant()) fail(std::string("host: ") + broken);
}

void Host::apply(Actions& actions) {
  for (size_t i = 0; i < actions.size(); i++) {
    Actions more;
    std::visit(
        [&](auto& action) {
          using T = std::decay_t<decltype(action)>;
          if constexpr (std::is_same_v<T, host::vmbus::PostMessage>) {
            const auto bytes = action.message.bytes();
            if (bytes[0] == static_cast<std::byte>(wire::MessageType::RescindChannelOffer))
              rescinded_any_ = true;
            outbound_[action.vp].push_back({bytes.begin(), bytes.end()});
          } else if constexpr (std::is_same_v<T, host::vmbus::OpenRings>) {
            open(action, more);
          } else if constexpr (std::is_same_v<T, host::vmbus::CloseRings>) {
            log_("host closes channel %llu", static_cast<unsigned long long>(action.channel));
            const auto at = open_.find(action.channel);
            if (at != open_.end() && at->second.nic) at->second.nic->closed(at->second.index);
            open_.erase(action.channel);
          } else if constexpr (std::is_same_v<T, host::vmbus::TakeGpadl>) {
            const auto at = open_.find(action.channel);
            if (at != open_.end() && at->second.nic)
              at->second.nic->gpadl_gone(at->second.index, action.gpadl_id);
          } else if constexpr (std::is_same_v<T, host::vmbus::Retarget>) {
            if (const auto at = open_.find(action.channel); at != open_.end())
              at->second.vp = action.vp;
          } else if constexpr (std::is_same_v<T, host::vmbus::Complain>) {
            log_("host complains: %s (%u)", host::vmbus::name(action.complaint), action.value);
            // A second unload after a crash, a body that names nothing: whatever it is, an honest
            // host never sees it from us.
            if (profile_.strict())
              fail(std::string("the host saw ") + host::vmbus::name(action.complaint));
          }
        },
        actions[i]);
    actions.insert(actions.end(), more.begin(), more.end());
  }
}

void Host::open(const host::vmbus::OpenRings& rings, Actions& more) {
  auto contiguous = [](const std::vector<uint64_t>& frames) {
    for (size_t i = 1; i < frames.size(); i++) {
      if (frames[i] != frames[0] + i) return false;
    }
    return true;
  };
  const auto in_first = static_cast<uint32_t>(rings.incoming[0]);
  const auto out_first = static_cast<uint32_t>(rings.outgoing[0]);
  const size_t in_pages = rings.incoming.size();
  const size_t out_pages = rings.outgoing.size();
  const bool good = contiguous(rings.incoming) && contiguous(rings.outgoing) &&
                    in_first + in_pages <= memory_.size() &&
                    out_first + out_pages <= memory_.size();
  bool ok = false;
  if (good) {
    auto in = hv::vmbus::RingMemory::create({memory_.at(in_first), in_pages * Memory::kPage});
    auto out = hv::vmbus::RingMemory::create({memory_.at(out_first), out_pages * Memory::kPage});
    if (in && out) {
      auto reader = hv::vmbus::RingReader::create(in.value());
      auto writer = hv::vmbus::RingWriter::create(out.value());
      if (reader && writer) {
        ok = true;
        Open channel{rings.relid,
                     rings.vp,
                     in_first,
                     out_first,
                     static_cast<uint32_t>(in_pages),
                     static_cast<uint32_t>(out_pages),
                     reader.value(),
                     writer.value(),
                     {}};
        check_memory(channel);
        Open& opened = open_.emplace(rings.channel, std::move(channel)).first->second;
        opened.index = rings.index;
        if (const auto nic = nics_.find(rings.primary); nic != nics_.end()) {
          opened.nic = nic->second.get();
          opened.nic->opened(rings.primary, rings.index, rings.relid, opened.in, opened.out);
        }
      }
    }
  }
  log_("host opens relid %u on vp %u: %d", rings.relid, rings.vp, ok);
  control_.opened(rings.channel, ok, more);
  if (ok && rings.index == 0 && profile_.sub_channels && !nics_.contains(rings.primary)) {
    (void)control_.offer_sub_channels(rings.channel, static_cast<uint16_t>(profile_.sub_channels),
                                      more);
  }
}

// --- To the guest ---

void Host::deliver(uint32_t vp) {
  auto& queue = outbound_[vp];
  if (profile_.hostile) tamper(queue);
  if (queue.empty()) return;
  uint32_t type = 0;
  std::memcpy(&type, queue.front().data(), std::min<size_t>(sizeof(type), queue.front().size()));
  log_("host delivers message %u to vp %u", type, vp);
  processors_->deliver(vp, std::move(queue.front()));
  queue.pop_front();
}

void Host::interrupt(Open& channel) {
  log_("host signals relid %u on vp %u", channel.relid, channel.vp);
  if (processors_) processors_->set_flag(channel.vp, channel.relid);
}

/// The host may write only where the guest has let it.
void Host::check_memory(const Open& channel) const {
  for (uint32_t i = 0; i < channel.pages_in + channel.pages_out; i++) {
    const uint32_t frame =
        i < channel.pages_in ? channel.in_first + i : channel.out_first + i - channel.pages_in;
    if (!memory_.allocated(frame)) fail("the host serves a ring in memory that was freed");
    if (profile_.isolated && !memory_.shared(frame))
      fail("the host serves a ring in private memory");
  }
}

void Host::serve(Open& channel) {
  if (keeps_word()) check_memory(channel);
  if (profile_.hostile && rng_.chance(channel.nic ? 3 : 30)) scribble(channel);
  if (channel.nic) {
    if (channel.signalled) channel.nic->signalled(channel.index);
    channel.signalled = false;
    if (channel.nic->runnable(channel.index)) channel.nic->serve(channel.index);
    Actions actions;
    for (const auto& [primary, count] : sub_channels_due_)
      (void)control_.offer_sub_channels(primary, count, actions);
    sub_channels_due_.clear();
    apply(actions);
    return;
  }
  if (channel.signalled && !channel.reading) {
    channel.in.mask();
    channel.reading = true;
  }
  channel.signalled = false;
  channel.waits_for_room = false;
  if (channel.reading) read_requests(channel);
  write_replies(channel);
}

void Host::read_requests(Open& channel) {
  const uint32_t most = 1 + rng_.below(4);
  for (uint32_t i = 0; i < most && channel.replies.size() < 8; i++) {
    auto packet = channel.in.read(buffer_);
    if (!packet) {
      if (packet.error() == Error::RingEmpty) {
        if (channel.in.commit() == Signal::Yes) interrupt(channel);
        auto more = channel.in.unmask();
        if (!more) channel.broken = true;
        channel.reading = more && more.value();
        if (channel.reading) channel.in.mask();
        break;
      }
      if (!profile_.hostile) fail("the host cannot read the guest's ring");
      channel.broken = true;
      break;
    }
    Reply reply{packet->transaction_id, {packet->payload.begin(), packet->payload.end()}, false};
    log_("host reads packet of %zu bytes on relid %u", reply.payload.size(), channel.relid);
    channel.replies.push_back(std::move(reply));
    // Some devices speak unasked, with transaction id 0.
    if (channel.notifications < 20 && rng_.chance(150)) {
      channel.replies.push_back({0, std::vector<std::byte>(64 + 8 * rng_.below(100)), true});
      channel.notifications++;
    }
  }
  if (channel.in.commit() == Signal::Yes) interrupt(channel);
}

void Host::write_replies(Open& channel) {
  if (channel.broken) return;
  bool staged = false;
  while (!channel.replies.empty()) {
    const Reply& reply = channel.replies.front();
    const auto type =
        reply.notification ? hv::wire::PacketType::DataInBand : hv::wire::PacketType::Completion;
    auto put = channel.out.stage(type, 0, reply.transaction_id, {}, reply.payload);
    if (!put) {
      if (put.error() != Error::RingFull) {
        if (!profile_.hostile) fail("the host cannot write to its ring");
        channel.broken = true;
      }
      break;
    }
    staged = true;
    channel.replies.pop_front();
  }
  if (staged && channel.out.commit() == Signal::Yes) interrupt(channel);
  if (!channel.replies.empty() && !channel.broken) {
    auto room = channel.out.wait_for_space(static_cast<uint32_t>(
        hv::vmbus::RingWriter::packet_size(0, channel.replies.front().payload.size())));
    if (!room && !profile_.hostile) fail("the host cannot wait for room");
    if (!room) channel.broken = true;
    channel.waits_for_room = room && !room.value();
  }
}

// --- Devices come and go ---

void Host::offer() {
  host::vmbus::OfferInfo info;
  uint8_t number = next_instance_;
  if (!gone_instances_.empty()) {
    number = gone_instances_.back();
    gone_instances_.pop_back();
  } else {
    next_instance_++;
  }
  const bool network = profile_.network && number == kNetworkDevice;
  // Every fourth class is one that a confidential VM does not take.
  info.class_id = number % 4 == 3 ? "f912ad6d-2b17-48ea-bd65-f927a61c7684"_guid
                                  : "ba6163d9-04a1-4d29-b605-72e2ffb1dc7f"_guid;
  if (network) info.class_id = hv::wire::netvsc::kNetworkClass;
  info.instance_id = "11111111-2222-3333-4444-555555555500"_guid;
  info.instance_id.bytes[15] = number;
  Actions actions;
  auto key = control_.offer(info, actions);
  if (key) devices_.push_back({key.value(), number});
  if (key && network)
    nics_[key.value()] = std::make_unique<net::SimNic>(profile_, rng_, log_, memory_, ledger_,
                                                       *this, 30 + rng_.below(120));
  log_("host offers device %u", number);
  apply(actions);
}

void Host::event() {
  events_left_--;
  if (devices_.empty() || rng_.chance(400)) {
    offer();
    return;
  }
  const uint32_t which = rng_.below(static_cast<uint32_t>(devices_.size()));
  const auto [key, number] = devices_[which];
  devices_.erase(devices_.begin() + which);
  gone_instances_.push_back(number);
  log_("host rescinds device %u", number);
  Actions actions;
  (void)control_.rescind(key, actions);
  apply(actions);
}

void Host::lose_a_device() {
  if (devices_.empty()) return;
  const auto [key, number] = devices_.front();
  devices_.erase(devices_.begin());
  Actions actions;
  (void)control_.rescind(key, actions);
  apply(actions);
}

// --- Network adapters ---

void Host::no_more_events() {
  events_left_ = 0;
  for (auto& [key, nic] : nics_) nic->no_more_events();
}

bool Host::frames_left() const {
  return std::any_of(nics_.begin(), nics_.end(),
                     [](const auto& nic) { return nic.second->events_left(); });
}

size_t Host::with_guest() const {
  size_t count = 0;
  for (const auto& [key, nic] : nics_) count += nic->with_guest();
  return count;
}

void Host::function_sends(std::span<const std::byte> frame) {
  for (auto& [key, nic] : nics_) {
    if (nic->open()) return nic->function_sends(frame);
  }
  if (!profile_.hostile) fail("a frame goes by the virtual function of an adapter that is closed");
}

void Host::signal_guest(uint32_t relid) {
  for (auto& [key, channel] : open_) {
    if (channel.relid == relid) interrupt(channel);
  }
}

std::vector<uint64_t> Host::gpadl_pages(uint32_t relid, uint32_t gpadl_id) {
  const auto* gpadl = control_.gpadls().find(relid, gpadl_id);
  return gpadl && gpadl->ranges.size() == 1 ? gpadl->ranges[0].frames : std::vector<uint64_t>();
}

// --- Oracles ---

bool Host::has_page(uint32_t frame) const { return control_.gpadls().contains(frame); }

bool Host::waits_for_room() const {
  for (const auto& [key, channel] : open_) {
    if (channel.waits_for_room) return true;
  }
  return false;
}

bool Host::quiet() const {
  for (const auto& queue : outbound_) {
    if (!queue.empty()) return false;
  }
  return inbound_.empty();
}

}  // namespace hv::sim
