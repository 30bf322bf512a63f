// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/vmbus/ring.hpp"

namespace hv::vmbus {

/// Our ring's very code, all that it checks compiled out: what is left asks whether there is room,
/// or a packet. The benchmark learns from it what safety costs. Not for use.
struct TrustingRing {
  static HV_HOT_INLINE Result<Staged> stage(RingWriter& writer, wire::PacketType type,
                                            uint16_t flags, uint64_t transaction_id,
                                            std::span<const std::byte> extra,
                                            std::span<const std::byte> payload) {
    return writer.stage_for<Peer::Trusted>(type, flags, transaction_id, extra, payload);
  }
  static HV_HOT_INLINE Result<Packet> read(RingReader& reader, std::span<std::byte> buffer) {
    return reader.read_for<Peer::Trusted>(buffer);
  }
};

}  // namespace hv::vmbus
