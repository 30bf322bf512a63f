// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/netvsc/conversation.hpp"

namespace hv::netvsc {

/// What the host says of the adapter.
struct Facts {
  Limits limits;
  uint32_t most_mtu = kMostMtu;
  MacAddress mac{};
  Capabilities capabilities;
  bool link_up = false;
  uint32_t link_speed = 0;  ///< units of 100 bit/s; 0: not known
  RssCapabilities rss;

  /// Queues that the adapter may have on a machine of so many CPUs, at least 1. CPUs that are
  /// offline are among them: they come back, and nothing opens the adapter anew then.
  uint32_t queue_limit(uint32_t cpus) const;
};

/// The RNDIS dialogue behind the Opening: INITIALIZE, then what the adapter is and can do. One
/// request is out at a time: the port has `write` make it, sends it, waits, and gives the answer to
/// `answered`. What a host may do without is left at its default when it refuses. Concurrency: one
/// caller.
class Discovery {
 public:
  enum class State : uint8_t {
    Initialize,   ///< nothing but this may be asked yet
    FrameSize,    ///< may be refused
    Address,      ///< needed
    Offloads,     ///< may be refused: then there are none
    SetOffloads,  ///< may be refused: then there are none
    LinkStatus,   ///< may be refused: then it is up
    LinkSpeed,    ///< version 5; may be refused
    Rss,          ///< version 5; may be refused: then there is one queue
    Done,
    Failed,  ///< close the channel
  };

  Discovery(const Dialect& dialect, const OffloadWishes& wishes)
      : dialect_(dialect), wishes_(wishes) {}

  State state() const { return state_; }
  bool done() const { return state_ == State::Done; }
  const Facts& facts() const { return facts_; }

  /// Writes the next request, whose answer `conversation` then waits for; its bytes. Errors:
  /// Exhausted, BadState (Done or Failed).
  Result<size_t> write(std::span<std::byte> out, Conversation& conversation) const;
  /// Takes the answer, a private copy. Errors, each ending in Failed: what parsing the answer to a
  /// needed request gives, BadState.
  Result<void> answered(std::span<const std::byte> answer);

 private:
  Result<State> next(std::span<const std::byte> answer);

  Dialect dialect_;
  OffloadWishes wishes_;
  State state_ = State::Initialize;
  Facts facts_;
};

}  // namespace hv::netvsc
