// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/wire/netvsc.hpp"
#include "host/hostile/channel.hpp"
#include "host/hostile/intent.hpp"
#include "host/hostile/receive_buffer.hpp"
#include "host/vmbus/device.hpp"

namespace hv::host::hostile {

/// The channels that are open now. Any thread.
class OpenChannels {
 public:
  explicit OpenChannels(Intent& intent) : intent_(intent) {}

  Channel& add(vmbus::OpenChannel& inner, ReceiveBuffer* buffer = nullptr);
  /// The one of ours that stands before `inner`; it lives until `remove`.
  Channel& of(vmbus::OpenChannel& inner);
  void remove(vmbus::OpenChannel& inner);
  /// On one of them, if there is any.
  void attack(Dice& dice);

 private:
  Intent& intent_;
  std::mutex mutex_;
  uint64_t places_ = 0;
  std::map<vmbus::OpenChannel*, std::unique_ptr<Channel>> channels_;
};

/// An honest device whose packets pass through a hostile channel.
class Device final : public vmbus::Device {
 public:
  Device(std::shared_ptr<vmbus::Device> inner, OpenChannels& channels)
      : inner_(std::move(inner)), channels_(channels) {}

  const vmbus::OfferInfo& offer() const override { return inner_->offer(); }
  std::string name() const override { return inner_->name(); }
  void attached(vmbus::DeviceHandle& handle) override { inner_->attached(handle); }
  void detached() override { inner_->detached(); }
  bool opened(vmbus::OpenChannel& channel) override;
  void closed(vmbus::OpenChannel& channel) override;
  void gpadl_found(vmbus::OpenChannel& channel, uint32_t gpadl_id,
                   std::span<const uint64_t> frames) override;
  void gpadl_gone(vmbus::OpenChannel& channel, uint32_t gpadl_id) override;

 private:
  bool is_network() const { return offer().class_id == wire::netvsc::kNetworkClass; }

  std::shared_ptr<vmbus::Device> inner_;
  OpenChannels& channels_;
  ReceiveBuffer buffer_;  ///< of a network adapter
};

}  // namespace hv::host::hostile
