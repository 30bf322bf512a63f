// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/wire/netvsc.hpp"

namespace hv::host::netvsp {

/// A message of the guest that needs no more than its type.
struct Unknown {
  wire::netvsc::MessageType type;
};
enum class Buffer : uint8_t { Receive, Send };
struct OfferBuffer {
  Buffer which;
  wire::netvsc::SendBuffer body;
};
struct RevokeBuffer {
  Buffer which;
  uint16_t id;
};

using Message =
    std::variant<wire::netvsc::Init, wire::netvsc::NdisVersion, wire::netvsc::NdisConfig,
                 OfferBuffer, RevokeBuffer, wire::netvsc::RndisPacket,
                 wire::netvsc::SubChannelRequest, wire::netvsc::SwitchDataPath, Unknown>;

/// Takes an NVSP message of the guest apart, of any version: the session knows which was agreed on.
/// Pure. Errors: Truncated (shorter than its type needs).
Result<Message> parse_message(std::span<const std::byte> payload);

/// A message to the guest: header, body, zeros up to kMessageSize.
class Outgoing {
 public:
  template <WireStruct T>
  Outgoing(wire::netvsc::MessageType type, const T& body) {
    static_assert(sizeof(wire::netvsc::Header) + sizeof(T) <= wire::netvsc::kMessageSize);
    const wire::netvsc::Header header{type};
    __builtin_memcpy(bytes_.data(), &header, sizeof(header));
    __builtin_memcpy(bytes_.data() + sizeof(header), &body, sizeof(body));
  }
  /// An answer without content.
  Outgoing() : size_(0) {}

  /// Sends `size` bytes of it alone: of messages that guests read by their type.
  Outgoing& cut(size_t size) {
    if (size < size_) size_ = size;
    return *this;
  }
  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

 private:
  std::array<std::byte, wire::netvsc::kMessageSize> bytes_{};
  size_t size_ = wire::netvsc::kMessageSize;
};

/// Tells a sender that its RNDIS message is done with.
inline Outgoing packet_complete(wire::netvsc::Status status) {
  return Outgoing(wire::netvsc::MessageType::SendRndisPacketComplete,
                  wire::netvsc::RndisPacketComplete{status})
      .cut(sizeof(wire::netvsc::Header) + sizeof(wire::netvsc::RndisPacketComplete));
}

}  // namespace hv::host::netvsp
