// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>

#include "host/storvsp/controller.hpp"
#include "host/vmbus/server.hpp"

namespace hv::host::storvsp {

/// A disk or DVD as somebody asks for it.
struct DiskSpec {
  std::string path{};  ///< raw file or block device; "null:BYTES": a disk that keeps nothing, for
                       ///< benchmarks
  std::string name{};  ///< empty: "diskN" or "dvdN", the next free one
  ControllerOptions::Bus bus = ControllerOptions::Bus::Scsi;
  bool read_only = false;
  bool dvd = false;
  std::optional<uint32_t> controller{};  ///< none: SCSI 0; IDE the next free place
  std::optional<uint32_t> lun{};         ///< none: the next free one; IDE: the target, 0 or 1
  uint32_t block_size = 512;             ///< 512 or 4096; of a disk
};

/// A disk that cannot be added, removed or resized; the text names it and says what to do.
class DiskError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct DiskManagerOptions {
  std::optional<uint16_t> sub_channels;  ///< beyond the primary, per SCSI controller; none: as
                                         ///< Hyper-V for this many vCPUs
  uint32_t max_transfer_bytes = 256 * 1024;
  wire::storvsc::Version newest = wire::storvsc::Version::Win10;
  bool allow_uring = true;
};

/// All disks of one machine and the controllers they are on, made as they are needed: what the
/// command line and the control socket use. Concurrency: any thread, but none of a device's.
class DiskManager {
 public:
  DiskManager(vmbus::Server& server, uint32_t vcpus, DiskManagerOptions options = {});

  /// Opens the disk and shows it to the guest. Returns its name. Throws DiskError or BackendError.
  std::string add(const DiskSpec& spec);
  /// Takes the disk away from the guest; returns when its file is closed. Throws DiskError (no such
  /// disk; its I/O does not end).
  void remove(const std::string& name);
  /// Puts another disk in the place of one, at once, as after a detach and an attach that the guest
  /// has not looked between. Of `spec` bus, controller and LUN do not count; without a name it gets
  /// the old one's. Returns its name, when the old file is closed. Throws DiskError or
  /// BackendError.
  std::string replace(const std::string& name, DiskSpec spec);
  /// Puts another disc into a DVD drive: its next command says that the medium may have changed.
  /// Returns when the old file is closed. Throws DiskError (no drive, or the guest has locked its
  /// tray) or BackendError.
  void change(const std::string& name, const std::string& path);
  /// Grows or shrinks to `bytes`, or notices the size that the file has now, and tells the guest.
  /// Returns bytes. Throws DiskError.
  uint64_t resize(const std::string& name, std::optional<uint64_t> bytes);
  /// An array of objects: name, path, kind, bus, controller, lun, size, read_only, and counters.
  nlohmann::json list() const;

 private:
  struct Entry {
    DiskSpec spec;
    scsi::DiskId id;  ///< of a DVD that of the drive, whatever is in it
    Address address;
    uint8_t controller = 0;
    std::shared_ptr<Controller> device;
    std::shared_ptr<scsi::LogicalUnit> unit;
  };

  Entry& find(const std::string& name);
  std::shared_ptr<scsi::LogicalUnit> make_unit(const DiskSpec& spec, const scsi::DiskId& id) const;
  std::string free_name(bool dvd) const;
  void place(Entry& entry) const;
  bool taken(ControllerOptions::Bus bus, uint8_t controller, uint8_t target, uint8_t lun) const;
  std::shared_ptr<Controller> controller_of(const Entry& entry) const;
  ControllerOptions controller_options(const Entry& entry) const;

  vmbus::Server& server_;
  const uint32_t vcpus_;
  const DiskManagerOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, Entry> disks_;
  std::map<std::pair<ControllerOptions::Bus, uint8_t>, std::shared_ptr<Controller>>
      controllers_;  ///< SCSI and Fibre Channel
};

/// A disk from a JSON object with the members path, bus ("scsi", "ide", "fc"), ro, dvd, lun,
/// controller, name, block_size. Throws DiskError naming the member.
DiskSpec disk_spec_from_json(const nlohmann::json& params);

}  // namespace hv::host::storvsp
