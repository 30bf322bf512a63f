// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/cdb.hpp"

#include "host/scsi/bigendian.hpp"

namespace hv::host::scsi {
namespace {

using Bytes = std::span<const uint8_t>;

size_t size_of_group(uint8_t opcode) {
  switch (opcode >> 5) {
    case 0:
      return 6;
    case 1:
    case 2:
      return 10;
    case 4:
      return 16;
    case 5:
      return 12;
    default:
      return 0;
  }
}

Command block_command(Operation operation, Bytes cdb, size_t size) {
  Command command{.operation = operation, .cdb_size = static_cast<uint8_t>(size)};
  switch (size) {
    case 6:
      command.lba = load_be<3>(cdb, 1) & 0x1fffff;
      command.blocks = cdb[4] == 0 ? 256 : cdb[4];
      return command;
    case 10:
      command.lba = load_be<4>(cdb, 2);
      command.blocks = static_cast<uint32_t>(load_be<2>(cdb, 7));
      break;
    case 12:
      command.lba = load_be<4>(cdb, 2);
      command.blocks = static_cast<uint32_t>(load_be<4>(cdb, 6));
      break;
    default:
      command.lba = load_be<8>(cdb, 2);
      command.blocks = static_cast<uint32_t>(load_be<4>(cdb, 10));
      break;
  }
  command.protect = cdb[1] >> 5;
  return command;
}

Command transfer(Operation operation, Bytes cdb, size_t size) {
  Command command = block_command(operation, cdb, size);
  command.force_unit_access = size > 6 && (cdb[1] & 0x08);
  return command;
}

Command verify(Operation operation, Bytes cdb, size_t size) {
  Command command = block_command(operation, cdb, size);
  command.byte_check = (cdb[1] >> 1) & 3;
  return command;
}

Command write_same(Bytes cdb, size_t size) {
  Command command = block_command(Operation::WriteSame, cdb, size);
  command.unmap = cdb[1] & 0x08;
  command.no_data_out = size == 16 && (cdb[1] & 0x01);
  return command;
}

Command allocating(Operation operation, size_t size, uint64_t allocation) {
  return {.operation = operation,
          .cdb_size = static_cast<uint8_t>(size),
          .allocation = static_cast<uint32_t>(allocation)};
}

Command mode_sense(Bytes cdb, size_t size) {
  Command command = allocating(Operation::ModeSense, size, size == 6 ? cdb[4] : load_be<2>(cdb, 7));
  command.disable_block_descriptors = cdb[1] & 0x08;
  command.page = cdb[2] & 0x3f;
  command.page_control = cdb[2] >> 6;
  command.subpage = cdb[3];
  return command;
}

Command mode_select(Bytes cdb, size_t size) {
  Command command =
      allocating(Operation::ModeSelect, size, size == 6 ? cdb[4] : load_be<2>(cdb, 7));
  command.page_format = cdb[1] & 0x10;
  command.save_pages = cdb[1] & 0x01;
  return command;
}

Command inquiry(Bytes cdb) {
  Command command = allocating(Operation::Inquiry, 6, load_be<2>(cdb, 3));
  command.vital_product_data = cdb[1] & 1;
  command.page = cdb[2];
  return command;
}

Command start_stop(Bytes cdb) {
  Command command = allocating(Operation::StartStop, 6, 0);
  command.immediate = cdb[1] & 1;
  command.power_condition = cdb[4] >> 4;
  command.load_eject = cdb[4] & 2;
  command.start = cdb[4] & 1;
  return command;
}

Result<Command> service_action_in_16(Bytes cdb) {
  switch (cdb[1] & 0x1f) {
    case 0x10:
      return allocating(Operation::ReadCapacity16, 16, load_be<4>(cdb, 10));
    case 0x12: {
      Command command = allocating(Operation::GetLbaStatus, 16, load_be<4>(cdb, 10));
      command.lba = load_be<8>(cdb, 2);
      return command;
    }
    default:
      return Error::NotSupported;
  }
}

Result<Command> multi_media(Bytes cdb, size_t size) {
  Command command{.operation = Operation::ReadToc, .cdb_size = static_cast<uint8_t>(size)};
  switch (cdb[0]) {
    case 0x43:
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 7));
      command.msf = cdb[1] & 2;
      // Older drives took the format from the two upper bits of the control byte.
      command.format = (cdb[2] & 0x0f) != 0 ? cdb[2] & 0x0f : cdb[9] >> 6;
      command.page = cdb[6];
      return command;
    case 0x46:
      command.operation = Operation::GetConfiguration;
      command.format = cdb[1] & 3;
      command.start_feature = static_cast<uint16_t>(load_be<2>(cdb, 2));
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 7));
      return command;
    case 0x4a:
      command.operation = Operation::GetEventStatus;
      command.polled = cdb[1] & 1;
      command.format = cdb[4];
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 7));
      return command;
    case 0x51:
      command.operation = Operation::ReadDiscInformation;
      command.format = cdb[1] & 7;
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 7));
      return command;
    case 0x52:
      command.operation = Operation::ReadTrackInformation;
      command.format = cdb[1] & 3;
      command.lba = load_be<4>(cdb, 2);
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 7));
      return command;
    case 0x5c:
      command.operation = Operation::ReadBufferCapacity;
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 7));
      return command;
    case 0xac:
      command.operation = Operation::GetPerformance;
      command.format = cdb[10];
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 8));
      return command;
    case 0xad:
      command.operation = Operation::ReadDiscStructure;
      command.page = cdb[1] & 0x0f;
      command.format = cdb[7];
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 8));
      return command;
    case 0xbb:
      command.operation = Operation::SetSpeed;
      return command;
    case 0xbd:
      command.operation = Operation::MechanismStatus;
      command.allocation = static_cast<uint32_t>(load_be<2>(cdb, 8));
      return command;
    default:
      return Error::NotSupported;
  }
}

}  // namespace

