// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <span>

#include "core/base/result.hpp"

namespace hv::host::scsi {

/// What a command descriptor block asks for; the 6, 10, 12 and 16 byte forms of one command are one
/// operation.
enum class Operation : uint8_t {
  TestUnitReady,
  RequestSense,
  Inquiry,
  ModeSelect,
  ModeSense,
  Reserve,
  Release,
  StartStop,
  SendDiagnostic,
  PreventAllow,
  ReadCapacity10,
  ReadCapacity16,
  GetLbaStatus,
  Read,
  Write,
  WriteAndVerify,
  Verify,
  SynchronizeCache,
  WriteSame,
  Unmap,
  ReportLuns,
  // Multi-media commands (MMC-6): the DVD's alone.
  ReadToc,
  GetConfiguration,
  GetEventStatus,
  ReadDiscInformation,
  ReadTrackInformation,
  ReadDiscStructure,
  ReadBufferCapacity,
  MechanismStatus,
  GetPerformance,
  SetSpeed,
};

/// A command descriptor block, taken apart. Fields that the operation does not have are 0.
struct Command {
  Operation operation;
  uint8_t cdb_size;  ///< 6, 10, 12 or 16
  uint64_t lba = 0;
  uint32_t blocks = 0;      ///< transfer, verification or write-same length, in logical blocks
  uint32_t allocation = 0;  ///< allocation or parameter list length, in bytes
  bool force_unit_access = false;
  bool immediate = false;
  bool vital_product_data = false;
  bool unmap = false;
  bool no_data_out = false;  ///< WRITE SAME(16): zeros, no block comes with it
  bool page_format = false;
  bool save_pages = false;
  bool disable_block_descriptors = false;
  bool polled = false;
  bool msf = false;
  uint8_t page = 0;  ///< VPD or mode page
  uint8_t subpage = 0;
  uint8_t page_control = 0;  ///< 0 current, 1 changeable, 2 default, 3 saved
  uint8_t byte_check = 0;
  uint8_t protect = 0;  ///< RDPROTECT and its kin
  uint8_t format =
      0;  ///< of the answer: TOC format, request type, notification classes, structure format
  uint16_t start_feature = 0;
  bool start = false;
  bool load_eject = false;
  uint8_t power_condition = 0;
  bool prevent = false;
};

/// Takes `cdb` (untrusted bytes) apart. Pure.
/// Errors: Truncated (shorter than its group code says), NotSupported (an operation code or service
/// action that we do not serve). Source: SPC-4, SBC-3, MMC-6.
Result<Command> parse_cdb(std::span<const uint8_t> cdb);

}  // namespace hv::host::scsi
