// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

#include "host/hostile/dice.hpp"
#include "host/hostile/packets.hpp"
#include "host/netvsp/buffers.hpp"

namespace hv::host::hostile {

/// The memory that a network adapter's guest has shared for what it receives: the first buffer that
/// an adapter is told of. All its channels'. Concurrency: any thread; nothing of the guest's is
/// touched any more when `gone` or `drop` returns.
class ReceiveBuffer {
 public:
  void found(host::Machine& machine, uint32_t gpadl_id, std::span<const uint64_t> frames);
  void gone(uint32_t gpadl_id);
  void drop();

  /// Spoils the RNDIS message that one of the packet's ranges names, where it lies. False: there is
  /// none.
  bool spoil(Dice& dice, const Packet& packet);
  /// Puts a message that nobody sends somewhere, and makes the packet for it. Nothing: there is no
  /// buffer.
  std::optional<Packet> forge(Dice& dice, uint64_t transaction_id);
  /// Puts an awkward number into some word: of a message that is being read, or of none. False:
  /// there is no buffer.
  bool scribble(Dice& dice);

 private:
  struct Shared {
    uint32_t gpadl_id;
    netvsp::SharedPages pages;
  };
  std::mutex mutex_;
  std::optional<Shared> shared_;
  uint32_t last_offset_ = 0;  ///< of the message that was named last
};

}  // namespace hv::host::hostile
