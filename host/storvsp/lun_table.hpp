// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>

#include "host/scsi/logical_unit.hpp"

namespace hv::host::storvsp {

/// Where a logical unit is on its controller.
struct Address {
  uint8_t path = 0;
  uint8_t target = 0;
  uint8_t lun = 0;
  friend auto operator<=>(const Address&, const Address&) = default;
};

using LunMap = std::map<Address, std::shared_ptr<scsi::LogicalUnit>>;

/// The logical units of one controller. Changed rarely, read at each request: readers keep a
/// snapshot and look at the generation. Concurrency: any thread.
class LunTable {
 public:
  /// False: the place is taken.
  bool add(Address address, std::shared_ptr<scsi::LogicalUnit> unit) {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<LunMap>(*map_);
    if (!next->emplace(address, std::move(unit)).second) return false;
    publish(std::move(next));
    return true;
  }

  /// Another unit at that place, at once: nobody ever sees the place empty. False: nothing is
  /// there.
  bool replace(Address address, std::shared_ptr<scsi::LogicalUnit> unit) {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<LunMap>(*map_);
    const auto found = next->find(address);
    if (found == next->end()) return false;
    found->second = std::move(unit);
    publish(std::move(next));
    return true;
  }

  /// False: nothing is there.
  bool remove(Address address) {
    const std::lock_guard lock(mutex_);
    auto next = std::make_shared<LunMap>(*map_);
    if (next->erase(address) == 0) return false;
    publish(std::move(next));
    return true;
  }

  std::shared_ptr<const LunMap> snapshot() const {
    const std::lock_guard lock(mutex_);
    return map_;
  }
  /// Changes with every change of the table.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  void publish(std::shared_ptr<const LunMap> next) {
    map_ = std::move(next);
    generation_.fetch_add(1, std::memory_order_release);
  }

  mutable std::mutex mutex_;
  std::shared_ptr<const LunMap> map_ = std::make_shared<LunMap>();
  std::atomic<uint64_t> generation_{1};
};

}  // namespace hv::host::storvsp
