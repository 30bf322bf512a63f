// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "ports/sim/world.hpp"

#include "ports/sim/kernel.hpp"

extern "C" {
int hv_mutant = 0;
}

namespace {
/// More turns of one loop without anything else happening mean that it has no end.
constexpr unsigned kMostTurns = 100'000;
unsigned turns = 0;
}  // namespace

extern "C" void hv_mutant_turn(void) {
  if (++turns > kMostTurns) hv::sim::fail("a loop over what the host says has no end");
}

namespace hv::sim {

namespace {

constexpr uint64_t kMostSteps = 400'000;

wire::vmbus::Version some_version(Rng& rng) {
  using wire::vmbus::Version;
  constexpr Version all[] = {Version::V5_3, Version::V5_2, Version::V5_1, Version::V5_0,
                             Version::V4_1, Version::V4_0, Version::V3_0, Version::V2_4};
  return rng.chance(600) ? Version::V5_3 : all[rng.below(8)];
}

class World {
 public:
  World(uint64_t seed, bool print)
      : rng_(seed),
        log_(print),
        profile_(Profile::from(rng_)),
        memory_(1500),
        host_(profile_, rng_, log_, memory_, processors_) {}

  void run() {
    log_(
        "hostile %d slow %d alloc %d post %d isolated %d cpus %u devices %u subs %u network %d "
        "host %x guest %x end %d",
        profile_.hostile, profile_.slow, profile_.alloc_faults, profile_.post_faults,
        profile_.isolated, profile_.cpus, profile_.devices, profile_.sub_channels, profile_.network,
        static_cast<unsigned>(profile_.host_max), static_cast<unsigned>(profile_.guest_max),
        static_cast<int>(profile_.end));
    boot(false);
    loop();
    // The crash kernel comes up in memory of its own and finds a host that knows nothing of the old
    // one.
    if (kernel_->crashed() && profile_.strict() &&
        kernel_->connection().version() >= wire::vmbus::Version::V3_0) {
      memory_ = Memory(1500);
      host_.ledger().closed(false);
      memory_.host_has = [this](uint32_t frame) { return host_.has_page(frame); };
      boot(true);
      loop();
    }
  }
  void describe() {
    if (kernel_) kernel_->describe();
  }
  uint64_t hash() const { return log_.hash(); }
  uint64_t steps() const { return steps_; }
  Log& log() { return log_; }

 private:
  void boot(bool second) {
    processors_ = nullptr;
    kernel_ = std::make_unique<Kernel>(profile_, rng_, log_, memory_, host_, now_, second);
    processors_ = kernel_.get();
  }

  void loop() {
    Choices choices;
    unsigned idle = 0;
    while (!kernel_->over()) {
      if (++steps_ > kMostSteps) fail("no end");
      choices.clear();
      host_.collect(choices);
      kernel_->collect(choices);
      // Two looks are always possible, for a message to post and for an event: when there is
      // nothing else for long, time passes.
      const bool only_looks = choices.size() <= 2;
      idle = only_looks ? idle + 1 : 0;
      if (idle > 40) {
        pass_time();
        idle = 0;
        continue;
      }
      if (profile_.slow && rng_.chance(2)) {
        pass_time();
        continue;
      }
      turns = 0;
      // A host that means harm may keep the guest busy; time goes on all the same.
      if (profile_.hostile && profile_.network && rng_.chance(1) &&
          kernel_->next_deadline() != ~hv::vmbus::Time{0}) {
        pass_time();
        idle = 0;
        continue;
      }
      const Choice choice = choices[rng_.below(static_cast<uint32_t>(choices.size()))];
      if (choice.kind <= Choice::HostEvent) {
        host_.run(choice);
      } else {
        kernel_->run(choice);
      }
    }
  }

  void pass_time() {
    const auto deadline = kernel_->next_deadline();
    if (profile_.strict()) {
      if (const char* why = kernel_->stuck())
        fail(std::string("nothing can happen any more: ") + why);
    }
    if (deadline == ~hv::vmbus::Time{0}) {
      if (profile_.slow && !kernel_->stuck()) return;
      if (!profile_.slow)
        fail(std::string("nothing can happen and nothing is waited for: ") + kernel_->phase_name());
      return;
    }
    if (deadline > now_) now_ = deadline;
    log_("time passes");
    kernel_->time_passed();
  }

  Rng rng_;
  Log log_;
  Profile profile_;
  Memory memory_;
  Processors* processors_ = nullptr;
  Host host_;
  std::unique_ptr<Kernel> kernel_;
  hv::vmbus::Time now_ = 0;
  uint64_t steps_ = 0;
};

}  // namespace

Profile Profile::from(Rng& rng) {
  Profile profile;
  const uint32_t kind = rng.below(100);
  profile.alloc_faults = kind >= 40 && kind < 60;
  profile.slow = kind >= 60 && kind < 72;
  profile.post_faults = kind >= 72 && kind < 80;
  profile.hostile = kind >= 80;
  profile.isolated = rng.chance(200);
  profile.hotplug = rng.chance(500);
  profile.host_max = some_version(rng);
  profile.guest_max = some_version(rng);
  profile.cpus = 1 + rng.below(4);
  profile.devices = 1 + rng.below(3);
  profile.sub_channels = rng.below(3);
  profile.host_events = rng.below(6);
  profile.end = static_cast<End>(rng.below(4));
  profile.network = rng.chance(400);
  // Below 3.0 there is no Unload, and so neither suspend nor a second connection.
  if (std::min(profile.host_max, profile.guest_max) < wire::vmbus::Version::V3_0)
    profile.end = End::Unload;
  return profile;
}

Outcome run_world(uint64_t seed, bool print) {
  Outcome outcome;
  World world(seed, print);
  try {
    world.run();
    outcome.ok = true;
  } catch (const Failure& failure) {
    outcome.why = failure.what();
    world.describe();
    world.log()("FAILED: %s", failure.what());
  }
  outcome.hash = world.hash();
  outcome.steps = world.steps();
  return outcome;
}

void set_mutant(int number) { hv_mutant = number; }

}  // namespace hv::sim
