// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/nic.hpp"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

namespace hv::host::netvsp {
namespace {

/// Told apart by their permanent address, which no two NICs of a machine share.
vmbus::OfferInfo offer_of(const DeviceFacts& facts) {
  vmbus::OfferInfo offer;
  offer.class_id = wire::netvsc::kNetworkClass;
  offer.instance_id = "7c2f3a10-58d4-4b6e-9a41-000000000000"_guid;
  for (size_t i = 0; i < facts.mac.size(); i++)
    offer.instance_id.bytes[10 + i] = static_cast<uint8_t>(facts.mac[i]);
  return offer;
}

}  // namespace

Nic::Nic(DeviceFacts facts, SessionLimits limits, std::unique_ptr<NetBackend> backend,
         Faults& faults)
    : name_(facts.name),
      offer_(offer_of(facts)),
      backend_(std::move(backend)),
      shared_(limits, std::move(facts), *backend_) {
  shared_.device.set_faults(faults);
  backend_->start([this](net::Frame&& frame) { deliver(std::move(frame)); });
}

Nic::~Nic() { backend_->stop(); }

bool Nic::opened(vmbus::OpenChannel& channel) {
  if (!channels_.start(name_, channel, shared_)) return false;
  if (channel.index() == 0) return true;
  uint16_t open = 0;
  channels_.each([&](uint16_t, ChannelService&) { open++; });
  if (open == shared_.granted.load(std::memory_order_acquire) + 1) {
    channels_.with(0, [open](ChannelService& primary) { primary.announce_channels(open); });
  }
  return true;
}

void Nic::leaving() {
  shared_.leaving.store(true, std::memory_order_release);
  channels_.each([](uint16_t, ChannelService& service) { service.fall_silent(); });
  // Linux cannot give a packet back any more once its channel is rescinded, and then waits for that
  // without end, its locks held.
  constexpr auto kPatience = std::chrono::milliseconds(500);
  const auto end = std::chrono::steady_clock::now() + kPatience;
  bool silent = false;
  while (!silent && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    silent = true;
    channels_.each([&](uint16_t, ChannelService& service) { silent = silent && service.silent(); });
  }
}

void Nic::closed(vmbus::OpenChannel& channel) {
  if (!channels_.end(channel) || channel.index() != 0) return;
  shared_.buffers.drop(Buffer::Receive);
  shared_.buffers.drop(Buffer::Send);
  shared_.device.reset();
  backend_->join(false);
  shared_.granted.store(0, std::memory_order_release);
  const std::lock_guard lock(shared_.session_mutex);
  shared_.session.reset();
}

void Nic::gpadl_found(vmbus::OpenChannel& channel, uint32_t gpadl_id,
                      std::span<const uint64_t> frames) {
  auto pages = SharedPages::resolve(channel.machine(), frames);
  channels_.with(channel.index(),
                 [&](ChannelService& service) { service.gpadl_found(gpadl_id, std::move(pages)); });
}

void Nic::gpadl_gone(vmbus::OpenChannel& channel, uint32_t gpadl_id) {
  channels_.with(channel.index(), [&](ChannelService& service) { service.gpadl_gone(gpadl_id); });
}

void Nic::set_link(bool up) {
  (void)shared_.device.set_link(up);
  channels_.with(0, [](ChannelService& primary) { primary.link_changed(); });
}

void Nic::set_function(std::optional<uint32_t> serial) {
  // Of one that is taken away the guest still hears the serial.
  const uint64_t before = shared_.function.load(std::memory_order_relaxed);
  shared_.function.store(serial ? kFunction | *serial : before & ~kFunction,
                         std::memory_order_release);
  channels_.with(0, [](ChannelService& primary) { primary.function_changed(); });
}

std::optional<uint32_t> Nic::function() const {
  const uint64_t function = shared_.function.load(std::memory_order_relaxed);
  return function & kFunction ? std::optional(static_cast<uint32_t>(function)) : std::nullopt;
}

wire::netvsc::DataPath Nic::data_path() {
  const std::lock_guard lock(shared_.session_mutex);
  return shared_.session.data_path();
}

uint32_t Nic::protocol_version() {
  const std::lock_guard lock(shared_.session_mutex);
  return static_cast<uint32_t>(shared_.session.version().value_or(wire::netvsc::Version{}));
}

void Nic::deliver(net::Frame&& frame) {
  const bool leaving = shared_.leaving.load(std::memory_order_acquire);
  if (leaving || !shared_.device.link() || !shared_.device.initialized())
    return count(shared_.counters.dropped_link);
  if (!shared_.device.wants(frame.bytes)) return count(shared_.counters.dropped_filter);
  const RndisDevice::Place place = shared_.device.place(frame.bytes);
  bool taken = false;
  const auto give = [&](ChannelService& service) {
    taken = service.deliver(std::move(frame), place.hash);
  };
  // A channel of the table that is not open (yet): the primary does.
  if (!channels_.with(place.channel, give) && !channels_.with(0, give))
    return count(shared_.counters.dropped_link);
  if (!taken) count(shared_.counters.dropped_no_room);
}

}  // namespace hv::host::netvsp
