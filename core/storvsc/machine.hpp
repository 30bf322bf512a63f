// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/storvsc/handshake.hpp"
#include "core/storvsc/outcome.hpp"
#include "core/vmbus/endpoint.hpp"

namespace hv::storvsc {

/// One channel of a controller. Hosts send packets of 64 bytes.
using Channel = vmbus::Endpoint<256>;

/// A packet from the host, understood.
struct Event {
  enum class Kind : uint8_t {
    Completed,  ///< the request in `slot` has ended: `completion` says how; `intelligible` false:
                ///< it has none
    Answered,   ///< the control packet in `slot` is answered by `packet`
    DevicesChanged,  ///< look at the bus again
    NamesChanged,    ///< Fibre Channel: `names` are the adapter's now
    Ignored,         ///< well formed, of no interest
  };
  Kind kind;
  bool intelligible = true;
  size_t slot = 0;
  Completion completion{};
  AdapterNames names{};
  std::span<const std::byte> packet{};
};

/// The protocol of one controller, for all its channels.
///
/// Requests live in slots. The port chooses the slot (its block layer's tag), so the two meet
/// without a search; slots [0, requests) are for SCSI commands, the kControlSlots behind them for
/// the dialogue, for resets and for recognising units before commands go on. Concurrency: `submit`
/// and `receive` from any number of CPUs, one at a time per channel and direction, and one at a
/// time per slot. `adopt` before the first submit. Trust: nothing in a packet is believed: an id is
/// good once and while its request lives, lengths are bounded.
class Machine {
 public:
  static constexpr size_t kControlSlots = 3;
  enum class Control : uint8_t { Dialogue = 0, Reset = 1, Recognition = 2 };

  /// `slots`: zeroed, one per request and kControlSlots more; outlives the machine. Errors:
  /// BadLength.
  static Result<Machine> create(std::span<Slot> slots) {
    if (slots.size() <= kControlSlots || slots.size() > UINT32_MAX / 2) return Error::BadLength;
    return Machine(slots);
  }

  size_t requests() const { return slots_.capacity() - kControlSlots; }
  size_t slot_of(Control control) const { return requests() + static_cast<size_t>(control); }
  const Dialect& dialect() const { return dialect_; }

  /// Takes on what the handshake has found.
  void adopt(const Dialect& dialect) { dialect_ = dialect; }

  /// Stages `request` under `slot`. `ranges`: GpaDirectHeader and ranges, empty when no bytes move.
  /// From success on the request is the host's until `receive` gives it back or `cancel` takes it.
  /// Errors: BadId, BadState (slot alive), BadValue, NotSupported (a command that hosts of this
  /// version mishandle), and the channel's (RingFull: publish, and try again when something has
  /// completed). Nothing stays behind after an error.
  template <vmbus::RequestSink S>
  Result<void> submit(S& channel, size_t slot, const Request& request,
                      std::span<const std::byte> ranges) {
    if (slot >= requests()) return Error::BadId;
    return execute(channel, slot, request, ranges);
  }
  /// The same for a request of the recognition's, which its control slot stands for.
  template <vmbus::RequestSink S>
  Result<void> submit_recognition(S& channel, const Request& request,
                                  std::span<const std::byte> ranges) {
    return execute(channel, slot_of(Control::Recognition), request, ranges);
  }

  /// Stages a packet of the dialogue or a reset. Errors: as `submit`; NotSupported: an operation
  /// that this controller does not have.
  template <vmbus::RequestSink S>
  Result<void> submit(S& channel, Control control, const Packet& packet) {
    HV_TRY(dialect_.check(wire::Sender::Guest, packet.header.operation,
                          packet.bytes(dialect_).size() - sizeof(packet.header)));
    return vmbus::send_request(channel, slots_, slot_of(control), {}, packet.bytes(dialect_));
  }

  /// Understands one packet; what the result views is in `packet`. An Event with a slot is given
  /// once per submit: the slot is free when this returns. Errors, with no request harmed: BadId
  /// (forged, stale or repeated), Truncated, NotSupported (a packet type hosts do not send).
  HV_HOT Result<Event> receive(const vmbus::Packet& packet);

  /// Ends the request in `slot` without the host. Only when the host can no longer reach its pages:
  /// nothing was published, or the channel is closed. Errors: BadId (not alive: it has completed).
  Result<void> cancel(size_t slot) { return slots_.cancel(slot); }
  bool alive(size_t slot) const { return slots_.alive(slot); }

  /// The number of SCSI commands the host has. For waiting, not for the path of requests: it looks
  /// at each slot.
  size_t in_flight() const;

 private:
  explicit Machine(std::span<Slot> slots) : slots_(slots) {}
  Result<Event> host_says(std::span<const std::byte> packet) const;

  template <vmbus::RequestSink S>
  Result<void> execute(S& channel, size_t slot, const Request& request,
                       std::span<const std::byte> ranges) {
    HV_TRY(check_request(dialect_, request));
    const Packet packet = execute_packet(dialect_, request);
    return vmbus::send_request(channel, slots_, slot, ranges, packet.bytes(dialect_));
  }

  SlotTable slots_;
  Dialect dialect_ = kDialects.front();
};

}  // namespace hv::storvsc
