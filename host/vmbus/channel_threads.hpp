// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <fmt/format.h>
#include <pthread.h>

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "host/vmbus/device.hpp"

namespace hv::host::vmbus {

/// The open channels of one device, each with a service and the thread that runs it. A Service has
/// `run()`, which returns after `stop()`, which any thread may call. Concurrency: `start` and `end`
/// by the server; `each` and `with` from any thread.
template <typename Service>
class ChannelThreads {
 public:
  ~ChannelThreads() {
    for (auto& [index, served] : served_) served->end();
  }

  /// Serves `channel` by a Service made of `arguments`. False: no thread or no descriptor is left.
  template <typename... Arguments>
  bool start(const std::string& device, OpenChannel& channel, Arguments&&... arguments) {
    try {
      auto served = std::make_unique<Served>(channel, std::forward<Arguments>(arguments)...);
      Service& service = served->service;
      served->thread = std::thread([&service] { service.run(); });
      ::pthread_setname_np(served->thread.native_handle(),
                           fmt::format("{}/{}", device, channel.index()).substr(0, 15).c_str());
      const std::lock_guard lock(mutex_);
      served_[channel.index()] = std::move(served);
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }

  /// Ends the service of `channel`; on return its thread is gone. False: it was not served.
  bool end(const OpenChannel& channel) {
    std::unique_ptr<Served> served;
    {
      const std::lock_guard lock(mutex_);
      const auto found = served_.find(channel.index());
      if (found == served_.end()) return false;
      served = std::move(found->second);
      served_.erase(found);
    }
    served->end();
    return true;
  }

  /// Calls `call(index, service)` for each open channel; it must not wait for one.
  template <typename Call>
  void each(Call&& call) {
    const std::lock_guard lock(mutex_);
    for (auto& [index, served] : served_) call(index, served->service);
  }

  /// Calls `call(service)` if that channel is open. False: it is not.
  template <typename Call>
  bool with(uint16_t index, Call&& call) {
    const std::lock_guard lock(mutex_);
    const auto found = served_.find(index);
    if (found == served_.end()) return false;
    call(found->second->service);
    return true;
  }

 private:
  struct Served {
    template <typename... Arguments>
    explicit Served(OpenChannel& channel, Arguments&&... arguments)
        : service(channel, std::forward<Arguments>(arguments)...) {}
    void end() {
      service.stop();
      thread.join();
    }
    Service service;
    std::thread thread;
  };

  std::mutex mutex_;
  std::map<uint16_t, std::unique_ptr<Served>> served_;
};

}  // namespace hv::host::vmbus
