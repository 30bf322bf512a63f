// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>

#include "host/storvsp/packet.hpp"

namespace hv::host::storvsp {

/// What the host offers in the negotiation.
struct SessionLimits {
  wire::storvsc::Version newest = wire::storvsc::Version::Win10;
  uint32_t max_transfer_bytes = 256 * 1024;
  uint16_t max_sub_channels = 0;
  std::optional<wire::storvsc::FcHbaData> fibre_channel{};  ///< of a Fibre Channel controller
};

/// The negotiation on the primary channel, as a machine: packet in, completion out. Shared by the
/// channels of a device. Concurrency: `handle` and `reset` by one thread at a time each (locked);
/// the queries by any.
class Session {
 public:
  explicit Session(SessionLimits limits) : limits_(limits) {}

  /// The answer to any packet but ExecuteSrb. `offer` asks for that many sub-channels and says
  /// whether that could be done.
  template <typename Offer>
  Outgoing handle(const Incoming& packet, bool primary, Offer&& offer) {
    const std::lock_guard lock(mutex_);
    if (packet.operation == wire::storvsc::Operation::CreateSubChannels)
      return create_sub_channels(packet, primary, offer);
    return negotiate(packet, primary);
  }

  /// The primary channel was closed: the next one begins anew.
  void reset();

  bool ready() const { return ready_.load(std::memory_order_acquire); }
  /// Of packets that the host sends by itself.
  size_t packet_size() const;
  /// Before 4.2 there was no ENUMERATE_BUS.
  bool knows_enumerate_bus() const;
  /// 0 before it was negotiated.
  uint16_t version() const;
  const SessionLimits& limits() const { return limits_; }

 private:
  /// What the guest has to say next.
  enum class State : uint8_t {
    Begin,       ///< BEGIN_INITIALIZATION
    Version,     ///< QUERY_PROTOCOL_VERSION, until one is taken
    Properties,  ///< QUERY_PROPERTIES
    End,         ///< FCHBA_DATA, CREATE_SUB_CHANNELS, END_INITIALIZATION
    Ready,       ///< requests, on all channels
  };

  Outgoing negotiate(const Incoming& packet, bool primary);
  Outgoing answer_version(const Incoming& packet);
  Outgoing answer_properties(const Incoming& packet);
  bool has(wire::Sender sender, wire::storvsc::Operation operation) const;
  bool multi_channel() const {
    return has(wire::Sender::Guest, wire::storvsc::Operation::CreateSubChannels);
  }

  template <typename Offer>
  Outgoing create_sub_channels(const Incoming& packet, bool primary, Offer&& offer) {
    namespace proto = wire::storvsc;
    uint32_t status = proto::kStatusSuccess;
    if (!primary || (state_ != State::End && state_ != State::Ready)) {
      status = proto::kStatusInvalidDeviceState;
    } else if (!multi_channel() || packet.sub_channels > limits_.max_sub_channels ||
               !offer(packet.sub_channels)) {
      status = proto::kStatusInvalidParameter;
    }
    return Outgoing(proto::Operation::CompleteIo, status, packet.size);
  }

  const SessionLimits limits_;
  mutable std::mutex mutex_;
  State state_ = State::Begin;
  wire::storvsc::Version version_{};
  std::atomic<bool> ready_{false};
};

}  // namespace hv::host::storvsp
