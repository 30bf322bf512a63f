// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <span>

#include "core/storvsc/packet.hpp"

namespace hv::storvsc {

/// What the port wants of the controller.
struct Wishes {
  bool fibre_channel = false;
  uint16_t sub_channels = 0;  ///< how many it could use beyond the primary
};

/// What the dialogue has found out.
struct Properties {
  Dialect dialect = kDialects.front();
  uint32_t max_transfer = 0;  ///< bytes, a multiple of 4096, kLeastTransfer..kMostTransfer
  uint16_t sub_channels = 0;  ///< granted; the host offers them in its own time, perhaps fewer
  AdapterNames names{};       ///< Fibre Channel alone
};

inline constexpr uint32_t kLeastTransfer = 4096;
inline constexpr uint32_t kMostTransfer = 8u << 20;

/// The dialogue that opens a controller: BEGIN, version by version, properties, adapter names for
/// Fibre Channel, END, sub-channels. One packet is out at a time; the port sends `packet()`, waits,
/// and gives the answer to `answered()`. Concurrency: one caller.
class Handshake {
 public:
  enum class State : uint8_t {
    Begin,              ///< nothing is agreed yet
    QueryVersion,       ///< asking for kDialects[attempt]
    QueryProperties,    ///< the version stands
    QueryAdapterNames,  ///< Fibre Channel alone
    End,                ///< all is known; the host is told that we are done
    CreateSubChannels,  ///< I/O may begin; sub-channels are asked for
    Done,               ///< nothing more to send
    Failed,             ///< the host refused or made no sense: close the channel
  };

  explicit Handshake(const Wishes& wishes) : wishes_(wishes) {}

  State state() const { return state_; }
  bool done() const { return state_ == State::Done; }
  const Properties& properties() const { return properties_; }

  /// What to send now. Not in Done and Failed.
  Packet packet() const;

  /// Takes the answer, a private copy. Errors, each ending in Failed: Truncated or BadValue (no
  /// answer at all), Refused, NotSupported (no common version). A refused CREATE_SUB_CHANNELS is no
  /// error: the controller goes on with one channel.
  Result<void> answered(std::span<const std::byte> packet);

 private:
  Result<State> next(std::span<const std::byte> packet);

  Wishes wishes_;
  Properties properties_;
  State state_ = State::Begin;
  uint8_t attempt_ = 0;
  uint16_t host_sub_channels_ = 0;
};

}  // namespace hv::storvsc
