// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <bitset>
#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "core/vmbus/connection.hpp"
#include "ports/sim/driver.hpp"
#include "ports/sim/host.hpp"
#include "ports/sim/memory.hpp"
#include "ports/sim/support.hpp"

namespace hv::sim {

/// A guest operating system in small: CPUs with their SynIC pages, message and channel interrupts,
/// a work queue, the one who posts, drivers, CPU hotplug. The port of core/vmbus that the simulator
/// runs; each step is one indivisible piece of one context.
class Kernel : public Processors {
 public:
  using Time = hv::vmbus::Time;
  Kernel(const Profile& profile, Rng& rng, Log& log, Memory& memory, Host& host, Time& now,
         bool second);
  ~Kernel() override;

  // Processors
  bool message_slot_free(uint32_t vp) const override;
  void deliver(uint32_t vp, std::vector<std::byte> message) override;
  void set_flag(uint32_t vp, uint32_t flag) override;

  // The scheduler
  void collect(Choices& choices);
  void run(Choice choice);
  Time next_deadline() const;
  void time_passed();
  bool over() const { return phase_ == Phase::Over; }
  bool crashed() const { return crashed_; }
  const char* phase_name() const;
  /// What is owed when nothing can happen any more: nullptr when nothing is.
  const char* stuck() const;
  /// Where everybody is, for the log.
  void describe();

  // For drivers
  const Profile& profile() const { return profile_; }
  Rng& rng() { return rng_; }
  Log& log() { return log_; }
  Memory& memory() { return memory_; }
  Host& host() { return host_; }
  Time now() const { return now_; }
  const Time& clock() const { return now_; }
  hv::vmbus::Connection& connection() { return connection_; }
  bool allocation_fails() { return profile_.alloc_faults && !calm_ && rng_.chance(40); }
  bool cpu_usable(uint32_t cpu) const {
    return cpus_[cpu].online && static_cast<int>(cpu) != going_down_;
  }
  uint32_t any_cpu();
  void wait(Waiter& waiter) { waiter.waiting = true; }
  void keep_until_released(std::unique_ptr<Buffer> buffer);
  void hand_back(std::unique_ptr<Buffer> buffer);
  bool has_sub_drivers(const hv::vmbus::Channel& primary) const;
  bool sub_drivers_in_use(const hv::vmbus::Channel& primary) const;
  void stop_sub_drivers(const hv::vmbus::Channel& primary, bool release);
  void used_cpu(uint32_t cpu) { cpus_[cpu].was_target = true; }

 private:
  friend class Driver;
  enum class Phase {
    Boot,
    WaitConnect,
    WaitOffers,
    Running,
    Stopping,
    WaitUnload,
    WaitSuspend,
    WaitResume,
    Over,
  };
  struct Cpu {
    bool online = false;
    bool was_target = false;
    uint32_t pages = 0;  ///< SIMP, SIEFP, and the assist page that the hypervisor writes to
    bool synic = false, assist = false;
    bool message_full = false;
    std::vector<std::byte> message;
    std::bitset<wire::vmbus::kMaxChannels> flags;
    bool interrupt = false;
  };
  // kernel_synic.cc
  bool bring_up(uint32_t cpu);
  void take_down(uint32_t cpu);
  void message_interrupt(uint32_t cpu);
  void event_interrupt(uint32_t cpu);
  bool hotplug_runnable() const;
  void hotplug_step();
  void rebind();
  // kernel_events.cc
  void work();
  void post_begin();
  void post_end();
  void event_step();
  void request_done(const hv::vmbus::Event& event);
  void donate();
  ChannelDriver* driver_of(const hv::vmbus::Channel& channel);
  // kernel_life.cc
  void main_step();
  std::unique_ptr<ChannelDriver> new_driver(hv::vmbus::Channel& channel);
  bool main_runnable() const;
  bool all_stopped() const;
  void stop_all(bool release);
  void crash();
  void hand_over();
  void check_all_returned();

  const Profile& profile_;
  Rng& rng_;
  Log& log_;
  Memory& memory_;
  Host& host_;
  Time& now_;
  const bool second_;
  bool calm_ = false;  ///< no more faults: what is left to do must succeed
  hv::vmbus::Connection connection_;
  std::vector<Cpu> cpus_;
  std::deque<std::vector<std::byte>> work_;
  hv::vmbus::Post post_;
  bool posting_ = false;
  Phase phase_ = Phase::Boot;
  Waiter main_waiter_;
  std::deque<std::unique_ptr<hv::vmbus::Channel>> storage_;
  size_t storage_out_ = 0;  ///< donated and not come back
  std::vector<std::unique_ptr<ChannelDriver>> drivers_;
  std::vector<std::unique_ptr<ChannelDriver>>
      graveyard_;  ///< never reused: who is called after his end is found out
  std::map<hv::vmbus::Gpadl*, std::unique_ptr<Buffer>> lost_;
  std::vector<std::unique_ptr<Buffer>> dead_buffers_;
  unsigned budget_hotplug_, budget_rebind_;
  int going_down_ = -1;
  Waiter hotplug_waiter_, rebind_waiter_;
  bool suspended_once_ = false, crashed_ = false;
  Time running_until_ = 0;
  size_t leaked_pages_ = 0;
  unsigned connect_attempts_ = 0;
  bool unloaded_cleanly_ = false;
};

inline hv::vmbus::ConnectionConfig config_of(const Profile& profile) {
  return {.max_version = profile.guest_max,
          .interrupt_page = 0x1000,
          .monitor_page1 = 0x2000,
          .monitor_page2 = 0x3000,
          .isolated = profile.isolated};
}

}  // namespace hv::sim
