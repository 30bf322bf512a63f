// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <memory>
#include <mutex>

#include "host/scsi/logical_unit.hpp"

namespace hv::host::scsi {

/// A DVD-ROM drive (MMC-6) with an ISO image in it. The guest may open its tray and close it again,
/// with the same disc; another disc makes another unit of the same id (DiskManager::change).
class Dvd final : public LogicalUnit {
 public:
  static constexpr uint32_t kBlock = 2048;

  Dvd(std::shared_ptr<BlockBackend> backend, DiskId id)
      : LogicalUnit(std::move(backend)), id_(id) {}

  uint32_t block_size() const override { return kBlock; }
  const char* kind() const override { return "dvd"; }
  /// The guest has locked its tray.
  bool prevented() const;

 protected:
  Progress execute(Task& task, const Command& command) override;

 private:
  enum class MediaEvent : uint8_t { None = 0, EjectRequest = 1, NewMedia = 2, Removal = 3 };

  Progress read(Task& task, const Command& command);
  Progress start_stop(Task& task, const Command& command);
  // dvd_pages.cc
  Progress inquiry(Task& task, const Command& command);
  Progress mode_sense(Task& task, const Command& command);
  Progress read_toc(Task& task, const Command& command);
  Progress get_configuration(Task& task, const Command& command);
  Progress get_event_status(Task& task, const Command& command);
  Progress read_disc_information(Task& task, const Command& command);
  Progress read_track_information(Task& task, const Command& command);
  Progress read_disc_structure(Task& task, const Command& command);
  Progress mechanism_status(Task& task, const Command& command);

  bool loaded() const;
  uint32_t last_lba() const;

  const DiskId id_;
  mutable std::mutex mutex_;  ///< of what follows
  bool loaded_ = true;
  bool prevented_ = false;
  MediaEvent event_ = MediaEvent::NewMedia;
};

}  // namespace hv::host::scsi
