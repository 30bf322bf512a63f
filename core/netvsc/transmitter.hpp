// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/netvsc/frame.hpp"
#include "core/netvsc/opening.hpp"
#include "core/netvsc/queue_memory.hpp"
#include "core/netvsc/rndis.hpp"
#include "core/vmbus/ring.hpp"

namespace hv::netvsc {

/// The part of the send buffer that a channel has for itself: `count` sections from number `first` on, `bytes` is their memory.
struct SendShare {
  std::span<std::byte> bytes;
  uint32_t first = 0;
  uint32_t section_size = 0;
};

/// A piece of memory as a GPA-direct packet names it; within one page.
struct PageRange {
  uint32_t length;
  uint32_t offset;
  uint64_t frame;
};
static_assert(sizeof(PageRange) == sizeof(wire::GpaRangeHeader) + sizeof(uint64_t));

/// Room for the ranges of one packet, the first of which is the RNDIS header's. Hosts take no more.
struct PageList {
  static constexpr uint32_t kMost = 32;
  wire::GpaDirectHeader head;
  std::array<PageRange, kMost> ranges;

  std::span<const std::byte> bytes(uint32_t count) const {
    return {reinterpret_cast<const std::byte*>(this), sizeof(head) + count * sizeof(PageRange)};
  }
};

/// The sending side of one channel: frames, NVSP and RNDIS control messages, completions of what was received.
/// Nothing is seen by the host before `publish`; frames that were copied stay in the open batch until `flush`.
/// Concurrency: one caller at a time (the port's lock of the channel).
class Transmitter {
 public:
  Transmitter(vmbus::RingWriter writer, SlotTable& slots, const SlotPlan& plan, const QueueMemory& memory)
      : writer_(writer),
        slots_(slots),
        plan_(plan),
        sections_(memory.section_stack, memory.section_ring),
        pages_(memory.page_stack, memory.page_ring) {
    pages_.fill(plan.sections, plan.pages);
  }

  /// Gives the channel its sections; before the first frame, once. Of those that the plan has no slots for none is used.
  /// Errors: BadValue (section_size is 0).
  Result<void> share(const SendShare& share) {
    if (share.section_size == 0) return Error::BadValue;
    const size_t count = share.bytes.size() / share.section_size;
    share_ = share;
    section_count_ = static_cast<uint16_t>(count < plan_.sections ? count : plan_.sections);
    sections_.fill(0, section_count_);
    return {};
  }
  /// What the host takes in one message; before, each frame goes alone.
  void adopt(const Limits& limits) { limits_ = limits; }

  // --- frames

  /// Whether a frame can be copied into a section at all.
  bool fits_section(const SendFrame& frame) const {
    return section_count_ && header_size(frame) + frame.length <= most_in_section();
  }
  /// Puts a frame's headers into the open batch, or into a new one; the port copies the frame's bytes to where the result says, `frame.length` of
  /// them, before it calls anything else. Errors: BadLength (does not fit), Exhausted (no section is free), RingFull and RingCorrupt (from
  /// sending the batch before). Nothing has changed then.
  Result<std::byte*> copy(const SendFrame& frame) {
    if (!fits_section(frame)) return Error::BadLength;
    return copy_fitting(frame);
  }
  /// Sends the open batch, if there is one. Errors: RingFull (it stays; to be called again), RingCorrupt.
  Result<void> flush() { return batch_open() ? send_batch() : Result<void>(); }
  bool batch_open() const { return batch_.packets != 0; }

  /// A slot for a frame in pages: until `send_pages` or `drop_pages` it is the caller's. Errors: Exhausted.
  Result<uint16_t> take_pages() { return pages_.take(); }
  void drop_pages(uint16_t slot) { pages_.put_back(slot); }
  /// Sends a frame by its pages, behind what is in the batch. `header`: room of kHeaderRoom bytes in one page, at `header_at`; ranges [1, count) are
  /// the frame's. Errors: BadLength (no or too many ranges), RingFull, RingCorrupt; the slot is still the caller's then.
  HV_HOT Result<void> send_pages(uint16_t slot, const SendFrame& frame, std::span<std::byte> header, uint64_t header_at, PageList& list, uint32_t count);

  // --- the dialogues

  Result<void> send_setup(const Message& message) {
    return send_in_band(plan_.setup(), message);
  }
  /// An NVSP message without an answer.
  Result<void> send_notice(const Message& message) {
    const std::span<const std::byte> parts[] = {message};
    return writer_.stage(wire::PacketType::DataInBand, 0, 0, {}, parts);
  }
  /// An RNDIS control message of `length` bytes in one page at `address`.
  Result<void> send_control(uint64_t address, uint32_t length);

  /// Completes what the host sent under `id`.
  HV_HOT Result<void> send_completion(uint64_t id, wire::netvsc::Status status);

  // --- the ring

  vmbus::Signal publish() { return writer_.commit(); }
  /// Whether frames of any kind can be sent now, with `reserve` bytes of the ring left. Errors: RingCorrupt.
  Result<bool> may_send(uint32_t reserve) {
    const uint32_t room = HV_TRY(writer_.free_bytes());
    return room >= reserve && !pages_.empty();
  }
  uint32_t ring_capacity() const { return writer_.capacity(); }
  Result<bool> wait_for_space(uint32_t bytes) { return writer_.wait_for_space(bytes); }

  SlotPool& sections() { return sections_; }
  SlotPool& pages() { return pages_; }

 private:
  struct Batch {
    uint16_t slot = 0;
    uint32_t used = 0;
    uint32_t packets = 0;
  };

  uint32_t most_in_section() const {
    const bool less = limits_.max_transfer != 0 && limits_.max_transfer < share_.section_size;
    return less ? limits_.max_transfer : share_.section_size;
  }
  HV_HOT Result<std::byte*> copy_fitting(const SendFrame& frame);
  HV_HOT Result<void> send_batch();
  HV_HOT Result<void> send_in_band(size_t slot, const Message& message);
  Result<void> settle(size_t slot, Result<void> sent) {
    if (!sent) (void)slots_.cancel(slot).ok();
    return sent.ok() ? Result<void>() : Result<void>(sent.error());
  }

  vmbus::RingWriter writer_;
  SlotTable& slots_;
  SlotPlan plan_;
  SendShare share_;
  uint16_t section_count_ = 0;
  Limits limits_;
  SlotPool sections_;
  SlotPool pages_;
  Batch batch_;
};

}  // namespace hv::netvsc
