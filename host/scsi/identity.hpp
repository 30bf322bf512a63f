// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "host/scsi/logical_unit.hpp"

namespace hv::host::scsi {

/// Standard INQUIRY data. Vendor "Msft": guests decide by it what they may send (Linux: WRITE
/// SAME).
struct Identity {
  uint8_t device_type = 0;  ///< peripheral qualifier and device type; 0x7f: no such unit here
  bool removable = false;
  std::string_view vendor = "Msft";
  std::string_view product;
  std::string_view revision = "1.0";
};
std::vector<uint8_t> standard_inquiry(const Identity& identity);

/// VPD page 80, unit serial number.
std::vector<uint8_t> vpd_serial(uint8_t device_type, std::string_view serial);
/// VPD page 83: a T10 vendor designator and an NAA one (type 6, the OUI of the vendor), both made
/// from `id`.
std::vector<uint8_t> vpd_identification(uint8_t device_type, const DiskId& id);

}  // namespace hv::host::scsi
