// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <span>

#include "core/base/bytes.hpp"
#include "core/base/hot.h"
#include "core/base/result.hpp"
#include "core/storvsc/dialect.hpp"
#include "core/wire/storvsc.hpp"

namespace hv::storvsc {

/// A packet as it is sent: the dialect says how many of its bytes.
struct Packet {
  wire::storvsc::Header header;
  union Body {
    struct {
      wire::storvsc::ScsiRequest request;
      wire::storvsc::ScsiRequestExtension extension;
    } io;
    std::array<std::byte, wire::storvsc::kPacketSize - sizeof(wire::storvsc::Header)> bytes;
  } body;

  std::span<const std::byte> bytes(const Dialect& dialect) const {
    return {reinterpret_cast<const std::byte*>(this), dialect.packet_size};
  }
};
static_assert(sizeof(Packet) == wire::storvsc::kPacketSize);

/// Which device of the controller. Bus, target and unit, as SCSI has them.
struct Address {
  uint8_t path;
  uint8_t target;
  uint8_t lun;
};

/// One SCSI command as the block layer gives it. Trusted.
struct Request {
  Address address;
  uint8_t port;
  wire::storvsc::Direction direction;
  bool tagged;                   ///< the device takes queue tags
  uint32_t length;               ///< bytes to move
  std::span<const uint8_t> cdb;  ///< 1 to 16 bytes
};

/// What a host's packet says, every field within its bounds.
struct Completion {
  uint8_t
      srb_code;  ///< wire::storvsc::SrbStatus, or a number we do not know; the flag bits are gone
  uint8_t scsi_status;
  uint32_t nt_status;
  uint32_t moved;  ///< bytes, as the host says: not yet clamped to the request
  std::span<const uint8_t>
      sense;  ///< in the packet; empty unless the host marked it valid; at most kSenseSize bytes
};

/// World wide names of a Fibre Channel adapter, as numbers.
struct AdapterNames {
  uint64_t node;
  uint64_t port;
};

/// Whether `request` can be sent. Errors: BadValue (no or too long a CDB), NotSupported (a command
/// that hosts of this version do not fail but mishandle).
HV_HOT Result<void> check_request(const Dialect& dialect, const Request& request);

/// The packet for `request`, which check_request() has let pass.
HV_HOT Packet execute_packet(const Dialect& dialect, const Request& request);

/// A packet of `operation` with no body.
Packet plain_packet(wire::storvsc::Operation operation);

/// Asks the host to end all that is in flight on bus `path`.
Packet reset_bus_packet(uint8_t path);

/// The answer to a request of ours. `packet` is a private copy. Errors: Truncated, BadValue (no
/// COMPLETE_IO).
Result<wire::storvsc::Header> parse_answer(std::span<const std::byte> packet);

/// The answer to a SCSI command. `packet` is a private copy and outlives the result. Errors:
/// Truncated, BadValue.
HV_HOT Result<Completion> parse_completion(std::span<const std::byte> packet);

/// The names in an FC_HBA_DATA packet or answer: those of the active port. Errors: Truncated.
Result<AdapterNames> parse_adapter_names(std::span<const std::byte> packet);

}  // namespace hv::storvsc
