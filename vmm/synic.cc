// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/synic.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace hv::vmm {

namespace {

constexpr uint64_t kPageMask = ~uint64_t{0xfff};
constexpr uint64_t kEnable = 1;
constexpr size_t kSlotSize = 256;
constexpr uint32_t kFirstRetry = 1;  // milliseconds
constexpr uint32_t kLastRetry = 64;

// A message slot: type, payload size, flags, reserved, sender, payload.
constexpr size_t kTypeOffset = 0;
constexpr size_t kSizeOffset = 4;
constexpr size_t kFlagsOffset = 5;
constexpr size_t kPayloadOffset = 16;
constexpr uint8_t kMessagePending = 1;

std::atomic_ref<uint32_t> slot_type(std::span<std::byte> slot) {
  return std::atomic_ref(*reinterpret_cast<uint32_t*>(slot.data() + kTypeOffset));
}
std::atomic_ref<uint8_t> slot_flags(std::span<std::byte> slot) {
  return std::atomic_ref(*reinterpret_cast<uint8_t*>(slot.data() + kFlagsOffset));
}

}  // namespace

Synic::Synic(uint32_t vps, const GuestMemory& memory, SintLines& lines, VpThreads& threads,
             int retry_timer)
    : memory_(memory), lines_(lines), threads_(threads), retry_timer_(retry_timer) {
  for (uint32_t i = 0; i < vps; ++i) vps_.push_back(std::make_unique<Vp>());
}

Synic::Line* Synic::line_of(uint32_t vp_index, uint32_t sint) {
  if (vp_index >= vps_.size() || sint >= kSints) return nullptr;
  Vp& vp = *vps_[vp_index];
  if (Line* const line = vp.published[sint].load(std::memory_order_acquire)) return line;
  const std::lock_guard lock(vp.mutex);
  if (vp.lines[sint]) return vp.lines[sint].get();
  auto line = std::make_unique<Line>();
  line->vp = vp_index;
  line->sint = sint;
  const auto gsi = lines_.add_sint(vp_index, sint);
  if (!gsi) return nullptr;
  line->gsi = *gsi;
  vp.lines[sint] = std::move(line);
  vp.published[sint].store(vp.lines[sint].get(), std::memory_order_release);
  return vp.lines[sint].get();
}

void Synic::registers_changed(uint32_t vp_index, uint64_t control, uint64_t event_page,
                              uint64_t message_page) {
  if (vp_index >= vps_.size()) return;
  Vp& vp = *vps_[vp_index];
  const std::lock_guard lock(vp.mutex);
  vp.changes++;
  vp.enabled = (control & kEnable) != 0;
  vp.event_page.store((event_page & kEnable) != 0 ? event_page & kPageMask : 0,
                      std::memory_order_release);
  vp.message_page = (message_page & kEnable) != 0 ? message_page & kPageMask : 0;
  vp.retry_delay = kFirstRetry;
  deliver_all(vp);
}

void Synic::visit(uint32_t vp_index) {
  if (vp_index >= vps_.size()) return;
  Vp& vp = *vps_[vp_index];
  const std::lock_guard lock(vp.mutex);
  deliver_all(vp);
}

/// A guest that does not answer for long (it halted, or masked its SINT) is asked less and less
/// often.
void Synic::try_less_often(Vp& vp) { vp.retry_delay = std::min(2 * vp.retry_delay, kLastRetry); }

void Synic::deliver_all(Vp& vp) {
  bool left = false, progress = false;
  for (const auto& line : vp.lines) {
    if (!line) continue;
    const Left result = deliver(vp, *line);
    left |= result != Left::Nothing;
    progress |= result == Left::Progress;
  }
  if (!left || progress) vp.retry_delay = kFirstRetry;
  if (!left) return;
  arm_retry(vp.retry_delay);
  if (!progress) try_less_often(vp);
}

void Synic::arm_retry(uint32_t milliseconds) {
  const auto now = std::chrono::steady_clock::now();
  const auto due = now + std::chrono::milliseconds(milliseconds);
  const std::lock_guard lock(timer_mutex_);
  if (due_ > now && due_ <= due) return;
  due_ = due;
  constexpr long kMillisecond = 1'000'000;
  itimerspec when{};
  when.it_value.tv_nsec = kMillisecond * static_cast<long>(milliseconds);
  (void)::timerfd_settime(retry_timer_, 0, &when, nullptr);
}

void Synic::interrupt(Line& line) {
  line.interrupt_due = !lines_.pulse(line.gsi);
  if (!line.interrupt_due) line.interrupts.fetch_add(1, std::memory_order_relaxed);
}

Synic::Left Synic::deliver(Vp& vp, Line& line) {
  if (line.interrupt_due) interrupt(line);
  bool delivered = false;
  while (!line.queue.empty()) {
    if (!listens(vp)) break;
    const auto slot = memory_.at(vp.message_page + line.sint * kSlotSize, kSlotSize);
    if (slot.empty()) break;  // the guest named a page that is not RAM
    const auto type = slot_type(slot);
    if (type.load(std::memory_order_acquire) != 0) {
      // The guest looks at the flag after it has emptied the slot, we look at the slot after
      // setting the flag: one of the two sees the other.
      slot_flags(slot).fetch_or(kMessagePending, std::memory_order_seq_cst);
      if (type.load(std::memory_order_seq_cst) != 0) break;
    }
    const Message& message = line.queue.front();
    std::memcpy(slot.data() + kPayloadOffset, message.payload.data(), message.size);
    std::memset(slot.data() + kSizeOffset, 0, kPayloadOffset - kSizeOffset);
    slot[kSizeOffset] = std::byte{message.size};
    if (line.queue.size() > 1) slot_flags(slot).store(kMessagePending, std::memory_order_relaxed);
    type.store(message.type, std::memory_order_release);
    line.queue.pop_front();
    interrupt(line);
    delivered = true;
  }
  if (!line.interrupt_due && (line.queue.empty() || !listens(vp))) return Left::Nothing;
  return delivered ? Left::Progress : Left::Stuck;
}

