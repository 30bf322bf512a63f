// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/net/nic.hpp"

#include <algorithm>

#include "ports/sim/net/nic_channel.hpp"

namespace hv::sim::net {

namespace {

using host::netvsp::Buffer;
using wire::netvsc::Version;

host::netvsp::SessionLimits some_limits(const Profile& profile, Rng& rng) {
  constexpr Version all[] = {Version::V6_1, Version::V6, Version::V5,
                             Version::V4,   Version::V2, Version::V1};
  host::netvsp::SessionLimits limits;
  // Old hosts are not for a confidential VM.
  limits.newest = rng.chance(500) || profile.isolated ? Version::V6_1 : all[rng.below(6)];
  limits.queues = static_cast<uint16_t>(1 + rng.below(3));
  limits.old_send_table = rng.chance(500);
  return limits;
}

host::netvsp::DeviceFacts some_facts(Rng& rng) {
  host::netvsp::DeviceFacts facts;
  for (size_t i = 0; i < facts.mac.size(); i++) facts.mac[i] = std::byte{SimNic::kMac[i]};
  facts.name = "sim";
  facts.old_speed_messages = rng.chance(500);
  return facts;
}

}  // namespace

std::optional<std::span<std::byte>> GuestMemory::memory(uint64_t gpa, size_t length) {
  const uint64_t size = uint64_t{memory_.size()} * Memory::kPage;
  if (gpa > size || length > size - gpa) return std::nullopt;
  const auto first = static_cast<uint32_t>(gpa / Memory::kPage);
  const auto last = static_cast<uint32_t>((gpa + std::max<size_t>(length, 1) - 1) / Memory::kPage);
  for (uint32_t frame = first; frame <= last && !profile_.hostile; frame++) {
    if (!memory_.allocated(frame)) fail("the host is told of memory that is freed");
    if (profile_.isolated && !memory_.shared(frame)) fail("the host is told of private memory");
  }
  return std::span(memory_.at(first) + gpa % Memory::kPage, length);
}

SimNic::SimNic(const Profile& profile, Rng& rng, Log& log, Memory& memory, Ledger& ledger,
               NicPort& port, unsigned frames)
    : profile_(profile),
      rng_(rng),
      log_(log),
      memory_(memory),
      ledger_(ledger),
      port_(port),
      machine_(memory, profile),
      limits_(some_limits(profile, rng)),
      facts_(some_facts(rng)),
      shared_(limits_, facts_, *this),
      frames_left_(frames),
      attention_(rng.chance(500)   ? 1000
                 : rng.chance(700) ? 20
                                   : 4) {
  shared_.handle = this;
}

SimNic::~SimNic() = default;

void SimNic::opened(uint64_t primary, uint16_t index, uint32_t relid, hv::vmbus::RingReader& in,
                    hv::vmbus::RingWriter& out) {
  primary_ = primary;
  channels_[index] = std::make_unique<Channel>(*this, index, relid, in, out);
  if (index == 0) receive_pages_.clear();
  if (index == 0) return;
  const auto open = static_cast<uint16_t>(channels_.size());
  if (open != shared_.granted.load() + 1 || !channels_.contains(0)) return;
  channels_[0]->service.announce_channels(open);
  signalled(0);
}

void SimNic::closed(uint16_t index) {
  channels_.erase(index);
  if (index != 0) return;
  shared_.buffers.drop(Buffer::Receive);
  shared_.buffers.drop(Buffer::Send);
  shared_.device.reset();
  shared_.granted.store(0);
  shared_.session.reset();
}

void SimNic::gpadl_gone(uint16_t index, uint32_t gpadl_id) {
  if (const auto at = channels_.find(index); at != channels_.end())
    at->second->service.gpadl_gone(gpadl_id);
}

void SimNic::signalled(uint16_t index) {
  const auto at = channels_.find(index);
  if (at == channels_.end() || !at->second->asleep) return;
  at->second->asleep = false;
  at->second->incoming().mask();
}

bool SimNic::runnable(uint16_t index) const {
  const auto at = channels_.find(index);
  return at != channels_.end() && !at->second->asleep && !at->second->broken;
}

void SimNic::serve(uint16_t index) {
  Channel& channel = *channels_.at(index);
  if (!rng_.chance(attention_)) return;
  channel.woken = false;
  channel.asleep = channel.service.step();
  if (channel.woken) signalled(index);
  if (profile_.hostile && rng_.chance(200)) harm(channel);
  const uint64_t dropped = shared_.counters.dropped_sent.load();
  ledger_.host_dropped(dropped - dropped_seen_);
  dropped_seen_ = dropped;
  if (profile_.hostile) return;
  if (shared_.counters.stray_completions.load() != 0)
    fail("a frame of the host was given back twice");
  if (shared_.counters.dropped_halted.load() != 0)
    fail("a frame is sent behind the HALT: it is lost");
  if (shared_.counters.bad_packets.load() != 0)
    fail("the host refuses what an honest guest has sent");
}

void SimNic::event() {
  // Most of it comes to a guest that listens.
  if (shared_.device.filter() == 0 && !rng_.chance(50)) return;
  if (!rng_.chance(120)) {
    if (rng_.chance(300)) arrive();
    return;
  }
  frames_left_--;
  if (rng_.chance(300)) {
    const bool gives = shared_.function.load() == 0 || rng_.chance(300);
    log_("host: virtual function %d", gives);
    shared_.function.store(gives ? host::netvsp::kFunction | kSerial : kSerial);
    if (!channels_.contains(0)) return;
    channels_[0]->service.function_changed();
    return signalled(0);
  }
  const bool up = !shared_.device.link() || rng_.chance(300);
  log_("host: link %d", up);
  // It is up in the end.
  if (!shared_.device.set_link(up || frames_left_ == 0) || !channels_.contains(0)) return;
  channels_[0]->service.link_changed();
  signalled(0);
}

/// As Nic::deliver; but a host spreads frames as it likes, and some of them forget the filter.
void SimNic::arrive() {
  for (uint32_t burst = rng_.chance(500) ? 1 : 1 + rng_.below(12); burst > 0 && frames_left_ > 0;
       burst--) {
    frames_left_--;
    const auto length = Ledger::kLeast + rng_.below(400);
    const uint32_t number = ledger_.new_arrived(length);
    host::net::Frame frame{std::vector<std::byte>(length), false};
    Ledger::fill(frame.bytes, number, kMac);
    if (!shared_.device.link() || (!shared_.device.wants(frame.bytes) && !rng_.chance(100)))
      continue;
    const auto place = shared_.device.place(frame.bytes);
    auto at = channels_.find(place.channel);
    if (!channels_.empty() && rng_.chance(500))
      at = std::next(channels_.begin(), rng_.below(static_cast<uint32_t>(channels_.size())));
    if (at == channels_.end()) at = channels_.find(0);
    if (at == channels_.end()) continue;
    if (at->second->service.deliver(std::move(frame), place.hash)) signalled(at->first);
  }
}

void SimNic::function_sends(std::span<const std::byte> frame) {
  const bool heeded = shared_.session.data_path() == wire::netvsc::DataPath::Vf;
  if (!profile_.hostile && !heeded)
    fail("a frame goes by a virtual function that the host was not heard to heed: it is lost");
  ledger_.reached(frame, !profile_.hostile);
}

size_t SimNic::with_guest() const {
  size_t count = 0;
  for (const auto& [index, channel] : channels_)
    count += channel->broken ? 0 : channel->service.with_guest();
  return count;
}

bool SimNic::send(std::span<std::byte> frame, const host::net::Offload&, uint16_t) {
  ledger_.reached(frame, !profile_.hostile);
  return true;
}

bool SimNic::offer_sub_channels(uint16_t count) {
  port_.offer_sub_channels(primary_, count);
  return true;
}

void SimNic::find_gpadl(uint16_t index, uint32_t gpadl_id) {
  Channel& channel = *channels_.at(index);
  auto frames = port_.gpadl_pages(channel.relid(), gpadl_id);
  auto pages = frames.empty() ? std::nullopt : host::netvsp::SharedPages::resolve(machine_, frames);
  if (pages && index == 0 && receive_pages_.empty()) receive_pages_ = frames;
  channel.service.gpadl_found(gpadl_id, std::move(pages));
  channel.woken = true;
}

}  // namespace hv::sim::net
