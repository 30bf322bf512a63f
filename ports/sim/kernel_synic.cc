// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/mutant.hpp"
#include "ports/sim/kernel.hpp"

// CPUs: their SynIC pages, interrupts, going and coming.
namespace hv::sim {

namespace wire = hv::wire::vmbus;

bool Kernel::bring_up(uint32_t cpu) {
  Cpu& it = cpus_[cpu];
  const auto pages = memory_.allocate(3);
  if (!pages) return false;
  it.pages = *pages;
  it.online = it.synic = it.assist = true;
  it.message_full = it.interrupt = false;
  it.flags.reset();
  return true;
}

void Kernel::take_down(uint32_t cpu) {
  Cpu& it = cpus_[cpu];
  it.online = it.synic = it.interrupt = false;
  if (!HV_MUTANT(16)) it.assist = false;
  if (it.pages) memory_.free(it.pages, 3);
  if (!HV_MUTANT(24)) it.pages = 0;
}

bool Kernel::message_slot_free(uint32_t vp) const {
  return cpus_[vp].synic && !cpus_[vp].message_full;
}

void Kernel::deliver(uint32_t vp, std::vector<std::byte> message) {
  cpus_[vp].message = std::move(message);
  cpus_[vp].message_full = true;
}

void Kernel::set_flag(uint32_t vp, uint32_t flag) {
  Cpu& cpu = cpus_[vp];
  if (!cpu.synic) {
    // Of a channel that is closed or gone nobody misses a signal.
    const auto* channel = connection_.channel(flag);
    const bool missed = channel && !channel->rescinded() &&
                        (channel->state() == hv::vmbus::Channel::State::Open ||
                         channel->state() == hv::vmbus::Channel::State::Opening);
    if (missed && !profile_.hostile)
      fail("the host interrupts a CPU that is offline: the signal is lost");
    return;
  }
  cpu.flags.set(flag);
  cpu.interrupt = true;
}

/// The slot is shared with the host: its size may be another at each look.
void Kernel::message_interrupt(uint32_t cpu) {
  Cpu& it = cpus_[cpu];
  unsigned looks = 0;
  const auto shared_size = [&] {
    return looks++ > 0 && profile_.hostile ? size_t{255} : it.message.size();
  };
  const size_t size = shared_size();
  if (size <= wire::kMaxMessageSize) {
    const size_t copied = HV_MUTANT(10) ? shared_size() : size;
    if (copied > wire::kMaxMessageSize) fail("a message copied with a size that was not checked");
    work_.emplace_back(it.message.begin(),
                       it.message.begin() + static_cast<std::ptrdiff_t>(copied));
  }
  it.message_full = false;
}

void Kernel::event_interrupt(uint32_t cpu) {
  Cpu& it = cpus_[cpu];
  it.interrupt = false;
  for (size_t flag = it.flags._Find_first(); flag < it.flags.size();
       flag = it.flags._Find_next(flag)) {
    it.flags.reset(flag);
    if (auto* channel = connection_.channel(static_cast<uint32_t>(flag))) {
      if (ChannelDriver* driver = driver_of(*channel)) driver->callback();
    }
  }
}

uint32_t Kernel::any_cpu() {
  for (;;) {
    const uint32_t cpu = rng_.below(static_cast<uint32_t>(cpus_.size()));
    if (cpu_usable(cpu)) return cpu;
  }
}

bool Kernel::hotplug_runnable() const {
  if (hotplug_waiter_.waiting) return false;
  if (going_down_ < 0) return budget_hotplug_ > 0 && cpus_.size() > 1;
  // Not while it is open which CPU a channel interrupts.
  for (const auto& driver : drivers_) {
    const auto& channel = driver->channel();
    if (channel.modifying() && !HV_MUTANT(13)) return false;
    if (channel.state() == hv::vmbus::Channel::State::Opening &&
        channel.target_vp() == static_cast<uint32_t>(going_down_))
      return false;
  }
  return true;
}

void Kernel::hotplug_step() {
  if (going_down_ < 0) {
    budget_hotplug_--;
    const uint32_t cpu = 1 + rng_.below(static_cast<uint32_t>(cpus_.size() - 1));
    if (!cpus_[cpu].online) {
      log_("cpu %u comes up", cpu);
      bring_up(cpu);
      return;
    }
    // Below 5.3 nothing tells when the host has stopped to interrupt the old CPU.
    if (connection_.version() < wire::Version::V5_3 && cpus_[cpu].was_target) return;
    log_("cpu %u is to go down", cpu);
    going_down_ = static_cast<int>(cpu);
    return;
  }
  const auto cpu = static_cast<uint32_t>(going_down_);
  for (const auto& driver : drivers_) {
    auto& channel = driver->channel();
    if (channel.rescinded() || channel.target_vp() != cpu) continue;
    if (channel.state() == hv::vmbus::Channel::State::Open) {
      if (connection_.modify(channel, any_cpu(), hotplug_waiter_.request, now_)) {
        wait(hotplug_waiter_);
      } else {
        going_down_ = -1;
      }
      return;
    }
    if (channel.state() == hv::vmbus::Channel::State::OpenLost) {
      going_down_ = -1;
      return;
    }
  }
  log_("cpu %u goes down", cpu);
  if (cpus_[cpu].interrupt) event_interrupt(cpu);
  take_down(cpu);
  going_down_ = -1;
}

/// As by sysfs: some channel shall interrupt some other CPU.
void Kernel::rebind() {
  budget_rebind_--;
  for (const auto& driver : drivers_) {
    auto& channel = driver->channel();
    if (channel.state() != hv::vmbus::Channel::State::Open || channel.rescinded() ||
        rng_.chance(500))
      continue;
    const uint32_t cpu = any_cpu();
    if (connection_.modify(channel, cpu, rebind_waiter_.request, now_)) {
      log_("relid %u shall interrupt cpu %u", channel.relid(), cpu);
      used_cpu(cpu);
      wait(rebind_waiter_);
      return;
    }
  }
}

}  // namespace hv::sim
