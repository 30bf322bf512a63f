// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <concepts>

#include "core/base/slot_table.hpp"
#include "core/port.h"
#include "core/vmbus/ring.hpp"

/// One channel as a driver sees it. The bus has opened it; what is in its packets is the driver's.
namespace hv::vmbus {

/// Where a packet that asks for a completion is staged: Outbound, or what stands for it.
template <typename S>
concept RequestSink = requires(S& sink, std::span<const std::byte> bytes, uint64_t id) {
  { sink.send(id, bytes, bytes) } -> std::same_as<Result<void>>;
};

/// Stages a request under the id of `slot`, which is alive from success on. `ranges`: of guest
/// memory, may be empty. Errors: BadId, BadState (the slot is alive already), and the sink's.
/// Nothing stays behind after an error.
template <RequestSink S>
HV_HOT_INLINE Result<void> send_request(S& sink, SlotTable& slots, size_t slot,
                                        std::span<const std::byte> ranges,
                                        std::span<const std::byte> payload) {
  const uint64_t id = HV_TRY(slots.arm(slot));
  const Result<void> sent = sink.send(id, ranges, payload);
  if (!sent) (void)slots.cancel(slot).ok();
  return sent;
}

/// The sending half. Nothing is seen by the host before `publish`. Concurrency: one caller at a
/// time. Errors of what stages: as RingWriter::stage; nothing is staged then.
class Outbound {
 public:
  explicit Outbound(RingWriter ring) : ring_(ring) {}

  /// A packet that the host is to complete under `id`.
  HV_HOT_INLINE Result<void> send(uint64_t id, std::span<const std::byte> ranges,
                                  std::span<const std::byte> payload) {
    const auto type =
        ranges.empty() ? wire::PacketType::DataInBand : wire::PacketType::DataUsingGpaDirect;
    HV_TRY(ring_.stage(type, wire::kPacketCompletionRequested, id, ranges, payload));
    return {};
  }
  /// A packet that is not answered.
  Result<void> notice(std::span<const std::byte> payload) {
    HV_TRY(ring_.stage(wire::PacketType::DataInBand, 0, 0, {}, payload));
    return {};
  }
  /// Completes what the host sent under `id`.
  HV_HOT_INLINE Result<void> complete(uint64_t id, std::span<const std::byte> payload) {
    HV_TRY(ring_.stage(wire::PacketType::Completion, 0, id, {}, payload));
    return {};
  }
  /// Shows the host all that is staged. Yes: signal it.
  Signal publish() { return ring_.commit(); }

  uint32_t capacity() const { return ring_.capacity(); }
  Result<uint32_t> free_bytes() { return ring_.free_bytes(); }
  Result<bool> wait_for_space(uint32_t bytes) { return ring_.wait_for_space(bytes); }

 private:
  RingWriter ring_;
};

/// The receiving half, with the private copy of the packet that was read last. `kMost`: bytes of
/// the largest packet taken, its descriptor not counted. Concurrency: one caller at a time,
/// independent of the sending half.
template <size_t kMost>
class Inbound {
 public:
  explicit Inbound(RingReader ring) : ring_(ring) {}

  /// The next packet, in this object until the next read. Errors: as RingReader::read.
  HV_HOT_INLINE Result<Packet> read() { return ring_.read(packet_); }
  /// Gives the room of what was read back. Yes: signal the host.
  Signal give_back() { return ring_.commit(); }

  void mask() { ring_.mask(); }
  Result<bool> unmask() { return ring_.unmask(); }
  uint32_t position() const { return ring_.position(); }
  /// As RingReader::unmask_behind.
  bool unmask_behind(uint32_t position) const { return ring_.unmask_behind(position); }

 private:
  RingReader ring_;
  alignas(8) std::array<std::byte, kMost> packet_{};
};

/// What a round of receiving ends with: all that the port has to do.
struct [[nodiscard]] RoundEnd {
  Signal signal = Signal::No;  ///< to the host
  bool arm_timer = false;      ///< start the timer: something was left for later
  bool again = false;          ///< another round at once: nobody would wake us for what is left
  bool broken = false;         ///< the ring makes no sense any more
};

/// The rings of an open channel, as the port has mapped them. Errors: BadLength, BadValue,
/// RingCorrupt.
struct Rings {
  RingWriter out;
  RingReader in;

  static Result<Rings> create(const hv_port_rings& rings) {
    const auto memory = [&](void* at, size_t bytes) {
      return RingMemory::create({static_cast<std::byte*>(at), bytes}, rings.mirrored != 0);
    };
    const auto out = HV_TRY(memory(rings.out, rings.out_bytes));
    const auto in = HV_TRY(memory(rings.in, rings.in_bytes));
    return Rings{HV_TRY(RingWriter::create(out)), HV_TRY(RingReader::create(in))};
  }
};

/// Both halves, for a driver that needs nothing between them.
template <size_t kMost>
struct Endpoint {
  explicit Endpoint(const Rings& rings) : out(rings.out), in(rings.in) {}

  /// Ends a round of receiving.
  RoundEnd finish_round() { return {.signal = in.give_back()}; }

  Outbound out;
  Inbound<kMost> in;
};

}  // namespace hv::vmbus
