// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <array>

#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"

// From boot to the end, whichever it is.
namespace hv::sim {

namespace wire = hv::wire::vmbus;

namespace {
constexpr hv::vmbus::Time kRunLimit = 900'000;
}  // namespace

bool Kernel::main_runnable() const {
  switch (phase_) {
    case Phase::Boot:
      return true;
    case Phase::WaitConnect:
    case Phase::WaitOffers:
    case Phase::WaitUnload:
    case Phase::WaitSuspend:
    case Phase::WaitResume:
      return !main_waiter_.waiting;
    case Phase::Running: {
      if (now_ >= running_until_ && !profile_.strict()) return true;
      if (second_) return true;
      if (host_.events_left() || host_.frames_left() || budget_hotplug_ || budget_rebind_ ||
          going_down_ >= 0 || hotplug_waiter_.waiting || rebind_waiter_.waiting) {
        return false;
      }
      for (const auto& driver : drivers_) {
        if (!driver->settled()) return false;
      }
      return true;
    }
    case Phase::Stopping:
      return all_stopped();
    case Phase::Over:
      return false;
  }
  return false;
}

bool Kernel::all_stopped() const {
  const bool keep = profile_.end == End::Suspend && !suspended_once_;
  if (hotplug_waiter_.waiting || rebind_waiter_.waiting) return false;
  for (const auto& driver : drivers_) {
    if (!driver->finished() && !(keep && driver->idle())) return false;
  }
  return true;
}

void Kernel::stop_all(bool release) {
  for (const auto& driver : drivers_) driver->stop(release);
}

void Kernel::main_step() {
  switch (phase_) {
    case Phase::Boot: {
      auto begun = connection_.connect(main_waiter_.request, now_);
      if (!begun) {
        if (!profile_.isolated) fail("cannot connect");
        phase_ = Phase::Over;
        break;
      }
      wait(main_waiter_);
      phase_ = Phase::WaitConnect;
      break;
    }
    case Phase::WaitConnect: {
      if (!main_waiter_.result.ok) {
        const bool too_old = profile_.isolated &&
                             std::min(profile_.host_max, profile_.guest_max) < wire::Version::V5_2;
        if (profile_.strict() && !too_old) fail("an honest host was not connected to");
        phase_ = main_waiter_.result.error == Error::Exhausted && connect_attempts_++ < 8
                     ? Phase::Boot
                     : Phase::Over;
        break;
      }
      const auto agreed = std::min(profile_.host_max, profile_.guest_max);
      if (profile_.strict() && connection_.version() != agreed)
        fail("not the highest version that both speak");
      auto begun = connection_.request_offers(main_waiter_.request, now_);
      if (!begun) fail("offers cannot be asked for");
      wait(main_waiter_);
      phase_ = Phase::WaitOffers;
      break;
    }
    case Phase::WaitOffers:
      log_("running");
      phase_ = Phase::Running;
      running_until_ = now_ + kRunLimit;
      break;
    case Phase::Running:
      if (profile_.end == End::Crash && !second_) {
        crash();
        break;
      }
      log_("stopping");
      calm_ = true;
      host_.no_more_events();
      going_down_ = -1;
      stop_all(profile_.end != End::Suspend || suspended_once_);
      phase_ = Phase::Stopping;
      break;
    case Phase::Stopping: {
      const bool keep = profile_.end == End::Suspend && !suspended_once_;
      auto begun = connection_.unload(keep, main_waiter_.request, now_);
      if (!begun) {
        if (!profile_.hostile) fail("cannot unload");
        phase_ = Phase::Over;
        break;
      }
      wait(main_waiter_);
      phase_ = keep ? Phase::WaitSuspend : Phase::WaitUnload;
      break;
    }
    case Phase::WaitSuspend: {
      if (profile_.strict() && !main_waiter_.result.ok) fail("an honest host did not unload");
      suspended_once_ = true;
      if (rng_.chance(500)) host_.lose_a_device();
      auto begun = connection_.resume(main_waiter_.request, now_);
      if (!begun) {
        phase_ = Phase::Over;
        break;
      }
      wait(main_waiter_);
      phase_ = Phase::WaitResume;
      break;
    }
    case Phase::WaitResume:
      if (profile_.strict() && !main_waiter_.result.ok) fail("an honest host was not resumed");
      if (connection_.state() != hv::vmbus::Connection::State::Connected) {
        phase_ = Phase::Over;
        break;
      }
      log_("resumed");
      for (const auto& driver : drivers_) {
        if (driver->channel().state() == hv::vmbus::Channel::State::Suspended)
          fail("a channel neither came back nor was rescinded");
      }
      phase_ = Phase::Running;
      running_until_ = now_ + kRunLimit;
      break;
    case Phase::WaitUnload:
      if (!main_waiter_.result.ok && profile_.strict()) fail("an honest host did not unload");
      unloaded_cleanly_ = main_waiter_.result.ok;
      phase_ = Phase::Over;
      hand_over();
      check_all_returned();
      break;
    case Phase::Over:
      break;
  }
}

/// The next kernel gets the machine: the hypervisor must not write into its memory any more.
void Kernel::hand_over() {
  for (uint32_t cpu = 0; cpu < cpus_.size(); cpu++) take_down(cpu);
  for (const Cpu& cpu : cpus_) {
    if (cpu.synic || cpu.assist)
      fail("a page that the hypervisor writes to is left enabled for the next kernel");
  }
}

void Kernel::check_all_returned() {
  hv::vmbus::Event event;
  while (connection_.next_event(event)) {
    if (event.kind == hv::vmbus::Event::Kind::ChannelFreed) storage_out_--;
    if (event.kind == hv::vmbus::Event::Kind::GpadlReleased) {
      const auto at = lost_.find(event.gpadl);
      if (at == lost_.end()) continue;
      auto buffer = std::move(at->second);
      lost_.erase(at);
      hand_back(std::move(buffer));
    }
  }
  while (connection_.reclaim()) storage_out_--;
  if (storage_out_ != 0) fail("storage of channels was not given back");
  size_t lost = 0;
  for (const auto& [gpadl, buffer] : lost_) lost += buffer->pages;
  if (memory_.allocated_count() != leaked_pages_ + lost) fail("memory was not given back");
  if (connection_.gpadl_count() != lost_.size()) fail("GPADLs without memory");
  if (connection_.channel_count() != 0) fail("channels are left over");
  if (!profile_.strict()) return;
  if (lost != 0) fail("an honest host kept memory");
  if (connection_.version() < wire::Version::V3_0) return;  // nothing was said at the end
  if (host_.gpadl_count() != 0 || host_.open_channels() != 0)
    fail("the host has something of an unloaded guest");
}

/// A panic: this CPU alone goes on, from whatever state all others were stopped in; the notifier
/// and the kexec handler both come by.
void Kernel::crash() {
  log_("crash");
  crashed_ = true;
  phase_ = Phase::Over;
  for (Cpu& cpu : cpus_) cpu.online = false;
  cpus_[rng_.below(static_cast<uint32_t>(cpus_.size()))].online = true;
  std::array<std::byte, wire::kMaxMessageSize> message{};
  size_t posted = 0;
  for (int handler = 0; handler < 2; handler++) {
    const size_t size = connection_.crash_unload(message);
    if (size == 0) continue;
    (void)host_.posted(connection_.message_connection_id(), std::span(message).first(size));
    posted++;
  }
  bool answered = false;
  for (int polls = 0; polls < 4000 && posted != 0 && !answered; polls++) {
    Choices choices;
    host_.collect(choices);
    std::erase_if(choices, [](Choice choice) { return choice.kind == Choice::HostEvent; });
    if (!choices.empty()) host_.run(choices[rng_.below(static_cast<uint32_t>(choices.size()))]);
    // All CPUs that are there: those that were stopped may have the answer.
    for (Cpu& cpu : cpus_) {
      if (!cpu.message_full || !cpu.synic) continue;
      answered = answered || hv::vmbus::Connection::is_unload_response(cpu.message);
      cpu.message_full = false;
    }
  }
  // A second unload, if there was one, is handled too.
  while (profile_.strict() && !host_.quiet() && posted > 1) {
    Choices choices;
    host_.collect(choices);
    std::erase_if(choices, [](Choice choice) { return choice.kind == Choice::HostEvent; });
    if (choices.empty()) break;
    host_.run(choices.front());
    for (Cpu& cpu : cpus_) cpu.message_full = false;
  }
  if (profile_.strict() && posted != 0 && !answered)
    fail("the answer to a crash's unload was not found");
  for (Cpu& cpu : cpus_) cpu.pages = 0;  // the dying kernel frees nothing
  hand_over();
  if (profile_.isolated) {
    // The dump reads private memory only: a shared page is not what it seems in the next kernel.
    for (uint32_t frame = 1; frame < memory_.size(); frame++) {
      if (memory_.shared(frame) && !HV_MUTANT(17)) continue;
      memory_.read_private(frame);
    }
  }
  if (profile_.strict() && posted != 0) {
    for (uint32_t frame = 1; frame < memory_.size(); frame++) {
      if (host_.has_page(frame)) fail("the host has memory of a crashed kernel");
    }
  }
}

}  // namespace hv::sim