bool Synic::post_message(uint32_t vp_index, uint32_t sint, uint32_t type,
                         std::span<const std::byte> payload) {
  Line* const line = line_of(vp_index, sint);
  if (line == nullptr || payload.size() > kPayloadMost) return false;
  Vp& vp = *vps_[vp_index];
  std::unique_lock lock(vp.mutex);
  if (line->queue.size() >= kQueueMost) return false;
  Message message{.type = type, .size = static_cast<uint8_t>(payload.size()), .payload = {}};
  if (!payload.empty()) std::memcpy(message.payload.data(), payload.data(), payload.size());
  line->queue.push_back(message);
  // A SynIC that is off tells when it is switched on.
  const bool listened_to = listens(vp);
  lock.unlock();
  if (listened_to) threads_.ask_for_visit(vp_index);
  return true;
}

void Synic::drop_messages() {
  for (const auto& vp : vps_) {
    const std::lock_guard lock(vp->mutex);
    for (const auto& line : vp->lines) {
      if (line) line->queue.clear();
    }
  }
}

void Synic::signal_event(uint32_t vp_index, uint32_t sint, uint32_t flag) {
  Line* const line = line_of(vp_index, sint);
  if (line == nullptr || flag >= kFlags) return;
  Vp& vp = *vps_[vp_index];
  const uint64_t page = vp.event_page.load(std::memory_order_acquire);
  if (page == 0) return;
  const auto flags = memory_.at(page + sint * kSlotSize, kSlotSize);
  if (flags.empty()) return;
  auto* const words = reinterpret_cast<uint64_t*>(flags.data());
  const uint64_t bit = uint64_t{1} << (flag % 64);
  if ((std::atomic_ref(words[flag / 64]).fetch_or(bit, std::memory_order_seq_cst) & bit) != 0)
    return;
  if (lines_.pulse(line->gsi)) {
    line->interrupts.fetch_add(1, std::memory_order_relaxed);
  } else {
    const std::lock_guard lock(vp.mutex);
    line->interrupt_due = true;
    arm_retry(kFirstRetry);
  }
}

void Synic::retry() {
  {
    const std::lock_guard lock(timer_mutex_);
    due_ = {};
  }
  for (uint32_t index = 0; index < vps_.size(); index++) {
    Vp& vp = *vps_[index];
    std::unique_lock lock(vp.mutex);
    bool messages = false, interrupt_due = false;
    for (const auto& line : vp.lines) {
      if (!line) continue;
      if (line->interrupt_due) interrupt(*line);
      interrupt_due |= line->interrupt_due;
      messages |= !line->queue.empty() && listens(vp);
    }
    if (interrupt_due && !messages) {
      arm_retry(vp.retry_delay);
      try_less_often(vp);
    }
    lock.unlock();
    if (messages) threads_.ask_for_visit(index);
  }
}

Synic::Standing Synic::standing_of(const Vp& vp, const Line& line) const {
  Standing found;
  found.vp = line.vp;
  found.sint = line.sint;
  found.changes = vp.changes;
  found.interrupts = line.interrupts.load(std::memory_order_relaxed);
  const auto slot = vp.message_page != 0
                        ? memory_.at(vp.message_page + line.sint * kSlotSize, kSlotSize)
                        : std::span<std::byte>();
  found.message = !slot.empty() && slot_type(slot).load(std::memory_order_relaxed) != 0;
  const uint64_t event_page = vp.event_page.load(std::memory_order_relaxed);
  const auto flags = event_page != 0 ? memory_.at(event_page + line.sint * kSlotSize, kSlotSize)
                                     : std::span<std::byte>();
  auto* const words = reinterpret_cast<uint64_t*>(flags.data());
  for (uint32_t i = 0; i < flags.size() / sizeof(uint64_t); i++) {
    uint64_t word = std::atomic_ref(words[i]).load(std::memory_order_relaxed);
    for (; word != 0; word &= word - 1)
      found.flags.push_back(i * 64 + static_cast<uint32_t>(std::countr_zero(word)));
  }
  return found;
}

std::vector<Synic::Standing> Synic::standing() {
  std::vector<Standing> all;
  for (const auto& vp : vps_) {
    const std::lock_guard lock(vp->mutex);
    if (!vp->enabled) continue;
    for (const auto& line : vp->lines) {
      if (!line) continue;
      Standing found = standing_of(*vp, *line);
      if (found.message || !found.flags.empty()) all.push_back(std::move(found));
    }
  }
  return all;
}

uint32_t Synic::changes(uint32_t vp_index) {
  if (vp_index >= vps_.size()) return 0;
  const std::lock_guard lock(vps_[vp_index]->mutex);
  return vps_[vp_index]->changes;
}

uint32_t Synic::interrupt_again(uint32_t vp_index, uint32_t sint) {
  Line* const line = line_of(vp_index, sint);
  if (line == nullptr) return 0;
  const std::lock_guard lock(vps_[vp_index]->mutex);
  interrupt(*line);
  return line->interrupts.load(std::memory_order_relaxed);
}

}  // namespace hv::vmm
