// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/kernel.hpp"

#include "core/base/mutant.hpp"

// The kernel's contexts as the scheduler sees them.
namespace hv::sim {

Kernel::Kernel(const Profile& profile, Rng& rng, Log& log, Memory& memory, Host& host, Time& now,
               bool second)
    : profile_(profile),
      rng_(rng),
      log_(log),
      memory_(memory),
      host_(host),
      now_(now),
      second_(second),
      connection_(config_of(profile)),
      cpus_(profile.cpus),
      budget_hotplug_(profile.hotplug && profile.cpus > 1 ? 6 : 0),
      budget_rebind_(profile.hotplug ? 6 : 0) {
  for (uint32_t cpu = 0; cpu < cpus_.size(); cpu++) bring_up(cpu);
}

Kernel::~Kernel() = default;

void Kernel::collect(Choices& choices) {
  if (main_runnable()) choices.push_back({Choice::Main, 0});
  for (uint16_t cpu = 0; cpu < cpus_.size(); cpu++) {
    if (cpus_[cpu].message_full) choices.push_back({Choice::MessageInterrupt, cpu});
    if (cpus_[cpu].interrupt) choices.push_back({Choice::EventInterrupt, cpu});
  }
  bool somebody_waits = false;
  for (uint16_t i = 0; i < drivers_.size(); i++) {
    ChannelDriver& driver = *drivers_[i];
    if (driver.runnable()) choices.push_back({Choice::DriverStep, i});
    if (driver.tasklet_runnable()) choices.push_back({Choice::Tasklet, i});
    if (driver.signal_pending()) choices.push_back({Choice::DriverSignal, i});
    somebody_waits = somebody_waits || driver.waits_for_host();
  }
  // The bug: messages are handled by the very queue in which somebody waits for one.
  if (!work_.empty() && !(HV_MUTANT(11) && somebody_waits)) choices.push_back({Choice::Work, 0});
  choices.push_back({posting_ ? Choice::PostEnd : Choice::PostBegin, 0});
  choices.push_back({Choice::EventStep, 0});
  if (phase_ == Phase::Running) {
    if (hotplug_runnable()) choices.push_back({Choice::Hotplug, 0});
    if (budget_rebind_ && !rebind_waiter_.waiting) choices.push_back({Choice::Rebind, 0});
  }
}

void Kernel::run(Choice choice) {
  switch (choice.kind) {
    case Choice::Main:
      main_step();
      break;
    case Choice::MessageInterrupt:
      message_interrupt(choice.index);
      break;
    case Choice::EventInterrupt:
      event_interrupt(choice.index);
      break;
    case Choice::DriverStep:
      drivers_[choice.index]->step();
      break;
    case Choice::Tasklet:
      drivers_[choice.index]->tasklet();
      break;
    case Choice::DriverSignal:
      drivers_[choice.index]->signal();
      break;
    case Choice::Work:
      work();
      break;
    case Choice::PostBegin:
      post_begin();
      break;
    case Choice::PostEnd:
      post_end();
      break;
    case Choice::EventStep:
      event_step();
      break;
    case Choice::Hotplug:
      if (going_down_ >= 0 || rng_.chance(80)) hotplug_step();
      break;
    case Choice::Rebind:
      if (rng_.chance(80)) rebind();
      break;
    default:
      break;
  }
}

Kernel::Time Kernel::next_deadline() const {
  Time first = connection_.next_deadline();
  for (const auto& driver : drivers_) {
    if (const auto deadline = driver->deadline()) first = std::min(first, *deadline);
  }
  if (phase_ == Phase::Running && !profile_.strict()) first = std::min(first, running_until_);
  return first;
}

void Kernel::time_passed() {
  connection_.expire(now_);
  for (const auto& driver : drivers_) {
    if (driver->deadline() && *driver->deadline() <= now_) driver->deadline_reached();
  }
}

const char* Kernel::stuck() const {
  if (main_waiter_.waiting) return "the kernel waits for the host";
  for (const auto& driver : drivers_) {
    if (driver->sleeps()) return nullptr;
  }
  for (const auto& driver : drivers_) {
    if (const char* why = driver->stuck()) return why;
  }
  if (host_.waits_for_room()) return "the host waits for room: a wake-up was lost";
  return phase_ == Phase::Over ? nullptr : phase_name();
}

void Kernel::describe() {
  log_("phase: %s; cpu going down %d, waits %d; rebind waits %d; budgets %u %u", phase_name(),
       going_down_, hotplug_waiter_.waiting, rebind_waiter_.waiting, budget_hotplug_,
       budget_rebind_);
  log_("connection state %d, version %x, main waits %d, posting %d",
       static_cast<int>(connection_.state()), static_cast<unsigned>(connection_.version()),
       main_waiter_.waiting, posting_);
  for (const auto& driver : drivers_) {
    const auto& channel = driver->channel();
    log_(
        "relid %u sub-channel %u: driver state %d, channel state %d, rescinded %d, modifying %d, "
        "settled %d",
        channel.relid(), channel.sub_index(), driver->state_number(),
        static_cast<int>(channel.state()), channel.rescinded(), channel.modifying(),
        driver->settled());
    driver->describe(log_);
  }
}

const char* Kernel::phase_name() const {
  switch (phase_) {
    case Phase::Boot:
      return "stuck at boot";
    case Phase::WaitConnect:
      return "stuck connecting";
    case Phase::WaitOffers:
      return "stuck waiting for offers";
    case Phase::Running:
      return "stuck running";
    case Phase::Stopping:
      return "stuck stopping";
    case Phase::WaitUnload:
      return "stuck unloading";
    case Phase::WaitSuspend:
      return "stuck suspending";
    case Phase::WaitResume:
      return "stuck resuming";
    case Phase::Over:
      return "over";
  }
  return "";
}

void Kernel::keep_until_released(std::unique_ptr<Buffer> buffer) {
  log_("memory at %u stays with the host", buffer->first);
  auto* gpadl = &buffer->gpadl;
  lost_.emplace(gpadl, std::move(buffer));
}

void Kernel::hand_back(std::unique_ptr<Buffer> buffer) {
  buffer->handed_back = true;
  if (profile_.isolated) {
    if (profile_.alloc_faults && rng_.chance(200)) {
      // Nobody knows what these pages are now. They are lost, not free.
      leaked_pages_ += buffer->pages;
      if (HV_MUTANT(19)) memory_.free(buffer->first, buffer->pages);
      dead_buffers_.push_back(std::move(buffer));
      return;
    }
    memory_.set_shared(buffer->first, buffer->pages, false);
  }
  memory_.free(buffer->first, buffer->pages);
  dead_buffers_.push_back(std::move(buffer));
}

bool Kernel::has_sub_drivers(const hv::vmbus::Channel& primary) const {
  for (const auto& driver : drivers_) {
    if (driver->channel().primary() == &primary && !driver->finished()) return true;
  }
  return false;
}

bool Kernel::sub_drivers_in_use(const hv::vmbus::Channel& primary) const {
  for (const auto& driver : drivers_) {
    if (driver->channel().primary() == &primary && driver->in_use()) return true;
  }
  return false;
}

void Kernel::stop_sub_drivers(const hv::vmbus::Channel& primary, bool release) {
  for (const auto& driver : drivers_) {
    if (driver->channel().primary() == &primary) driver->stop(release);
  }
}

}  // namespace hv::sim