Result<Command> parse_cdb(std::span<const uint8_t> cdb) {
  if (cdb.empty()) return Error::Truncated;
  const size_t size = size_of_group(cdb[0]);
  if (size == 0) return Error::NotSupported;
  if (cdb.size() < size) return Error::Truncated;
  switch (cdb[0]) {
    case 0x00:
      return allocating(Operation::TestUnitReady, size, 0);
    case 0x03: {
      Command command = allocating(Operation::RequestSense, size, cdb[4]);
      command.format = cdb[1] & 1;
      return command;
    }
    case 0x08:
      return transfer(Operation::Read, cdb, size);
    case 0x0a:
      return transfer(Operation::Write, cdb, size);
    case 0x12:
      return inquiry(cdb);
    case 0x15:
      return mode_select(cdb, size);
    case 0x16:
      return allocating(Operation::Reserve, size, 0);
    case 0x17:
      return allocating(Operation::Release, size, 0);
    case 0x1a:
      return mode_sense(cdb, size);
    case 0x1b:
      return start_stop(cdb);
    case 0x1d: {
      Command command = allocating(Operation::SendDiagnostic, size, load_be<2>(cdb, 3));
      command.format = cdb[1];
      return command;
    }
    case 0x1e: {
      Command command = allocating(Operation::PreventAllow, size, 0);
      command.prevent = cdb[4] & 1;
      return command;
    }
    case 0x25:
      return allocating(Operation::ReadCapacity10, size, 8);
    case 0x28:
      return transfer(Operation::Read, cdb, size);
    case 0x2a:
      return transfer(Operation::Write, cdb, size);
    case 0x2e:
      return verify(Operation::WriteAndVerify, cdb, size);
    case 0x2f:
      return verify(Operation::Verify, cdb, size);
    case 0x35: {
      Command command = block_command(Operation::SynchronizeCache, cdb, size);
      command.immediate = cdb[1] & 2;
      return command;
    }
    case 0x41:
      return write_same(cdb, size);
    case 0x42:
      return allocating(Operation::Unmap, size, load_be<2>(cdb, 7));
    case 0x55:
      return mode_select(cdb, size);
    case 0x5a:
      return mode_sense(cdb, size);
    case 0x88:
      return transfer(Operation::Read, cdb, size);
    case 0x8a:
      return transfer(Operation::Write, cdb, size);
    case 0x8e:
      return verify(Operation::WriteAndVerify, cdb, size);
    case 0x8f:
      return verify(Operation::Verify, cdb, size);
    case 0x91: {
      Command command = block_command(Operation::SynchronizeCache, cdb, size);
      command.immediate = cdb[1] & 2;
      return command;
    }
    case 0x93:
      return write_same(cdb, size);
    case 0x9e:
      return service_action_in_16(cdb);
    case 0xa0:
      return allocating(Operation::ReportLuns, size, load_be<4>(cdb, 6));
    case 0xa8:
      return transfer(Operation::Read, cdb, size);
    case 0xaa:
      return transfer(Operation::Write, cdb, size);
    case 0xae:
      return verify(Operation::WriteAndVerify, cdb, size);
    case 0xaf:
      return verify(Operation::Verify, cdb, size);
    default:
      return multi_media(cdb, size);
  }
}

}  // namespace hv::host::scsi
