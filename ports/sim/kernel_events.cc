// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/mutant.hpp"
#include "core/wire/netvsc.hpp"
#include "ports/sim/kernel.hpp"
#include "ports/sim/net/net_driver.hpp"

// The connection's port: messages in, messages out, events.
namespace hv::sim {

using hv::vmbus::Event;

void Kernel::donate() {
  if (!connection_.needs_storage() || allocation_fails()) return;
  storage_.push_back(std::make_unique<hv::vmbus::Channel>());
  connection_.donate(*storage_.back());
  storage_out_++;
}

void Kernel::work() {
  donate();
  const auto message = std::move(work_.front());
  work_.pop_front();
  const auto handled = connection_.on_message(message);
  if (!handled) log_("message refused: %s", name(handled.error()));
  hv::vmbus::Violation violation;
  while (connection_.next_violation(violation)) {
    // Answers to what a rescind has ended may still be on their way.
    using wire::vmbus::MessageType;
    const bool unsaid = connection_.state() == hv::vmbus::Connection::State::Disconnected &&
                        connection_.version() < wire::vmbus::Version::V3_0;
    const bool crossed =
        violation.why == Error::BadId && (violation.type == MessageType::GpadlCreated ||
                                          violation.type == MessageType::GpadlTorndown ||
                                          violation.type == MessageType::OpenChannelResult ||
                                          violation.type == MessageType::ModifyChannelResponse);
    if (profile_.strict() && !profile_.isolated && !profile_.alloc_faults && !crossed && !unsaid) {
      fail(std::string("an honest host's message was refused: ") + name(violation.why));
    }
  }
}

void Kernel::post_begin() {
  post_.bytes.fill(std::byte{0xcc});  // whatever is not written is seen by the host's check
  posting_ = connection_.next_post(post_);
}

void Kernel::post_end() {
  posting_ = false;
  bool accepted = false;
  if (!(profile_.post_faults && !calm_ && rng_.chance(30)))
    accepted = host_.posted(post_.connection_id, post_.payload());
  uint32_t type = 0;
  __builtin_memcpy(&type, post_.bytes.data(), sizeof(type));
  log_("guest posts message %u: %d", type, accepted);
  connection_.posted(accepted);
}

ChannelDriver* Kernel::driver_of(const hv::vmbus::Channel& channel) {
  return static_cast<ChannelDriver*>(channel.owner);
}

std::unique_ptr<ChannelDriver> Kernel::new_driver(hv::vmbus::Channel& channel) {
  if (channel.primary() && driver_of(*channel.primary()))
    return driver_of(*channel.primary())->driver_of(channel);
  if (channel.offer().class_id == wire::netvsc::kNetworkClass)
    return std::make_unique<net::NetDriver>(*this, channel);
  return std::make_unique<Driver>(*this, channel, 4 + rng_.below(16));
}

void Kernel::event_step() {
  Event event;
  if (!connection_.next_event(event)) return;
  switch (event.kind) {
    case Event::Kind::RequestDone:
      request_done(event);
      break;
    case Event::Kind::ChannelOffered: {
      auto& channel = *event.channel;
      for (const auto& other : drivers_) {
        if (&other->channel() != &channel && other->channel().relid() == channel.relid() &&
            channel.relid() != 0) {
          fail("two channels with one relid");
        }
      }
      log_("offer of relid %u, sub-channel %u", channel.relid(), channel.sub_index());
      drivers_.push_back(new_driver(channel));
      ChannelDriver& driver = *drivers_.back();
      channel.owner = &driver;
      const bool primary_stops = channel.primary() && driver_of(*channel.primary()) &&
                                 driver_of(*channel.primary())->stopping();
      if (phase_ == Phase::Stopping) driver.stop(profile_.end != End::Suspend || suspended_once_);
      if (primary_stops) driver.stop(channel.primary()->rescinded());
      break;
    }
    case Event::Kind::ChannelRescinded: {
      ChannelDriver* driver = driver_of(*event.channel);
      if (!driver) fail("a channel rescinded that was never offered");
      if (driver->rescind_told) fail("one channel rescinded twice");
      if (driver->finished()) fail("a channel rescinded that was released");
      driver->rescind_told = true;
      log_("relid %u rescinded, its driver in state %d", event.channel->relid(),
           driver->state_number());
      driver->stop(true);
      stop_sub_drivers(*event.channel, true);
      break;
    }
    case Event::Kind::ChannelReattached:
      log_("relid %u reattached", event.channel->relid());
      if (ChannelDriver* driver = driver_of(*event.channel)) driver->start_again();
      break;
    case Event::Kind::ChannelFreed: {
      auto& channel = *event.channel;
      for (size_t i = 0; i < drivers_.size(); i++) {
        if (&drivers_[i]->channel() != &channel) continue;
        graveyard_.push_back(std::move(drivers_[i]));
        drivers_.erase(drivers_.begin() + static_cast<std::ptrdiff_t>(i));
        break;
      }
      channel.owner = nullptr;
      storage_out_--;
      if (rng_.chance(500)) {
        connection_.donate(channel);
        storage_out_++;
      }
      break;
    }
    case Event::Kind::GpadlReleased: {
      const auto at = lost_.find(event.gpadl);
      if (static_cast<Buffer*>(event.gpadl->owner)->handed_back)
        fail("memory released that was taken back already");
      if (at == lost_.end()) break;  // its driver has not looked yet
      log_("memory at %u comes back late", at->second->first);
      auto buffer = std::move(at->second);
      lost_.erase(at);
      hand_back(std::move(buffer));
      break;
    }
  }
}

void Kernel::request_done(const Event& event) {
  auto& waiter = *static_cast<Waiter*>(event.request->owner);
  if (!waiter.waiting) fail("a completion outlived its waiter");
  waiter.waiting = false;
  waiter.result = event;
  if (!event.ok)
    log_("a request of kind %d ended: %s", static_cast<int>(event.request_kind), name(event.error));
  if (!event.ok && event.error == Error::TimedOut && profile_.strict())
    fail("a wait ended by its time limit, though the host is honest");
}

}  // namespace hv::sim
