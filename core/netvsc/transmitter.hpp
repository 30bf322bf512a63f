// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/base/mutant.hpp"
#include "core/netvsc/frame.hpp"
#include "core/netvsc/opening.hpp"
#include "core/netvsc/piggyback.hpp"
#include "core/netvsc/queue_memory.hpp"
#include "core/netvsc/rndis.hpp"
#include "core/vmbus/endpoint.hpp"
#include "core/vmbus/gpa_direct.hpp"

namespace hv::netvsc {

/// The part of the send buffer that a channel has for itself: `count` sections from number `first`
/// on, `bytes` is their memory.
struct SendShare {
  std::span<std::byte> bytes;
  uint32_t first = 0;
  uint32_t section_size = 0;
};

/// Where a frame in pages lies, as a GPA-direct packet says it: a range for its header, one for
/// each piece of memory behind that.
class PageList {
 public:
  /// Pages that all of them may touch. Hosts take no more.
  static constexpr uint32_t kMost = 32;

  /// Begins anew, with the header's piece. Errors: BadLength (it is in two pages, which hosts
  /// refuse).
  Result<void> begin(uint64_t address, uint32_t length) {
    if (address % wire::kPageSize + length > wire::kPageSize && !HV_MUTANT(37))
      return Error::BadLength;
    builder_ = vmbus::GpaDirectBuilder(writable_bytes_of(room_));
    pages_ = 0;
    bytes_ = 0;
    return add(address, length);
  }
  /// Errors: BadLength (too many pages), BadValue (no bytes). It is not listed then.
  Result<void> add(uint64_t address, uint32_t length) {
    const uint64_t pages =
        (address % wire::kPageSize + length + (wire::kPageSize - 1)) / wire::kPageSize;
    if (pages > kMost - pages_) return Error::BadLength;
    HV_TRY(builder_.memory(address, length));
    pages_ += static_cast<uint32_t>(pages);
    bytes_ += length;
    return {};
  }
  uint32_t bytes() const { return bytes_; }
  Result<std::span<const std::byte>> finish() { return builder_.finish(); }

 private:
  /// Each page a range of its own is the most.
  std::array<uint64_t, 1 + 2 * kMost> room_;
  vmbus::GpaDirectBuilder builder_{{}};
  uint32_t pages_ = 0;
  uint32_t bytes_ = 0;
};

/// The sending side of one channel: frames, NVSP and RNDIS control messages, completions of what
/// was received. Nothing is seen by the host before `publish`; frames that were copied stay in the
/// open batch until `flush`. Concurrency: one caller at a time (the port's lock of the channel).
class Transmitter {
 public:
  Transmitter(vmbus::RingWriter ring, SlotTable& slots, const SlotPlan& plan,
              const QueueMemory& memory)
      : out_(ring),
        slots_(slots),
        plan_(plan),
        sections_(memory.section_stack, memory.section_ring),
        pages_(memory.page_stack, memory.page_ring) {
    pages_.fill(plan.sections, plan.pages);
  }

  /// Gives the channel its sections; before the first frame, once. Of those that the plan has no
  /// slots for none is used. Errors: BadValue (section_size is 0).
  Result<void> share(const SendShare& share) {
    if (share.section_size == 0) return Error::BadValue;
    const size_t count = share.bytes.size() / share.section_size;
    share_ = share;
    section_count_ = static_cast<uint16_t>(count < plan_.sections ? count : plan_.sections);
    sections_.fill(0, section_count_);
    return {};
  }
  /// What was agreed on with the host: what it does not know is not sent.
  void adopt(const Dialect& dialect) { dialect_ = dialect; }
  /// What the host takes in one message; before, each frame goes alone.
  void adopt(const Limits& limits) { limits_ = limits; }

  // --- frames

  /// Whether a frame can be copied into a section at all.
  bool fits_section(const SendFrame& frame) const {
    return section_count_ && header_size(frame) + frame.length <= most_in_section();
  }
  /// Puts a frame's headers into the open batch, or into a new one; the port copies the frame's
  /// bytes to where the result says, `frame.length` of them, before it calls anything else. Errors:
  /// BadLength (does not fit), Exhausted (no section is free), RingFull and RingCorrupt (from
  /// sending the batch before). Nothing has changed then.
  Result<std::byte*> copy(const SendFrame& frame) {
    if (!fits_section(frame)) return Error::BadLength;
    return copy_fitting(frame);
  }
  /// Sends the open batch, if there is one. Errors: RingFull (it stays; to be called again),
  /// RingCorrupt.
  Result<void> flush() { return batch_open() ? send_batch() : Result<void>(); }
  bool batch_open() const { return batch_.packets != 0; }

  /// A slot for a frame in pages: until `send_pages` or `drop_pages` it is the caller's. Errors:
  /// Exhausted.
  Result<uint16_t> take_pages() { return pages_.take(); }
  void drop_pages(uint16_t slot) { pages_.put_back(slot); }
  /// Lists where the header is to be, then piece by piece where the frame's bytes are. Errors: as
  /// PageList has them.
  Result<void> list_header(const SendFrame& frame, uint64_t address) {
    return list_.begin(address, static_cast<uint32_t>(header_size(frame)));
  }
  Result<void> list_piece(uint64_t address, uint32_t length) { return list_.add(address, length); }
  /// Sends the frame that was listed, behind what is in the batch. `header`: the memory of the
  /// header, of kHeaderRoom bytes. Errors: BadLength (other than the frame's bytes are listed),
  /// RingFull, RingCorrupt; the slot is still the caller's then.
  HV_HOT Result<void> send_pages(uint16_t slot, const SendFrame& frame,
                                 std::span<std::byte> header);

  // --- the dialogues

  /// An NVSP message that is answered. Errors: also NotSupported (the host does not know it).
  Result<void> send_setup(const Message& message);
  /// An NVSP message without an answer. Errors: as send_setup.
  Result<void> send_notice(const Message& message);
  /// An RNDIS control message of `length` bytes in one page at `address`.
  Result<void> send_control(uint64_t address, uint32_t length);

  /// Completes what the host sent under `id`.
  HV_HOT Result<void> send_completion(uint64_t id, wire::netvsc::Status status);

  // --- the ring

  vmbus::Signal publish() {
    const vmbus::Signal signal = out_.publish();
    piggyback_.published(signal);
    return signal;
  }
  /// A round of receiving ends, its completions are staged: whether they may wait to be published
  /// with a frame.
  bool may_wait() { return !batch_open() && piggyback_.may_wait(); }
  /// The timer of those that wait has run out.
  Piggyback::Due wait_expired() { return piggyback_.expired(); }
  /// Whether frames of any kind can be sent now, with `reserve` bytes of the ring left. Errors:
  /// RingCorrupt.
  Result<bool> may_send(uint32_t reserve) {
    const uint32_t room = HV_TRY(out_.free_bytes());
    return room >= reserve && !pages_.empty();
  }
  uint32_t ring_capacity() const { return out_.capacity(); }
  Result<bool> wait_for_space(uint32_t bytes) { return out_.wait_for_space(bytes); }

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
  vmbus::Outbound out_;
  SlotTable& slots_;
  SlotPlan plan_;
  SendShare share_;
  uint16_t section_count_ = 0;
  Limits limits_;
  SlotPool sections_;
  SlotPool pages_;
  Batch batch_;
  Piggyback piggyback_;
  PageList list_;
  Dialect dialect_ = kNewest;
};

}  // namespace hv::netvsc
