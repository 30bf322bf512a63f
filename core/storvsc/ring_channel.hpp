// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/storvsc/machine.hpp"

namespace hv::storvsc {

/// A channel over two rings in memory: what every port has that owns or may drive its rings.
/// Concurrency: the sending side (`send_*`, `publish`) one caller at a time, the receiving side
/// (`read`, `give_back`) likewise; the two sides are independent.
class RingChannel {
 public:
  /// Bytes of the largest packet taken, its descriptor not counted; hosts send 64.
  static constexpr size_t kMostReceived = 256;

  RingChannel(vmbus::RingWriter writer, vmbus::RingReader reader)
      : writer_(writer), reader_(reader) {}

  Result<void> send_in_band(std::span<const std::byte> packet, uint64_t id) {
    return writer_.stage(wire::PacketType::DataInBand, wire::kPacketCompletionRequested, id, {},
                         packet);
  }
  Result<void> send_gpa_direct(std::span<const std::byte> ranges, std::span<const std::byte> packet,
                               uint64_t id) {
    return writer_.stage(wire::PacketType::DataUsingGpaDirect, wire::kPacketCompletionRequested, id,
                         ranges, packet);
  }
  /// Shows the host all that is staged. Yes: signal it.
  vmbus::Signal publish() { return writer_.commit(); }

  /// The next packet, in this object until the next read. Errors: as RingReader::read.
  HV_HOT_INLINE Result<vmbus::Packet> read() { return reader_.read(buffer_); }
  /// Gives the room of what was read back. Yes: signal the host.
  vmbus::Signal give_back() { return reader_.commit(); }

 private:
  vmbus::RingWriter writer_;
  vmbus::RingReader reader_;
  alignas(8) std::array<std::byte, kMostReceived> buffer_{};
};
static_assert(SendChannel<RingChannel>);

}  // namespace hv::storvsc
