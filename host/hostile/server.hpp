// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "host/hostile/device.hpp"
#include "host/hostile/intent.hpp"
#include "host/hostile/machine.hpp"
#include "host/vmbus/server.hpp"

namespace hv::host::hostile {

/// What stands around a server that means harm, and the thread that acts unasked. While the intent
/// is good it does nothing.
class Conspiracy {
 public:
  Conspiracy(host::Machine& machine, const Plan& plan);
  ~Conspiracy();
  Conspiracy(const Conspiracy&) = delete;
  Conspiracy& operator=(const Conspiracy&) = delete;

  Intent intent;
  Machine machine;
  OpenChannels channels;

 private:
  void work();

  const Plan plan_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stop_ = false;
  std::thread thread_;
};

/// An honest server between two liars: the machine under it and the devices above it.
class Server final : private Conspiracy, public vmbus::Server {
 public:
  Server(host::Machine& honest, vmbus::ServerOptions options, const Plan& plan)
      : Conspiracy(honest, plan), vmbus::Server(machine, std::move(options)) {}

  Result<void> add(std::shared_ptr<vmbus::Device> device) override {
    return vmbus::Server::add(std::make_shared<Device>(std::move(device), channels));
  }
  using Conspiracy::intent;
};

}  // namespace hv::host::hostile
