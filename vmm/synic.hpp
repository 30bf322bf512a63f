// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "vmm/memory.hpp"
#include "vmm/sint_lines.hpp"

namespace hv::vmm {

/// Who can have a VP's own thread do something.
class VpThreads {
 public:
  virtual ~VpThreads() = default;
  /// The thread of `vp` leaves the guest and calls Synic::visit(vp) soon. Does not wait. Any
  /// thread.
  virtual void ask_for_visit(uint32_t vp) = 0;
};

/// The part of the synthetic interrupt controller that KVM leaves to user space: the message slots
/// and the event flags in the guest's pages. KVM keeps the registers and interrupts the VP. Source:
/// Hypervisor Top-Level Functional Specification, "Inter-Partition Communication", SIM and SIEF
/// pages. Any thread; the guest may write its pages at any time.
///
/// KVM writes into the same slots, when a synthetic timer that reports by messages expires: it
/// looks whether the slot is empty, and fills it, on the VP's thread and not atomically. So
/// messages are put into slots on that thread alone (visit()), when it is not in KVM.
class Synic {
 public:
  static constexpr uint32_t kSints = 16;
  static constexpr uint32_t kFlags = 2048;
  static constexpr size_t kPayloadMost = 240;
  static constexpr size_t kQueueMost =
      4096;  ///< messages that may wait for a guest that does not acknowledge

  /// `retry_timer` is a timerfd, armed here when something waits: retry() is due when it fires. A
  /// slot that is busy is looked at again by time and not on the guest's acknowledgement: KVM's
  /// acknowledgement notifier (resamplefd) fires at every EOI of the vector, which is at every
  /// channel interrupt, while two messages at once are rare.
  Synic(uint32_t vps, const GuestMemory& memory, SintLines& lines, VpThreads& threads,
        int retry_timer);

  /// The guest wrote SCONTROL, SIEFP or SIMP of `vp`; these are the registers' values now. On the
  /// thread of `vp`, as visit().
  void registers_changed(uint32_t vp, uint64_t control, uint64_t event_page, uint64_t message_page);

  /// Puts what waits for `vp` into its slots. On the thread of `vp`, while that is not in KVM.
  void visit(uint32_t vp);

  /// As host::Machine says of the same names.
  bool post_message(uint32_t vp, uint32_t sint, uint32_t type, std::span<const std::byte> payload);
  void drop_messages();
  void signal_event(uint32_t vp, uint32_t sint, uint32_t flag);

  /// Tries again what waits: a slot that was busy, an interrupt that was refused because the SINT
  /// was masked.
  void retry();

  /// What stands in a VP's pages for one SINT, and the guest has not taken yet.
  struct Standing {
    uint32_t vp = 0;
    uint32_t sint = 0;
    bool message = false;           ///< in the slot
    std::vector<uint32_t> flags{};  ///< event flags: relids of channels
    uint32_t interrupts = 0;        ///< given for this SINT so far
    uint32_t changes = 0;           ///< of the VP's SynIC registers so far
  };
  std::vector<Standing> standing();
  uint32_t changes(uint32_t vp);
  /// Gives the interrupt of what stands there again. Returns how many were given so far.
  uint32_t interrupt_again(uint32_t vp, uint32_t sint);

 private:
  struct Message {
    uint32_t type;
    uint8_t size;
    std::array<std::byte, kPayloadMost> payload;
  };
  /// One SINT of one VP, once it is used.
  struct Line {
    uint32_t vp;
    uint32_t sint;
    uint32_t gsi = 0;
    bool interrupt_due = false;  ///< the page was written, but the interrupt was refused
    std::atomic<uint32_t> interrupts{0};
    std::deque<Message> queue;
  };
  struct Vp {
    std::mutex mutex;
    bool enabled = false;
    uint32_t retry_delay = 1;  ///< milliseconds
    uint32_t changes = 0;
    std::atomic<uint64_t> event_page{0};  ///< guest physical, 0: off
    uint64_t message_page = 0;
    std::array<std::unique_ptr<Line>, kSints> lines;
    std::array<std::atomic<Line*>, kSints> published{};
  };

  Line* line_of(uint32_t vp, uint32_t sint);
  enum class Left : uint8_t {
    Nothing,   ///< all is delivered, or waits for the guest to switch its SynIC on, which we are
               ///< told
    Progress,  ///< something was delivered, and something is left
    Stuck,     ///< nothing could be delivered
  };
  Left deliver(Vp& vp, Line& line);
  void deliver_all(Vp& vp);
  Standing standing_of(const Vp& vp, const Line& line) const;
  void interrupt(Line& line);
  static bool listens(const Vp& vp) { return vp.enabled && vp.message_page != 0; }
  static void try_less_often(Vp& vp);
  void arm_retry(uint32_t milliseconds);

  const GuestMemory& memory_;
  SintLines& lines_;
  VpThreads& threads_;
  int retry_timer_;
  std::mutex timer_mutex_;
  std::chrono::steady_clock::time_point due_{};  ///< when the timer fires; past: it is not armed
  std::vector<std::unique_ptr<Vp>> vps_;
};

}  // namespace hv::vmm
