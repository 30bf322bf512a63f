// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <memory>
#include <string>

#include "host/backends/net_backend.hpp"
#include "host/netvsp/channel_service.hpp"
#include "host/vmbus/channel_threads.hpp"
#include "host/vmbus/device.hpp"

namespace hv::host::netvsp {

/// One network adapter: a VMBus device with a thread per open channel.
/// Concurrency: the Device methods by the server; the others from any thread.
class Nic final : public vmbus::Device {
 public:
  Nic(DeviceFacts facts, SessionLimits limits, std::unique_ptr<NetBackend> backend, Faults& faults);
  ~Nic() override;

  const vmbus::OfferInfo& offer() const override { return offer_; }
  std::string name() const override { return name_; }
  void attached(vmbus::DeviceHandle& handle) override {
    shared_.handle.store(&handle, std::memory_order_release);
  }
  void detached() override { shared_.handle.store(nullptr, std::memory_order_release); }
  /// Waits half a second at most for the guest to give back what it was sent.
  void leaving() override;
  bool opened(vmbus::OpenChannel& channel) override;
  void closed(vmbus::OpenChannel& channel) override;
  void gpadl_found(vmbus::OpenChannel& channel, uint32_t gpadl_id,
                   std::span<const uint64_t> frames) override;
  void gpadl_gone(vmbus::OpenChannel& channel, uint32_t gpadl_id) override;

  /// Pulls the cable, or puts it in again; the guest is told. Told anew that it is up, a guest says
  /// to its network where it is.
  void set_link(bool up);
  bool link() const { return shared_.device.link(); }
  /// Gives the adapter a virtual function in the slot `serial`, or takes it away (nullopt): the
  /// guest is told. The function itself is nobody's affair here: frames go on by the channels, too.
  void set_function(std::optional<uint32_t> serial);
  std::optional<uint32_t> function() const;
  wire::netvsc::DataPath data_path();
  Mac mac() const { return shared_.device.mac(); }
  const NicCounters& counters() const { return shared_.counters; }
  const NetBackend& backend() const { return *backend_; }
  /// 0 before it is agreed on.
  uint32_t protocol_version();

 private:
  void deliver(net::Frame&& frame);

  const std::string name_;
  vmbus::OfferInfo offer_;
  std::unique_ptr<NetBackend> backend_;
  NicShared shared_;
  vmbus::ChannelThreads<ChannelService> channels_;
};

}  // namespace hv::host::netvsp
