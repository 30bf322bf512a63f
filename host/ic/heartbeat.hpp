// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

#include "host/ic/dialogue.hpp"
#include "host/vmbus/channel_threads.hpp"
#include "host/vmbus/device.hpp"
#include "host/vmbus/service_end.hpp"

namespace hv::host::ic {

struct HeartbeatStatus {
  enum class State : uint8_t {
    NoContact,    ///< no driver of the guest has opened the channel
    Negotiating,  ///< the guest has not answered a first beat yet
    Refused,      ///< it speaks none of ours
    Ok,
    Lost,  ///< kMostMissed in a row were not answered
  };
  State state = State::NoContact;
  wire::ic::Version framework{};
  wire::ic::Version version{};
  uint64_t answered = 0;     ///< since the channel was opened
  uint32_t missed = 0;       ///< in a row
  uint32_t application = 0;  ///< what the guest says of its application
};

const char* name(HeartbeatStatus::State state);

/// What the device and its channel's thread share. Any thread.
class HeartbeatBoard {
 public:
  HeartbeatStatus status() const {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  template <typename Change>
  void change(Change&& change) {
    const std::lock_guard lock(mutex_);
    change(status_);
  }

 private:
  mutable std::mutex mutex_;
  HeartbeatStatus status_;
};

/// Asks the guest on its channel again and again. Concurrency: one thread, but for `stop`.
class HeartbeatService {
 public:
  using Clock = std::chrono::steady_clock;
  /// As Hyper-V asks.
  static constexpr std::chrono::milliseconds kInterval{2000};
  static constexpr uint32_t kMostMissed = 5;

  HeartbeatService(vmbus::OpenChannel& channel, HeartbeatBoard& board,
                   std::chrono::milliseconds interval);

  void run();
  void stop() { end_.stop(); }

 private:
  void take_answers();
  void take(std::span<const std::byte> packet);
  void beat();

  vmbus::ServiceEnd end_;
  HeartbeatBoard& board_;
  const std::chrono::milliseconds interval_;
  Dialogue dialogue_;
  uint64_t sequence_ = 0;
  bool asked_ = false;  ///< and not answered as it should be
};

/// The heartbeat of a guest: a VMBus device. Concurrency: the Device methods by the server,
/// `status` by any thread.
class Heartbeat final : public vmbus::Device {
 public:
  explicit Heartbeat(std::chrono::milliseconds interval = HeartbeatService::kInterval);

  const vmbus::OfferInfo& offer() const override { return offer_; }
  std::string name() const override { return "heartbeat"; }
  bool opened(vmbus::OpenChannel& channel) override;
  void closed(vmbus::OpenChannel& channel) override;

  HeartbeatStatus status() const { return board_.status(); }

 private:
  const std::chrono::milliseconds interval_;
  vmbus::OfferInfo offer_;
  HeartbeatBoard board_;
  vmbus::ChannelThreads<HeartbeatService> channels_;
};

}  // namespace hv::host::ic
