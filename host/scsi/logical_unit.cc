// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/scsi/logical_unit.hpp"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

namespace hv::host::scsi {
namespace {

using wire::storvsc::SrbStatus;

// In the order in which they are reported.
constexpr std::array<Sense, 3> kAttentions = {kMediumMayHaveChanged, kReportedLunsChanged,
                                              kCapacityChanged};

/// Cuts the first `count` bytes off `parts`, of which those before `first` are used up already.
size_t advance(std::vector<iovec>& parts, size_t first, uint64_t count) {
  while (count > 0 && first < parts.size()) {
    iovec& part = parts[first];
    const size_t step = std::min<uint64_t>(part.iov_len, count);
    part.iov_base = static_cast<std::byte*>(part.iov_base) + step;
    part.iov_len -= step;
    count -= step;
    if (part.iov_len == 0) first++;
  }
  return first;
}

/// Makes `parts` exactly `length` bytes long; they are at least that.
void truncate(std::vector<iovec>& parts, uint64_t length) {
  size_t keep = 0;
  while (keep < parts.size() && length > 0) {
    parts[keep].iov_len = std::min<uint64_t>(parts[keep].iov_len, length);
    length -= parts[keep].iov_len;
    keep++;
  }
  parts.resize(keep);
}

bool moves_data(BlockIo::Kind kind) {
  return kind == BlockIo::Kind::Read || kind == BlockIo::Kind::Write;
}

}  // namespace

void LogicalUnit::raise(const Sense& attention) {
  for (size_t i = 0; i < kAttentions.size(); i++) {
    if (kAttentions[i] == attention) attention_.fetch_or(1u << i, std::memory_order_release);
  }
}

bool LogicalUnit::take_attention(Sense& sense) {
  uint32_t pending = attention_.load(std::memory_order_acquire);
  while (pending != 0) {
    const int bit = std::countr_zero(pending);
    if (attention_.compare_exchange_weak(pending, pending & ~(1u << bit),
                                         std::memory_order_acq_rel)) {
      sense = kAttentions[static_cast<size_t>(bit)];
      return true;
    }
  }
  return false;
}

Progress LogicalUnit::start(Task& task) {
  const auto parsed =
      parse_cdb(std::span(task.cdb).first(std::min<size_t>(task.cdb_size, task.cdb.size())));
  if (!parsed)
    return done(task, parsed.error() == Error::NotSupported ? kInvalidOpcode : kInvalidFieldInCdb);
  const Command& command = *parsed;
  Sense attention;
  if (command.operation != Operation::Inquiry && command.operation != Operation::ReportLuns &&
      command.operation != Operation::RequestSense &&
      attention_.load(std::memory_order_relaxed) != 0 && take_attention(attention)) {
    return done(task, attention);
  }
  return execute(task, command);
}

Progress LogicalUnit::request_sense(Task& task, const Command& command) {
  if (command.format != 0) return done(task, kInvalidFieldInCdb);  // descriptor format
  Sense sense;
  take_attention(sense);
  return answer(task, fixed_format(sense), command.allocation);
}

Progress LogicalUnit::transfer(Task& task, BlockIo::Kind kind, uint64_t offset, uint64_t length,
                               bool durable) {
  if (length == 0) return done(task);
  if (kind == BlockIo::Kind::Read ? !task.data_in() : !task.data_out())
    return done(task, kInvalidFieldInCdb);
  if (task.guest_bytes < length) {
    task.fail(kInvalidFieldInCdb);
    task.outcome.srb = SrbStatus::DataOverrun;
    return Progress::Done;
  }
  if (kind == BlockIo::Kind::Read && fail_read(task)) return Progress::Done;
  truncate(task.guest, length);
  task.step = Task::Step::Transfer;
  task.taken = static_cast<uint32_t>(length);
  task.extents.assign(1, {offset, length});
  task.io.kind = kind;
  task.io.durable = durable;
  return next_io(task);
}

Progress LogicalUnit::run_extents(Task& task, BlockIo::Kind kind, uint32_t taken) {
  task.step = Task::Step::Plain;
  task.taken = taken;
  task.io.kind = kind;
  return next_io(task);
}

Progress LogicalUnit::write_pattern(Task& task, bool durable) {
  // Several copies of the block in a row, so that a large range takes few writes.
  constexpr size_t kPatternBytes = 65536;
  const uint64_t length = task.extents.front().length;
  const size_t block = task.bounce.size();
  const size_t copies = std::max<size_t>(1, std::min<uint64_t>(kPatternBytes, length) / block);
  task.bounce.resize(copies * block);
  for (size_t i = 1; i < copies; i++)
    std::memcpy(task.bounce.data() + i * block, task.bounce.data(), block);
  task.step = Task::Step::Pattern;
  task.taken = static_cast<uint32_t>(block);
  task.io.kind = BlockIo::Kind::Write;
  task.io.durable = durable;
  return next_io(task);
}

Progress LogicalUnit::compare(Task& task, uint64_t offset, uint64_t length) {
  if (length == 0) return done(task);
  if (!task.data_out()) return done(task, kInvalidFieldInCdb);
  if (task.guest_bytes < length) {
    task.fail(kInvalidFieldInCdb);
    task.outcome.srb = SrbStatus::DataOverrun;
    return Progress::Done;
  }
  task.step = Task::Step::Compare;
  task.taken = static_cast<uint32_t>(length);
  task.extents.assign(1, {offset, length});
  task.bounce.resize(length);
  task.parts.assign(1, {task.bounce.data(), length});
  task.io.kind = BlockIo::Kind::Read;
  return next_io(task);
}

Progress LogicalUnit::next_io(Task& task) {
  while (task.extent < task.extents.size() && task.done == task.extents[task.extent].length &&
         task.io.kind != BlockIo::Kind::Flush) {
    task.extent++;
    task.done = 0;
  }
  if (task.extent >= task.extents.size()) return finish(task);
  const Task::Extent& extent = task.extents[task.extent];
  task.io.offset = extent.offset + task.done;
  task.io.length = extent.length - task.done;
  switch (task.step) {
    case Task::Step::Plain:
      task.io.buffers = {};
      break;
    case Task::Step::Transfer:
      task.io.buffers = std::span(task.guest).subspan(task.first_part);
      break;
    case Task::Step::Compare:
      task.io.buffers = std::span(task.parts).subspan(task.first_part);
      break;
    case Task::Step::Pattern: {
      // The pattern repeats per block, so a short write goes on in the middle of a block.
      const size_t skip = task.done % task.bounce.size();
      const uint64_t count = std::min<uint64_t>(task.bounce.size() - skip, task.io.length);
      task.parts.assign(1, {task.bounce.data() + skip, count});
      task.io.length = count;
      task.io.buffers = task.parts;
      break;
    }
  }
  return Progress::Io;
}

Progress LogicalUnit::resume(Task& task, int64_t result) {
  if (result < 0 || (result == 0 && moves_data(task.io.kind))) {
    fail_io(task, result);
    return Progress::Done;
  }
  if (!moves_data(task.io.kind)) {
    task.extent++;
    task.done = 0;
    return next_io(task);
  }
  const uint64_t moved = std::min<uint64_t>(static_cast<uint64_t>(result), task.io.length);
  task.done += moved;
  if (task.step == Task::Step::Transfer && moved < task.io.length)
    task.first_part = advance(task.guest, task.first_part, moved);
  if (task.step == Task::Step::Compare && moved < task.io.length)
    task.first_part = advance(task.parts, task.first_part, moved);
  return next_io(task);
}

Progress LogicalUnit::finish(Task& task) {
  constexpr auto relaxed = std::memory_order_relaxed;
  switch (task.step) {
    case Task::Step::Transfer:
      if (task.io.kind == BlockIo::Kind::Read) {
        counters_.reads.fetch_add(1, relaxed);
        counters_.bytes_read.fetch_add(task.taken, relaxed);
      } else {
        counters_.writes.fetch_add(1, relaxed);
        counters_.bytes_written.fetch_add(task.taken, relaxed);
      }
      break;
    case Task::Step::Pattern:
      counters_.writes.fetch_add(1, relaxed);
      counters_.bytes_written.fetch_add(task.extents.front().length, relaxed);
      break;
    case Task::Step::Compare: {
      const auto expected = task.fetch(task.bounce.size());
      if (std::memcmp(expected.data(), task.bounce.data(), expected.size()) != 0)
        return done(task, kMiscompare);
      break;
    }
    case Task::Step::Plain:
      break;
  }
  return done(task, task.taken);
}

/// Whether this read is one that has to fail; then it has.
bool LogicalUnit::fail_read(Task& task) {
  if (faults_ == nullptr) return false;
  const bool sense = faults_->read_error.strikes(name_);
  if (!sense && !faults_->read_error_silent.strikes(name_)) return false;
  counters_.errors.fetch_add(1, std::memory_order_relaxed);
  if (sense) {
    task.fail(kUnrecoveredRead);
  } else {
    task.fail(SrbStatus::Error);
    task.outcome.nt = wire::storvsc::kStatusUnsuccessful;
  }
  return true;
}

void LogicalUnit::fail_io(Task& task, int64_t error) {
  counters_.errors.fetch_add(1, std::memory_order_relaxed);
  if (task.io.kind == BlockIo::Kind::Read) return task.fail(kUnrecoveredRead);
  switch (-error) {
    case ENOSPC:
    case EDQUOT:
      return task.fail(kSpaceExhausted);
    case EROFS:
    case EPERM:
    case EBADF:
      return task.fail(kWriteProtected);
    default:
      return task.fail(kWriteError);
  }
}

}  // namespace hv::host::scsi
