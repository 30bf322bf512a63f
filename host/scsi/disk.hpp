// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "host/scsi/logical_unit.hpp"

namespace hv::host::scsi {

struct DiskOptions {
  uint32_t block_size = 512;  ///< 512 or 4096
  DiskId id{};
  std::string serial{};  ///< at most 32 printable characters
};

/// A direct-access block device (SBC-3) with thin provisioning: what it unmaps becomes a hole.
class Disk final : public LogicalUnit {
 public:
  Disk(std::shared_ptr<BlockBackend> backend, DiskOptions options);

  uint32_t block_size() const override { return options_.block_size; }
  const char* kind() const override { return "disk"; }

  /// The size of the backend changed: the guest is told with its next command.
  void capacity_changed() { raise(kCapacityChanged); }

  static constexpr uint32_t kMaxUnmapDescriptors = 256;
  static constexpr uint32_t kMaxWriteSameBytes = 32u << 20;

 protected:
  Progress execute(Task& task, const Command& command) override;

 private:
  // disk.cc: commands on blocks
  Progress read_or_write(Task& task, const Command& command);
  Progress verify(Task& task, const Command& command);
  Progress synchronize(Task& task, const Command& command);
  Progress write_same(Task& task, const Command& command);
  Progress unmap(Task& task, const Command& command);
  // disk_pages.cc: what the disk says of itself
  Progress inquiry(Task& task, const Command& command);
  Progress mode_sense(Task& task, const Command& command);
  Progress mode_select(Task& task, const Command& command);
  Progress read_capacity_10(Task& task);
  Progress read_capacity_16(Task& task, const Command& command);
  Progress lba_status(Task& task, const Command& command);

  bool write_cache() const { return write_cache_.load(std::memory_order_relaxed); }

  const DiskOptions options_;
  std::atomic<bool> write_cache_{true};
};

}  // namespace hv::host::scsi
