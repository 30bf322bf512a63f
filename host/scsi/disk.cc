// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/disk.hpp"

#include <algorithm>

#include "host/scsi/bigendian.hpp"

namespace hv::host::scsi {

Disk::Disk(std::shared_ptr<BlockBackend> backend, DiskOptions options)
    : LogicalUnit(std::move(backend)), options_(std::move(options)) {}

Progress Disk::execute(Task& task, const Command& command) {
  switch (command.operation) {
    case Operation::Read:
    case Operation::Write:
      return read_or_write(task, command);
    case Operation::WriteAndVerify:
    case Operation::Verify:
      return verify(task, command);
    case Operation::SynchronizeCache:
      return synchronize(task, command);
    case Operation::WriteSame:
      return write_same(task, command);
    case Operation::Unmap:
      return unmap(task, command);
    default:
      break;
  }
  counters_.other.fetch_add(1, std::memory_order_relaxed);
  switch (command.operation) {
    case Operation::TestUnitReady:
    case Operation::PreventAllow:
    case Operation::Reserve:
    case Operation::Release:
      return done(task);
    case Operation::StartStop:
      return synchronize(task, command);
    case Operation::SendDiagnostic:
      // Only the default self-test, which has nothing to test.
      return (command.format & 0x04) && command.allocation == 0 ? done(task)
                                                                : done(task, kInvalidFieldInCdb);
    case Operation::RequestSense:
      return request_sense(task, command);
    case Operation::Inquiry:
      return inquiry(task, command);
    case Operation::ModeSense:
      return mode_sense(task, command);
    case Operation::ModeSelect:
      return mode_select(task, command);
    case Operation::ReadCapacity10:
      return read_capacity_10(task);
    case Operation::ReadCapacity16:
      return read_capacity_16(task, command);
    case Operation::GetLbaStatus:
      return lba_status(task, command);
    default:
      return done(task, kInvalidOpcode);
  }
}

Progress Disk::read_or_write(Task& task, const Command& command) {
  const bool write = command.operation == Operation::Write;
  if (command.protect != 0) return done(task, kInvalidFieldInCdb);
  if (!in_range(command.lba, command.blocks)) return done(task, kLbaOutOfRange);
  if (write && backend().read_only()) return done(task, kWriteProtected);
  return transfer(task, write ? BlockIo::Kind::Write : BlockIo::Kind::Read,
                  command.lba * block_size(), uint64_t{command.blocks} * block_size(),
                  write && (command.force_unit_access || !write_cache()));
}

Progress Disk::verify(Task& task, const Command& command) {
  if (command.protect != 0) return done(task, kInvalidFieldInCdb);
  if (!in_range(command.lba, command.blocks)) return done(task, kLbaOutOfRange);
  const uint64_t offset = command.lba * block_size();
  const uint64_t length = uint64_t{command.blocks} * block_size();
  if (command.operation == Operation::WriteAndVerify) {
    if (backend().read_only()) return done(task, kWriteProtected);
    return transfer(task, BlockIo::Kind::Write, offset, length, true);
  }
  switch (command.byte_check) {
    case 0:
      return done(task);
    case 1:
      return compare(task, offset, length);
    default:
      return done(task, kInvalidFieldInCdb);
  }
}

Progress Disk::synchronize(Task& task, const Command& command) {
  // A stopped disk has written its cache, as a real one has.
  if (command.operation == Operation::SynchronizeCache) {
    if (command.lba > blocks() || command.blocks > blocks() - command.lba)
      return done(task, kLbaOutOfRange);
  } else if (command.start || command.power_condition != 0) {
    return done(task);
  }
  counters_.flushes.fetch_add(1, std::memory_order_relaxed);
  if (backend().read_only()) return done(task);
  task.extents.assign(1, {0, 0});
  return run_extents(task, BlockIo::Kind::Flush, 0);
}

Progress Disk::write_same(Task& task, const Command& command) {
  if (command.protect != 0 || command.blocks == 0)
    return done(task, kInvalidFieldInCdb);  // WSNZ is set
  const uint64_t length = uint64_t{command.blocks} * block_size();
  if (length > kMaxWriteSameBytes) return done(task, kInvalidFieldInCdb);
  if (!in_range(command.lba, command.blocks)) return done(task, kLbaOutOfRange);
  if (backend().read_only()) return done(task, kWriteProtected);
  bool zeros = command.no_data_out;
  uint32_t taken = 0;
  if (!command.no_data_out) {
    const auto block = task.fetch(block_size());
    if (block.size() < block_size()) return done(task, kInvalidFieldInCdb);
    zeros = std::all_of(block.begin(), block.end(), [](uint8_t byte) { return byte == 0; });
    taken = block_size();
    const auto* bytes = reinterpret_cast<const std::byte*>(block.data());
    task.bounce.assign(bytes, bytes + block.size());
  }
  task.extents.assign(1, {command.lba * block_size(), length});
  if (!zeros) return write_pattern(task, !write_cache());
  if (command.unmap) counters_.unmaps.fetch_add(1, std::memory_order_relaxed);
  return run_extents(task, command.unmap ? BlockIo::Kind::Punch : BlockIo::Kind::Zero, taken);
}

Progress Disk::unmap(Task& task, const Command& command) {
  constexpr size_t kHeader = 8, kDescriptor = 16;
  if (backend().read_only()) return done(task, kWriteProtected);
  if (command.allocation == 0) return done(task);
  const auto list = task.fetch(command.allocation);
  if (list.size() < kHeader || list.size() < command.allocation)
    return done(task, kParameterListLength);
  const uint64_t data_length = load_be<2>(list, 0);
  const uint64_t descriptor_length = load_be<2>(list, 2);
  if (data_length + 2 > list.size() || descriptor_length > list.size() - kHeader)
    return done(task, kInvalidFieldInParameters);
  const size_t count = descriptor_length / kDescriptor;
  if (count > kMaxUnmapDescriptors) return done(task, kInvalidFieldInParameters);
  for (size_t i = 0; i < count; i++) {
    const size_t at = kHeader + i * kDescriptor;
    const uint64_t lba = load_be<8>(list, at);
    const uint64_t length = load_be<4>(list, at + 8);
    if (length == 0) continue;
    if (!in_range(lba, length)) return done(task, kLbaOutOfRange);
    task.extents.push_back({lba * block_size(), length * block_size()});
  }
  counters_.unmaps.fetch_add(1, std::memory_order_relaxed);
  return run_extents(task, BlockIo::Kind::Punch, static_cast<uint32_t>(list.size()));
}

}  // namespace hv::host::scsi
