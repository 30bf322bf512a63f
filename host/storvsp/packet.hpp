// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/base/result.hpp"
#include "core/vmbus/ring.hpp"
#include "core/wire/storvsc.hpp"

namespace hv::host::storvsp {

/// A request of the guest, copied out of the ring and taken apart.
struct Incoming {
  wire::storvsc::Operation operation;
  uint64_t transaction_id = 0;
  size_t size =
      0;  ///< of the packet, header included: the completion has the same, guests check it
  wire::storvsc::Version version{};      ///< QueryProtocolVersion
  uint16_t sub_channels = 0;             ///< CreateSubChannels
  wire::storvsc::ScsiRequest request{};  ///< ExecuteSrb
};

/// Takes a packet apart. Pure.
/// Errors: BadValue (not a packet of data, or one that wants no completion), Truncated (shorter
/// than its operation needs).
Result<Incoming> parse_packet(const hv::vmbus::Packet& packet);

/// A packet to the guest, built in place: header, body, zeros up to its size.
class Outgoing {
 public:
  /// `size` is cut to what a packet has at most.
  Outgoing(wire::storvsc::Operation operation, uint32_t status, size_t size);

  /// Puts `body` behind the header; what does not fit the packet's size is cut off, as hosts do.
  template <WireStruct T>
  Outgoing& with(const T& body) {
    put(bytes_of(body));
    return *this;
  }

  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

 private:
  void put(std::span<const std::byte> body);

  std::array<std::byte, wire::storvsc::kPacketSize> bytes_{};
  size_t size_;
};

}  // namespace hv::host::storvsp
