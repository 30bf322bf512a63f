// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "core/base/guid.hpp"
#include "host/hostile/dice.hpp"

namespace hv::host::hostile {

using Message = std::vector<std::byte>;  ///< header included, at most 240 bytes

/// Lies in control messages. It listens to what is said, so that its lies name what exists. No I/O,
/// one caller at a time.
class MessageForger {
 public:
  /// Every honest message on its way to the guest.
  void listen(std::span<const std::byte> message);
  /// What becomes of `honest`: nothing, one message or several, in this order. It may come back
  /// later.
  std::vector<Message> tamper(Dice& dice, Message honest);
  /// A message that nobody asked for.
  Message forge(Dice& dice);

 private:
  Message replay(Dice& dice);
  Message offer(Dice& dice);
  Message answer(Dice& dice);
  uint32_t channel_id(Dice& dice) const;
  uint32_t gpadl_id(Dice& dice) const;

  static constexpr size_t kRemembered = 64;
  std::deque<Message> past_;
  std::vector<uint32_t> channels_;  ///< relids that were offered
  std::vector<Guid> instances_;
  uint32_t last_gpadl_ = 0;
  std::optional<Message> held_back_;
};

}  // namespace hv::host::hostile
