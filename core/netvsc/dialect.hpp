// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>

#include "core/wire/netvsc.hpp"
#include "core/wire/rndis.hpp"

namespace hv::netvsc {

/// The versions we speak, best first.
inline constexpr std::array<wire::netvsc::Version, 6> kVersions = {
    wire::netvsc::Version::V6_1, wire::netvsc::Version::V6, wire::netvsc::Version::V5,
    wire::netvsc::Version::V4,   wire::netvsc::Version::V2, wire::netvsc::Version::V1,
};

/// What follows from the negotiated version, and from whether the host was told that we take a
/// virtual function.
class Dialect {
 public:
  constexpr explicit Dialect(wire::netvsc::Version version = wire::netvsc::Version::V1,
                             bool virtual_function = true)
      : version_(version), virtual_function_(virtual_function) {}

  constexpr wire::netvsc::Version version() const { return version_; }
  constexpr bool at_least(wire::netvsc::Version version) const { return version_ >= version; }

  /// What the host is told that we can do: kCapability...
  constexpr uint32_t capabilities() const {
    uint32_t told = wire::netvsc::kCapabilityVlan;
    if (at_least(wire::netvsc::Version::V5)) {
      // Without teaming the host tells nothing of the link's speed.
      told |= wire::netvsc::kCapabilityTeaming;
      if (virtual_function_) told |= wire::netvsc::kCapabilitySriov;
    }
    if (at_least(wire::netvsc::Version::V6_1)) told |= wire::netvsc::kCapabilityRsc;
    return told;
  }
  /// Whether `sender` may send a message with a body of `bytes`. Errors: NotSupported, Truncated.
  constexpr Result<void> check(wire::Sender sender, wire::netvsc::MessageType type,
                               size_t bytes) const {
    return check_message(wire::netvsc::kMessages, sender, type, bytes, version_, capabilities());
  }
  constexpr bool has(wire::Sender sender, wire::netvsc::MessageType type) const {
    return has_message(wire::netvsc::kMessages, sender, type, version_, capabilities());
  }

  /// The host takes frames larger than Ethernet's 1514 bytes, and VLAN tags.
  constexpr bool takes_config() const {
    return has(wire::Sender::Guest, wire::netvsc::MessageType::SendNdisConfig);
  }
  constexpr bool has_channels() const { return at_least(wire::netvsc::Version::V5); }
  /// NDIS 6.1 until version 4, then 6.30. The minor number of NDIS 6.
  constexpr uint32_t ndis_minor() const { return has_channels() ? 30 : 1; }
  /// Bytes of receive buffer that the host takes.
  constexpr uint32_t most_receive_buffer() const {
    return (at_least(wire::netvsc::Version::V4) ? 31u : 15u) << 20;
  }
  /// Hosts up to version 6 may misstate where the send table is in its message.
  constexpr bool send_table_offset_unreliable() const {
    return version_ <= wire::netvsc::Version::V6;
  }

 private:
  wire::netvsc::Version version_;
  bool virtual_function_;
};

/// What is reckoned with until the version is known: everything may be said.
inline constexpr Dialect kNewest{kVersions.front()};

/// How long the host may take to answer. Seconds.
inline constexpr unsigned kAnswerSeconds = 30;
/// How long the host may take for what it was sent, before the channel is closed upon it. Seconds.
inline constexpr unsigned kDrainSeconds = 10;

inline constexpr uint32_t kEthernetHeader = 14;
inline constexpr uint32_t kEthernetMtu = 1500;
inline constexpr uint32_t kLeastMtu = 68;
inline constexpr uint32_t kMostMtu = 65535 - kEthernetHeader;

}  // namespace hv::netvsc
