// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <memory>
#include <string>

#include "host/storvsp/channel_service.hpp"
#include "host/vmbus/channel_threads.hpp"
#include "host/vmbus/device.hpp"

namespace hv::host::storvsp {

struct ControllerOptions {
  enum class Bus : uint8_t { Scsi, Ide, FibreChannel };
  Bus bus = Bus::Scsi;
  uint8_t number = 0;  ///< of the controller; IDE: the channel, 0 or 1
  uint8_t target = 0;  ///< IDE alone: 0 or 1; each IDE disk is a device of its own
  SessionLimits limits;
  bool allow_uring = true;
};

/// One storage controller: a VMBus device with a thread per open channel.
/// Concurrency: the Device methods by the server; the others from any thread.
class Controller final : public vmbus::Device {
 public:
  explicit Controller(const ControllerOptions& options);

  const vmbus::OfferInfo& offer() const override { return offer_; }
  std::string name() const override { return name_; }
  void attached(vmbus::DeviceHandle& handle) override {
    shared_.handle.store(&handle, std::memory_order_release);
  }
  void detached() override { shared_.handle.store(nullptr, std::memory_order_release); }
  bool opened(vmbus::OpenChannel& channel) override;
  void closed(vmbus::OpenChannel& channel) override;

  /// False: something is there already. The guest is told to look.
  bool add(Address address, std::shared_ptr<scsi::LogicalUnit> unit);
  /// Another unit in the place of one, at once. False: nothing is there. The guest is told to look,
  /// and finds the place taken; commands in flight come to their end on the unit that they began
  /// on.
  bool replace(Address address, std::shared_ptr<scsi::LogicalUnit> unit);
  /// The same, for a unit that stays what it was, as a drive with another medium: the guest is not
  /// told to look. False: nothing is there.
  bool change(Address address, std::shared_ptr<scsi::LogicalUnit> unit);
  /// False: nothing is there. The guest is told to look; commands in flight come to their end.
  bool remove(Address address);
  /// Tells the guest to look at its logical units again.
  void announce();

  std::shared_ptr<const LunMap> luns() const { return shared_.luns.snapshot(); }
  uint16_t protocol_version() const { return shared_.session.version(); }

 private:
  const std::string name_;
  vmbus::OfferInfo offer_;
  ControllerShared shared_;
  vmbus::ChannelThreads<ChannelService> channels_;
};

/// As Hyper-V: one channel per four vCPUs, of at most 256. Channels beyond the primary.
constexpr uint16_t default_sub_channels(uint32_t vcpus) {
  const uint32_t counted = vcpus > 256 ? 256 : vcpus;
  return static_cast<uint16_t>(counted == 0 ? 0 : (counted + 3) / 4 - 1);
}

}  // namespace hv::host::storvsp
