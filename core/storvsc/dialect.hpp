// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>

#include "core/wire/storvsc.hpp"

namespace hv::storvsc {

/// What was agreed on, and what follows from it: how long packets and sense data are.
struct Dialect {
  wire::storvsc::Version version;
  uint8_t packet_size;                              ///< bytes of every packet we send
  uint8_t sense_size;                               ///< bytes of sense data we ask for
  uint8_t features = wire::storvsc::kEveryFeature;  ///< kFeature...; all, until they are known

  /// Whether `sender` may send an operation with a body of `bytes`. Errors: NotSupported,
  /// Truncated.
  constexpr Result<void> check(wire::Sender sender, wire::storvsc::Operation operation,
                               size_t bytes) const {
    return check_message(wire::storvsc::kMessages, sender, operation, bytes, version, features);
  }
};

/// The versions we speak, best first. 2.0 is left out: no host that still runs speaks nothing
/// better. Hosts take the long packet in every version, and the dialogue before there is a version
/// uses it.
inline constexpr std::array<Dialect, 4> kDialects = {{
    {wire::storvsc::Version::Win10, wire::storvsc::kPacketSize, wire::storvsc::kSenseSize},
    {wire::storvsc::Version::Win8_1, wire::storvsc::kPacketSize, wire::storvsc::kSenseSize},
    {wire::storvsc::Version::Win8, wire::storvsc::kPacketSize, wire::storvsc::kSenseSize},
    {wire::storvsc::Version::Win7, wire::storvsc::kPacketSizeBeforeWin8,
     wire::storvsc::kSenseSizeBeforeWin8},
}};

/// How long the host may take to answer what is not I/O. Seconds.
inline constexpr unsigned kAnswerSeconds = 180;
/// How long a request may take before the port is asked what to do with it. Seconds. The answer is
/// to go on waiting: the host may still write to the request's pages, so giving it up is never safe
/// while the channel is open.
inline constexpr unsigned kRequestSeconds = 180;
/// What the host is told: after so long it may give a request up itself. Seconds.
inline constexpr unsigned kHostRequestSeconds = 60;

}  // namespace hv::storvsc
