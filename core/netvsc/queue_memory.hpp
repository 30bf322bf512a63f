// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <new>

#include "core/base/slot_table.hpp"
#include "core/netvsc/slot_pool.hpp"

namespace hv::netvsc {

/// What a slot is for; it follows from its number, so that no completion can be taken for one of
/// another kind.
enum class SlotKind : uint8_t {
  Section,  ///< frames copied into a section of the send buffer
  Pages,    ///< one frame in pages
  Setup,    ///< an NVSP message that is answered
  Control,  ///< an RNDIS control message
};

/// The slots of one channel: sections, then pages, then one for each of the dialogues.
struct SlotPlan {
  uint16_t sections = 0;
  uint16_t pages = 0;

  static constexpr uint16_t kDialogues = 2;
  static constexpr uint32_t kMost = 0x7000;

  constexpr uint32_t count() const { return uint32_t{sections} + pages + kDialogues; }
  constexpr uint32_t setup() const { return uint32_t{sections} + pages; }
  constexpr uint32_t control() const { return setup() + 1; }
  constexpr SlotKind kind(size_t slot) const {
    if (slot < sections) return SlotKind::Section;
    if (slot < setup()) return SlotKind::Pages;
    return slot == setup() ? SlotKind::Setup : SlotKind::Control;
  }
};

/// The arrays of a queue in one piece of the port's memory.
class QueueMemory {
 public:
  static constexpr size_t bytes_needed(const SlotPlan& plan) {
    return plan.count() * sizeof(Slot) + pool_bytes(plan.sections) + pool_bytes(plan.pages);
  }

  /// `memory`: zeroed, aligned to 4, `bytes_needed` or more. Errors: BadLength.
  static Result<QueueMemory> create(std::span<std::byte> memory, const SlotPlan& plan) {
    if (plan.count() > SlotPlan::kMost || memory.size() < bytes_needed(plan))
      return Error::BadLength;
    QueueMemory arrays;
    arrays.slots = carve<Slot>(memory, plan.count());
    for (auto& slot : arrays.slots) new (&slot) Slot();
    arrays.section_stack = carve<uint16_t>(memory, plan.sections);
    arrays.section_ring = carve<uint16_t>(memory, SlotPool::ring_size(plan.sections));
    arrays.page_stack = carve<uint16_t>(memory, plan.pages);
    arrays.page_ring = carve<uint16_t>(memory, SlotPool::ring_size(plan.pages));
    return arrays;
  }

  std::span<Slot> slots;
  std::span<uint16_t> section_stack, section_ring, page_stack, page_ring;

 private:
  static constexpr size_t pool_bytes(size_t count) {
    return (count + SlotPool::ring_size(count)) * sizeof(uint16_t);
  }

  template <typename T>
  static std::span<T> carve(std::span<std::byte>& memory, size_t count) {
    const std::span<T> part(reinterpret_cast<T*>(memory.data()), count);
    memory = memory.subspan(count * sizeof(T));
    return part;
  }
};

}  // namespace hv::netvsc
