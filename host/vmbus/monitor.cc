// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/monitor.hpp"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <bit>

namespace hv::host::vmbus {

namespace wire = hv::wire::vmbus;

namespace {

uint32_t group_of(uint8_t monitor) { return monitor / wire::kMonitorsPerGroup; }
uint32_t bit_of(uint8_t monitor) { return 1u << monitor % wire::kMonitorsPerGroup; }

template <typename T>
void store(T& field, T value) {
  std::atomic_ref(field).store(value, std::memory_order_release);
}

}  // namespace

MonitorPage::MonitorPage(std::span<std::byte> bytes)
    : page_(reinterpret_cast<wire::MonitorPage*>(bytes.data())) {
  enable_groups();
}

void MonitorPage::enable_groups() {
  uint32_t enabled = 0;
  for (uint32_t group = 0; group < wire::kMonitorGroups; group++) {
    if (published_[group] != 0) enabled |= 1u << group;
  }
  store(page_->group_enable, enabled);
}

void MonitorPage::publish(uint8_t monitor, uint32_t connection_id, uint16_t latency) {
  wire::MonitorParameter& parameter = page_->parameter[monitor];
  store(parameter.connection_id, connection_id);
  store(parameter.flag_number, uint16_t{0});
  store(page_->latency[monitor], latency);
  published_[group_of(monitor)] |= bit_of(monitor);
  enable_groups();
}

void MonitorPage::withdraw(uint8_t monitor) {
  published_[group_of(monitor)] &= ~bit_of(monitor);
  enable_groups();
  (void)take(group_of(monitor), bit_of(monitor));
  store(page_->parameter[monitor].connection_id, uint32_t{0});
  store(page_->latency[monitor], uint16_t{0});
}

uint32_t MonitorPage::take(uint32_t group, uint32_t wanted) {
  const std::atomic_ref pending(page_->trigger_group[group].pending);
  // Looking does not disturb the guest; writing does.
  if ((pending.load(std::memory_order_relaxed) & wanted) == 0) return 0;
  return pending.fetch_and(~wanted, std::memory_order_acq_rel) & wanted;
}

MonitorWatch::~MonitorWatch() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MonitorWatch::begin(std::span<std::byte> page) {
  const std::lock_guard lock(mutex_);
  page_.emplace(page);
  if (thread_.joinable()) return;
  thread_ = std::thread([this] { work(); });
  ::pthread_setname_np(thread_.native_handle(), "vmbus/monitor");
}

void MonitorWatch::end() {
  const std::lock_guard lock(mutex_);
  watched_ = {};
  page_.reset();
}

void MonitorWatch::publish(uint8_t monitor, uint32_t connection_id) {
  constexpr auto kUnit = std::chrono::nanoseconds(100);
  constexpr auto kUnits = static_cast<uint16_t>(kLatency / kUnit);
  static_assert(kUnits * kUnit == kLatency);
  const std::lock_guard lock(mutex_);
  if (page_ && monitor < wire::kMonitors) page_->publish(monitor, connection_id, kUnits);
}

void MonitorWatch::withdraw(uint8_t monitor) {
  const std::lock_guard lock(mutex_);
  if (page_ && monitor < wire::kMonitors) page_->withdraw(monitor);
}

void MonitorWatch::watch(uint8_t monitor, int event_fd) {
  {
    const std::lock_guard lock(mutex_);
    if (!page_ || monitor >= wire::kMonitors) return;
    event_fds_[monitor] = event_fd;
    watched_[group_of(monitor)] |= bit_of(monitor);
  }
  changed_.notify_all();
}

void MonitorWatch::forget(uint8_t monitor) {
  const std::lock_guard lock(mutex_);
  if (monitor < wire::kMonitors) watched_[group_of(monitor)] &= ~bit_of(monitor);
}

size_t MonitorWatch::look() {
  const std::lock_guard lock(mutex_);
  return look_locked();
}

size_t MonitorWatch::look_locked() {
  if (!page_) return 0;
  size_t signals = 0;
  for (uint32_t group = 0; group < wire::kMonitorGroups; group++) {
    uint32_t triggered = page_->take(group, watched_[group]);
    for (; triggered != 0; triggered &= triggered - 1) {
      const auto bit = static_cast<uint32_t>(std::countr_zero(triggered));
      const uint64_t one = 1;
      // It cannot block: a counter that is full has signalled already.
      (void)!::write(event_fds_[group * wire::kMonitorsPerGroup + bit], &one, sizeof one);
      signals++;
    }
  }
  return signals;
}

bool MonitorWatch::watching() const {
  for (const uint32_t group : watched_) {
    if (group != 0) return true;
  }
  return false;
}

void MonitorWatch::work() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    if (!watching()) {
      changed_.wait(lock, [this] { return stop_ || watching(); });
      continue;
    }
    (void)look_locked();
    changed_.wait_for(lock, kLatency, [this] { return stop_; });
  }
}

}  // namespace hv::host::vmbus
