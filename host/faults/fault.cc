// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/faults/fault.hpp"

namespace hv::host {

uint32_t Fault::max() const {
  switch (unit_) {
    case Unit::Switch:
      return 1;
    case Unit::Next:
    case Unit::Every:
      return 1'000'000;
    case Unit::Seconds:
      return 3600;
  }
  return 0;
}

bool Fault::set(uint32_t value, std::string_view device) {
  if (value > max()) return false;
  const std::lock_guard lock(mutex_);
  value_ = value;
  passed_ = 0;
  device_ = device;
  on_.store(value != 0, std::memory_order_relaxed);
  return true;
}

bool Fault::strikes(std::string_view device) {
  if (!on_.load(std::memory_order_relaxed)) return false;
  const std::lock_guard lock(mutex_);
  if (value_ == 0 || !concerns(device)) return false;
  switch (unit_) {
    case Unit::Switch:
      break;
    case Unit::Next:
      if (--value_ == 0) on_.store(false, std::memory_order_relaxed);
      break;
    case Unit::Every:
      if (++passed_ < value_) return false;
      passed_ = 0;
      break;
    case Unit::Seconds:
      return false;
  }
  struck_++;
  return true;
}

std::chrono::seconds Fault::delay(std::string_view device) {
  if (!on_.load(std::memory_order_relaxed)) return {};
  const std::lock_guard lock(mutex_);
  if (unit_ != Unit::Seconds || value_ == 0 || !concerns(device)) return {};
  struck_++;
  return std::chrono::seconds(value_);
}

Fault::Status Fault::status() const {
  const std::lock_guard lock(mutex_);
  return {value_, device_, struck_};
}

}  // namespace hv::host
