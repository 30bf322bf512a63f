// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "host/faults/faults.hpp"
#include "host/machine.hpp"
#include "host/vmbus/channel.hpp"
#include "host/vmbus/control.hpp"
#include "host/vmbus/device.hpp"
#include "host/vmbus/late.hpp"
#include "host/vmbus/log.hpp"
#include "host/vmbus/monitor.hpp"

namespace hv::host::vmbus {

struct ServerOptions {
  hv::wire::vmbus::Version max_version = hv::wire::vmbus::Version::V5_3;
  Log::Sink log;         ///< called from several threads, one at a time
  bool monitor = false;  ///< offer monitored channels: guests signal by the monitor page
  bool verbose = false;  ///< also what is in order: connected, disconnected
};

struct ChannelStatus {
  uint16_t index;
  uint32_t relid;  ///< 0: the guest does not know the channel
  bool open;
  bool failed;  ///< the guest broke the protocol on it
  uint32_t vp;  ///< kNoInterrupt: polled
  uint64_t signals_in, signals_out, packets_in, packets_out, bytes_in, bytes_out;
};
struct DeviceStatus {
  std::string name;
  Guid class_id;
  Guid instance_id;
  bool leaving;  ///< rescinded, the guest has not let go yet
  std::vector<ChannelStatus> channels;
};
struct ServerStatus {
  std::optional<hv::wire::vmbus::Version> version;  ///< none: no guest is connected
  std::vector<DeviceStatus> devices;
};

/// The VMBus server of one machine: devices on one side, a guest on the other. One thread of its
/// own does all the work, in the order in which it was asked for: control messages of the guest,
/// devices coming and going. Devices serve their channels on threads of their own. Concurrency: all
/// methods from any thread but a device's callbacks. Message posting never waits for a device.
class Server : public MessageSink {
 public:
  Server(Machine& machine, ServerOptions options);
  /// Closes all channels and lets go of all devices.
  ~Server() override;
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Offers a device. Errors: BadId (such an instance is there), Exhausted. Virtual for hosts that
  /// put something around their devices.
  virtual Result<void> add(std::shared_ptr<Device> device);

  enum class Removal {
    Released,  ///< the guest let go, or did not know the device
    Forced,    ///< it did not in time: its channels were closed under it
    NotFound,
  };
  /// Takes a device away and waits for the guest to let go of it, at most `limit`.
  Removal remove(const Guid& instance_id, std::chrono::milliseconds limit);

  ServerStatus status();
  /// What this host does wrong; its devices ask there, too.
  Faults& faults() { return faults_; }
  /// Returns when all that was asked for before is done.
  void drain();

  bool message_from_guest(uint32_t connection_id, uint32_t message_type,
                          std::span<const std::byte> payload) override;
  void reset() override;

 private:
  using Task = std::variant<GuestMessage, std::function<void()>>;
  /// A device and what of it is open.
  class Attached;

  void work();
  void take(GuestMessage message);
  void feed(const GuestMessage& message);
  std::string moved_device(std::span<const std::byte> message) const;
  void run(const std::function<void()>& function);
  void later(std::function<void()> function);
  void perform(Actions& actions);
  void perform_one(Action& action, Actions& more);
  void open(const OpenRings& rings, Actions& more);
  void close(ChannelKey channel);
  void let_go(ChannelKey primary);
  void answer_gpadl(ChannelKey primary, uint16_t index, uint32_t gpadl_id);
  void close_all();
  Attached* owner(ChannelKey channel);

  static constexpr size_t kQueueLimit =
      1024;                                  ///< guest messages not yet handled; then its VP waits
  static constexpr size_t kLateLimit = 256;  ///< kept by a fault; more are done at once

  Machine& machine_;
  const bool verbose_;
  Faults faults_;
  Log log_;
  std::mutex mutex_;  ///< of queue_, guest_messages_, stop_, leaving_
  std::condition_variable wake_;
  std::condition_variable room_;
  std::condition_variable gone_changed_;
  std::deque<Task> queue_;
  size_t guest_messages_ = 0;
  bool stop_ = false;
  std::map<ChannelKey, bool> leaving_;  ///< removals waited for: whether the device is gone

  // Touched by the worker alone.
  ControlMachine control_;
  LateMessages late_;
  std::map<ChannelKey, std::unique_ptr<Attached>> devices_;
  MonitorWatch monitors_;
  bool undeliverable_ = false;

  std::thread worker_;
};

}  // namespace hv::host::vmbus
