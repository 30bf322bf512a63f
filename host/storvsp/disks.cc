// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/storvsp/disks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <thread>
#include <utility>

#include "host/backends/file_backend.hpp"
#include "host/backends/memory_backend.hpp"
#include "host/scsi/disk.hpp"
#include "host/scsi/dvd.hpp"

namespace hv::host::storvsp {
namespace {

using Bus = ControllerOptions::Bus;
using std::chrono::milliseconds;

constexpr uint32_t kMaxControllers = 16;
constexpr uint32_t kMaxLuns = 255;  // Linux asks for no more
constexpr uint32_t kIdePlaces = 2;
constexpr milliseconds kRemovalLimit{10000};
constexpr std::string_view kNullPrefix = "null:";

const char* name_of(Bus bus) {
  switch (bus) {
    case Bus::Scsi:
      return "scsi";
    case Bus::Ide:
      return "ide";
    case Bus::FibreChannel:
      return "fc";
  }
  return "";
}

uint64_t fnv1a(std::string_view text, uint64_t hash) {
  for (const char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

/// The same for the same file at each start.
scsi::DiskId disk_id(const std::string& path) {
  std::error_code ignored;
  const std::string full = std::filesystem::weakly_canonical(path, ignored).string();
  const std::string& key = full.empty() ? path : full;
  scsi::DiskId id{};
  for (size_t half = 0; half < 2; half++) {
    uint64_t hash = fnv1a(key, 0xcbf29ce484222325 + half * 0x9e3779b97f4a7c15);
    for (size_t i = 0; i < 8; i++, hash >>= 8) id[half * 8 + i] = static_cast<uint8_t>(hash);
  }
  return id;
}

std::string hex(std::span<const uint8_t> bytes) {
  std::string text;
  for (const uint8_t byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::shared_ptr<BlockBackend> open_backend(const DiskSpec& spec) {
  const uint32_t block = spec.dvd ? scsi::Dvd::kBlock : spec.block_size;
  if (spec.path.starts_with(kNullPrefix)) {
    const std::string_view text = std::string_view(spec.path).substr(kNullPrefix.size());
    uint64_t bytes = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
    if (error != std::errc{} || end != text.data() + text.size() || bytes == 0 ||
        bytes % block != 0) {
      throw DiskError(fmt::format("disk {}: null: wants a number of bytes that is a multiple of {}",
                                  spec.path, block));
    }
    return std::make_shared<NullBackend>(bytes);
  }
  return FileBackend::open(spec.path,
                           {.read_only = spec.read_only || spec.dvd, .block_size = block});
}

void check_block_size(const DiskSpec& spec) {
  if (spec.block_size == 512 || spec.block_size == 4096) return;
  throw DiskError(
      fmt::format("disk {}: block size {} is neither 512 nor 4096", spec.path, spec.block_size));
}

/// Waits until nobody but the caller's weak pointer knows the unit any more.
bool wait_released(const std::weak_ptr<scsi::LogicalUnit>& unit) {
  const auto deadline = std::chrono::steady_clock::now() + kRemovalLimit;
  while (!unit.expired()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

}  // namespace

DiskManager::DiskManager(vmbus::Server& server, uint32_t vcpus, DiskManagerOptions options)
    : server_(server), vcpus_(vcpus), options_(options) {}

std::string DiskManager::add(const DiskSpec& spec) {
  const std::lock_guard lock(mutex_);
  Entry entry;
  entry.spec = spec;
  if (entry.spec.name.empty()) entry.spec.name = free_name(spec.dvd);
  const std::string name = entry.spec.name;
  if (disks_.contains(name))
    throw DiskError(fmt::format("disk name {}: in use; choose another with name=", name));
  check_block_size(spec);
  place(entry);
  entry.id = disk_id(spec.path);
  entry.unit = make_unit(entry.spec, entry.id);
  entry.device = controller_of(entry);
  const bool fresh = !entry.device;
  if (fresh) entry.device = std::make_shared<Controller>(controller_options(entry));
  entry.device->add(entry.address, entry.unit);
  if (fresh) {
    const auto added = server_.add(entry.device);
    if (!added)
      throw DiskError(fmt::format("disk {}: no room for one more controller ({})", spec.path,
                                  hv::name(added.error())));
    if (spec.bus != Bus::Ide) controllers_[{spec.bus, entry.controller}] = entry.device;
  }
  disks_.emplace(name, std::move(entry));
  return name;
}

void DiskManager::remove(const std::string& name) {
  std::unique_lock lock(mutex_);
  Entry entry = std::move(find(name));
  disks_.erase(name);
  lock.unlock();
  // An IDE disk is a device of its own; the guest still writes its cache while it lets go of it.
  if (entry.spec.bus == Bus::Ide) server_.remove(entry.device->offer().instance_id, kRemovalLimit);
  entry.device->remove(entry.address);
  const std::weak_ptr<scsi::LogicalUnit> unit = entry.unit;
  entry.unit.reset();
  if (!wait_released(unit))
    throw DiskError(fmt::format("disk {}: gone from the guest, but I/O on {} does not end", name,
                                entry.spec.path));
}

std::string DiskManager::replace(const std::string& name, DiskSpec spec) {
  std::unique_lock lock(mutex_);
  Entry entry = find(name);
  if (entry.spec.bus == Bus::Ide) {
    throw DiskError(fmt::format(
        "disk {}: on IDE a disk is a device of its own: remove it, and add another", name));
  }
  if (spec.name.empty()) spec.name = name;
  const std::string other = spec.name;
  if (other != name && disks_.contains(other))
    throw DiskError(fmt::format("disk name {}: in use; choose another with as=", other));
  check_block_size(spec);
  spec.bus = entry.spec.bus;
  spec.controller = entry.spec.controller;
  spec.lun = entry.spec.lun;
  const std::string old_path = std::exchange(entry.spec, std::move(spec)).path;
  entry.id = disk_id(entry.spec.path);
  const std::weak_ptr<scsi::LogicalUnit> old =
      std::exchange(entry.unit, make_unit(entry.spec, entry.id));
  entry.device->replace(entry.address, entry.unit);
  disks_.erase(name);
  disks_.emplace(other, std::move(entry));
  lock.unlock();
  if (!wait_released(old))
    throw DiskError(fmt::format("disk {}: replaced, but I/O on {} does not end", name, old_path));
  return other;
}

void DiskManager::change(const std::string& name, const std::string& path) {
  std::unique_lock lock(mutex_);
  Entry& entry = find(name);
  const auto* drive = dynamic_cast<const scsi::Dvd*>(entry.unit.get());
  if (drive == nullptr)
    throw DiskError(fmt::format("disk {}: no DVD drive; disk.replace is for disks", name));
  if (drive->prevented())
    throw DiskError(fmt::format("dvd {}: the guest has locked its tray: unmount it there", name));
  DiskSpec spec = entry.spec;
  spec.path = path;
  auto unit = make_unit(spec, entry.id);
  unit->raise(scsi::kMediumMayHaveChanged);
  const std::string old_path = std::exchange(entry.spec, std::move(spec)).path;
  const std::weak_ptr<scsi::LogicalUnit> old = std::exchange(entry.unit, std::move(unit));
  entry.device->change(entry.address, entry.unit);
  lock.unlock();
  if (!wait_released(old))
    throw DiskError(fmt::format("dvd {}: changed, but I/O on {} does not end", name, old_path));
}

uint64_t DiskManager::resize(const std::string& name, std::optional<uint64_t> bytes) {
  const std::lock_guard lock(mutex_);
  Entry& entry = find(name);
  if (entry.spec.dvd) throw DiskError(fmt::format("disk {}: a DVD keeps its size", name));
  if (bytes && (*bytes == 0 || *bytes % entry.spec.block_size != 0)) {
    throw DiskError(
        fmt::format("disk {}: {} bytes is no multiple of {}", name, *bytes, entry.spec.block_size));
  }
  BlockBackend& backend = entry.unit->backend();
  const uint64_t before = backend.size();
  const auto error = bytes ? backend.resize(*bytes) : backend.refresh();
  if (error) throw DiskError(*error);
  if (backend.size() != before) {
    entry.unit->raise(scsi::kCapacityChanged);
    // Idle disks ask for nothing: the guest looks at all of them, and finds the unit attention.
    entry.device->announce();
  }
  return backend.size();
}

nlohmann::json DiskManager::list() const {
  const std::lock_guard lock(mutex_);
  auto disks = nlohmann::json::array();
  for (const auto& [name, entry] : disks_) {
    const scsi::Counters& counters = entry.unit->counters();
    disks.push_back({
        {"name", name},
        {"path", entry.unit->backend().describe()},
        {"kind", entry.unit->kind()},
        {"bus", name_of(entry.spec.bus)},
        {"controller", entry.controller},
        {"target", entry.address.target},
        {"lun", entry.address.lun},
        {"device", entry.device->name()},
        {"size", entry.unit->backend().size()},
        {"block_size", entry.unit->block_size()},
        {"read_only", entry.unit->backend().read_only()},
        {"reads", counters.reads.load()},
        {"writes", counters.writes.load()},
        {"ios", counters.reads.load() + counters.writes.load()},
        {"bytes_read", counters.bytes_read.load()},
        {"bytes_written", counters.bytes_written.load()},
        {"flushes", counters.flushes.load()},
        {"unmaps", counters.unmaps.load()},
        {"other", counters.other.load()},
        {"errors", counters.errors.load()},
    });
  }
  return disks;
}

std::shared_ptr<scsi::LogicalUnit> DiskManager::make_unit(const DiskSpec& spec,
                                                          const scsi::DiskId& id) const {
  auto backend = open_backend(spec);
  std::shared_ptr<scsi::LogicalUnit> unit;
  if (spec.dvd) {
    unit = std::make_shared<scsi::Dvd>(std::move(backend), id);
  } else {
    unit = std::make_shared<scsi::Disk>(
        std::move(backend),
        scsi::DiskOptions{
            .block_size = spec.block_size, .id = id, .serial = hex(std::span(id).first(8))});
  }
  unit->set_faults(server_.faults(), spec.name);
  return unit;
}

DiskManager::Entry& DiskManager::find(const std::string& name) {
  const auto found = disks_.find(name);
  if (found == disks_.end())
    throw DiskError(fmt::format("no disk named {}; disk.list shows those there are", name));
  return found->second;
}

std::string DiskManager::free_name(bool dvd) const {
  for (size_t number = 0;; number++) {
    std::string name = fmt::format("{}{}", dvd ? "dvd" : "disk", number);
    if (!disks_.contains(name)) return name;
  }
}

bool DiskManager::taken(Bus bus, uint8_t controller, uint8_t target, uint8_t lun) const {
  return std::any_of(disks_.begin(), disks_.end(), [&](const auto& item) {
    const Entry& entry = item.second;
    return entry.spec.bus == bus && entry.controller == controller &&
           entry.address.target == target && entry.address.lun == lun;
  });
}

void DiskManager::place(Entry& entry) const {
  const DiskSpec& spec = entry.spec;
  const bool ide = spec.bus == Bus::Ide;
  const uint32_t controllers = ide ? kIdePlaces : kMaxControllers;
  const uint32_t places = ide ? kIdePlaces : kMaxLuns;
  if (spec.controller && *spec.controller >= controllers) {
    throw DiskError(fmt::format("disk {}: controller {} is not there; 0 to {} are", spec.path,
                                *spec.controller, controllers - 1));
  }
  if (spec.lun && *spec.lun >= places)
    throw DiskError(
        fmt::format("disk {}: lun {} is not there; 0 to {} are", spec.path, *spec.lun, places - 1));
  const uint32_t first = spec.controller.value_or(0);
  const uint32_t last = spec.controller || !ide ? first : controllers - 1;
  for (uint32_t controller = first; controller <= last; controller++) {
    for (uint32_t number = spec.lun.value_or(0); number <= spec.lun.value_or(places - 1);
         number++) {
      const auto target = static_cast<uint8_t>(ide ? number : 0);
      const auto lun = static_cast<uint8_t>(ide ? 0 : number);
      if (taken(spec.bus, static_cast<uint8_t>(controller), target, lun)) continue;
      entry.controller = static_cast<uint8_t>(controller);
      entry.address = {.path = 0, .target = target, .lun = lun};
      return;
    }
  }
  throw DiskError(spec.lun ? fmt::format("disk {}: lun {} of {} controller {} is taken", spec.path,
                                         *spec.lun, name_of(spec.bus), first)
                           : fmt::format("disk {}: {} is full", spec.path, name_of(spec.bus)));
}

std::shared_ptr<Controller> DiskManager::controller_of(const Entry& entry) const {
  if (entry.spec.bus == Bus::Ide) return nullptr;
  const auto found = controllers_.find({entry.spec.bus, entry.controller});
  return found == controllers_.end() ? nullptr : found->second;
}

ControllerOptions DiskManager::controller_options(const Entry& entry) const {
  ControllerOptions options{.bus = entry.spec.bus,
                            .number = entry.controller,
                            .target = entry.address.target,
                            .limits = {},
                            .allow_uring = options_.allow_uring};
  options.limits.newest = options_.newest;
  options.limits.max_transfer_bytes = options_.max_transfer_bytes;
  if (entry.spec.bus != Bus::Ide)
    options.limits.max_sub_channels = options_.sub_channels.value_or(default_sub_channels(vcpus_));
  if (entry.spec.bus == Bus::FibreChannel) {
    // Locally assigned names (NAA 3) that tell one controller from another.
    const uint8_t number = entry.controller;
    options.limits.fibre_channel = wire::storvsc::FcHbaData{
        .primary_active = 1,
        .reserved = {},
        .primary_port_name = {0x30, 0, 0, 0, 0, 0x01, 0, number},
        .primary_node_name = {0x30, 0, 0, 0, 0, 0x02, 0, number},
        .secondary_port_name = {0x30, 0, 0, 0, 0, 0x03, 0, number},
        .secondary_node_name = {0x30, 0, 0, 0, 0, 0x04, 0, number},
    };
  }
  return options;
}

DiskSpec disk_spec_from_json(const nlohmann::json& params) {
  if (!params.is_object()) throw DiskError("a disk is an object with a path");
  DiskSpec spec;
  const auto number = [&](const char* member) -> std::optional<uint32_t> {
    const auto found = params.find(member);
    if (found == params.end() || found->is_null()) return std::nullopt;
    if (!found->is_number_integer() || found->get<int64_t>() < 0 ||
        found->get<int64_t>() > 0xffffffff) {
      throw DiskError(fmt::format("{}: must be a number", member));
    }
    return found->get<uint32_t>();
  };
  const auto text = [&](const char* member) -> std::string {
    const auto found = params.find(member);
    if (found == params.end()) return {};
    if (!found->is_string()) throw DiskError(fmt::format("{}: must be a string", member));
    return found->get<std::string>();
  };
  const auto flag = [&](const char* member) {
    const auto found = params.find(member);
    if (found == params.end()) return false;
    if (!found->is_boolean()) throw DiskError(fmt::format("{}: must be true or false", member));
    return found->get<bool>();
  };
  spec.path = text("path");
  if (spec.path.empty())
    throw DiskError("path: missing; give the path of a raw image or block device");
  spec.name = text("name");
  const std::string bus = text("bus");
  if (bus == "ide") {
    spec.bus = Bus::Ide;
  } else if (bus == "fc") {
    spec.bus = Bus::FibreChannel;
  } else if (!bus.empty() && bus != "scsi") {
    throw DiskError(fmt::format("bus: {} is none of scsi, ide, fc", bus));
  }
  spec.read_only = flag("ro");
  spec.dvd = flag("dvd");
  spec.lun = number("lun");
  spec.controller = number("controller");
  spec.block_size = number("block_size").value_or(512);
  return spec;
}

}  // namespace hv::host::storvsp
