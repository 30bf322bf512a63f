// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/server.hpp"

#include <chrono>

namespace hv::host::hostile {

Conspiracy::Conspiracy(host::Machine& honest, const Plan& plan)
    : machine(honest, intent), channels(intent), plan_(plan), thread_([this] { work(); }) {}

Conspiracy::~Conspiracy() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

void Conspiracy::work() {
  // The last place: no channel gets that far.
  Stream stream(intent, ~uint64_t{0});
  constexpr auto kBeat = std::chrono::milliseconds(2);
  std::unique_lock lock(mutex_);
  if (plan_.after) {
    if (wake_.wait_for(lock, *plan_.after, [this] { return stop_; })) return;
    intent.start(plan_.seed, plan_.rate);
  }
  while (!wake_.wait_for(lock, kBeat, [this] { return stop_; })) {
    lock.unlock();
    if (stream.strikes()) {
      if (stream.dice().chance(500)) {
        machine.attack(stream.dice());
      } else {
        channels.attack(stream.dice());
      }
    }
    lock.lock();
  }
}

}  // namespace hv::host::hostile
