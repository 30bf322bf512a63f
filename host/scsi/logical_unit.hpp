// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "host/backends/block_backend.hpp"
#include "host/faults/faults.hpp"
#include "host/scsi/cdb.hpp"
#include "host/scsi/task.hpp"

namespace hv::host::scsi {

/// What the control socket and the benchmarks read.
struct Counters {
  std::atomic<uint64_t> reads{0};
  std::atomic<uint64_t> writes{0};
  std::atomic<uint64_t> bytes_read{0};
  std::atomic<uint64_t> bytes_written{0};
  std::atomic<uint64_t> flushes{0};
  std::atomic<uint64_t> unmaps{0};
  std::atomic<uint64_t> other{0};   ///< commands that move no blocks
  std::atomic<uint64_t> errors{0};  ///< medium and I/O errors; not refused commands
};

/// 16 bytes that tell one disk from another, the same at each start.
using DiskId = std::array<uint8_t, 16>;

/// A SCSI logical unit: takes commands, answers with an outcome or with I/O to be done first.
/// Concurrency: any number of tasks at once, each driven by one thread.
class LogicalUnit {
 public:
  explicit LogicalUnit(std::shared_ptr<BlockBackend> backend) : backend_(std::move(backend)) {}
  virtual ~LogicalUnit() = default;

  /// Begins the command in `task`.
  Progress start(Task& task);
  /// Goes on with the result of task.io: bytes moved, 0, or a negative errno.
  Progress resume(Task& task, int64_t result);

  /// The next command but INQUIRY, REPORT LUNS and REQUEST SENSE fails with this unit attention,
  /// once.
  void raise(const Sense& attention);

  /// Whose faults it has, and as which device. Before the first command; without it it has none.
  void set_faults(Faults& faults, std::string name) {
    faults_ = &faults;
    name_ = std::move(name);
  }
  BlockBackend& backend() { return *backend_; }
  const Counters& counters() const { return counters_; }
  virtual uint32_t block_size() const = 0;
  virtual const char* kind() const = 0;  ///< "disk" or "dvd"

 protected:
  virtual Progress execute(Task& task, const Command& command) = 0;

  uint64_t blocks() const { return backend_->size() / block_size(); }
  bool in_range(uint64_t lba, uint64_t count) const {
    return lba < blocks() && count <= blocks() - lba;
  }

  /// Moves [offset, offset + length) between guest and backend. The guest's buffer must be that
  /// large.
  Progress transfer(Task& task, BlockIo::Kind kind, uint64_t offset, uint64_t length, bool durable);
  /// Performs task.extents one after the other. `taken`: bytes of data-out that the guest sent with
  /// it.
  Progress run_extents(Task& task, BlockIo::Kind kind, uint32_t taken);
  /// Writes task.bounce over task.extents[0], as often as it fits.
  Progress write_pattern(Task& task, bool durable);
  /// Reads [offset, offset + length) and compares it with the guest's data-out.
  Progress compare(Task& task, uint64_t offset, uint64_t length);

  Progress done(Task& task, const Sense& sense) {
    task.fail(sense);
    return Progress::Done;
  }
  Progress done(Task& task, uint32_t moved = 0) {
    task.succeed(moved);
    return Progress::Done;
  }
  Progress answer(Task& task, std::span<const uint8_t> data, uint64_t allocation) {
    task.answer(data, allocation);
    return Progress::Done;
  }
  Progress request_sense(Task& task, const Command& command);

  /// Takes the most important pending unit attention; false: none.
  bool take_attention(Sense& sense);

  Counters counters_;

 private:
  Progress next_io(Task& task);
  Progress finish(Task& task);
  void fail_io(Task& task, int64_t error);
  bool fail_read(Task& task);

  std::shared_ptr<BlockBackend> backend_;
  std::atomic<uint32_t> attention_{0};
  Faults* faults_ = nullptr;
  std::string name_;
};

}  // namespace hv::host::scsi
