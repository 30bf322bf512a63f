// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/vmbus/ring.hpp"
#include "core/wire/ring.hpp"
#include "host/hostile/dice.hpp"

namespace hv::host::hostile {

/// A packet for the guest, and what its descriptor says instead of the truth.
struct Packet {
  struct Lengths {
    uint16_t data_offset8;
    uint16_t length8;
  };
  wire::PacketType type{};
  uint16_t flags = 0;
  uint64_t transaction_id = 0;
  std::vector<std::byte> extra;  ///< a multiple of 8 bytes
  std::vector<std::byte> payload;
  std::optional<Lengths> lie;

  static Packet of(const hv::vmbus::Packet& packet);
  size_t size() const { return hv::vmbus::RingWriter::packet_size(extra.size(), payload.size()); }
};

/// What a channel's packets speak, as far as lies need to know it.
enum class Protocol : uint8_t { Storage, Network };

/// Lies in the packets of one channel. It listens to what is said, so that its lies name what
/// exists. No I/O, one caller at a time.
class PacketForger {
 public:
  explicit PacketForger(Protocol protocol = Protocol::Storage) : protocol_(protocol) {}

  /// Every honest packet on its way to the guest.
  void listen(const Packet& packet);
  /// What becomes of `honest`: nothing, one packet or several, in this order. It may come back
  /// later.
  std::vector<Packet> tamper(Dice& dice, Packet honest);
  /// A packet that nobody asked for.
  Packet forge(Dice& dice);
  /// An id that was used, that was all but used, or any.
  uint64_t transaction_id(Dice& dice) const;

 private:
  void forge_head(Dice& dice, Packet& packet);
  void spoil(Dice& dice, Packet& packet);
  void spoil_field(Dice& dice, Packet& packet);
  void spoil_storage(Dice& dice, Packet& packet);

  Protocol protocol_;
  std::array<uint64_t, 64> ids_{};  ///< of the last completions
  size_t heard_ = 0;
  std::optional<Packet> last_;
  std::optional<Packet> held_back_;
};

}  // namespace hv::host::hostile
