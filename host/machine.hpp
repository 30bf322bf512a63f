// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

namespace hv::host {

/// Guest pages made contiguous in the host's address space; unmapped when it dies.
/// The guest goes on writing to them: copy out once, then look.
class Mapping {
 public:
  virtual ~Mapping() = default;
  virtual std::span<std::byte> bytes() = 0;
};

/// What the Hyper-V devices need from the machine under them: memory, SynIC messages and events.
/// The KVM machine implements it (vmm/), and so does a fake of plain memory (tests). All methods
/// may be called from any thread.
class Machine {
 public:
  virtual ~Machine() = default;

  virtual uint32_t vp_count() const = 0;

  /// Host address of guest-physical [gpa, gpa + length), or nullopt when any byte of it is not RAM.
  virtual std::optional<std::span<std::byte>> memory(uint64_t gpa, size_t length) = 0;

  /// Maps the 4 KiB pages with these frame numbers, in this order, contiguously; a page may appear
  /// twice. nullptr when one of them is not RAM.
  virtual std::unique_ptr<Mapping> map_pages(std::span<const uint64_t> frames) = 0;

  /// Queues a SynIC message of at most 240 bytes for `sint` of `vp`; delivered in order, as soon as
  /// the slot is free. Messages to a VP whose SynIC or SINT is off wait there. False when `vp` does
  /// not exist or its queue is full (a guest that never acknowledges): the caller drops the
  /// connection.
  virtual bool post_message(uint32_t vp, uint32_t sint, uint32_t message_type,
                            std::span<const std::byte> payload) = 0;

  /// Messages that still wait are not delivered any more: who they were for is gone, and another
  /// one speaks.
  virtual void drop_messages() {}

  /// Sets event flag `flag` (0..2047) of `sint` on `vp` and interrupts it, if the flag was not set
  /// already.
  virtual void signal_event(uint32_t vp, uint32_t sint, uint32_t flag) = 0;

  /// Makes HvCallSignalEvent on `connection_id` write to `event_fd` without leaving the kernel; -1
  /// takes it away. False when the id is taken.
  virtual bool bind_signal(uint32_t connection_id, int event_fd) = 0;
};

/// What the machine calls in turn: HvCallPostMessage of the guest. May be called from several VPs'
/// threads at once.
class MessageSink {
 public:
  virtual ~MessageSink() = default;
  /// `payload` is a private copy of at most 240 bytes. False: no such connection (the hypercall
  /// fails with HV_STATUS_INVALID_CONNECTION_ID).
  virtual bool message_from_guest(uint32_t connection_id, uint32_t message_type,
                                  std::span<const std::byte> payload) = 0;
  /// The guest reset its SynIC, rebooted or the machine ends: everything is closed. On return no
  /// guest memory is in use.
  virtual void reset() = 0;
};

}  // namespace hv::host
