// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/storvsc/identity.hpp"
#include "core/storvsc/outcome.hpp"

namespace hv::storvsc {

/// What was known of a logical unit before its controller was lost.
struct Known {
  Address address;
  uint8_t port;
  uint64_t bytes;                       ///< its size; 0: it is not asked for one
  std::span<const std::byte> identity;  ///< its page 83h; outlives the recognition
};

enum class Recognised : uint8_t {
  Same,
  Changed,  ///< the same, and of another size, or it says that something has changed
  Other,    ///< another one has taken its place: nothing that is still to be written is for it
  Gone,     ///< nobody at this address
};

/// Asks a logical unit whether it is the one that was known: INQUIRY for page 83h, then READ
/// CAPACITY (16). One request is out at a time; the port sends `request()`, waits, and gives what
/// came to `heard()`, until `done()`. Of two that do not say who they are, the size decides. A
/// command that fails is tried kTries times; then the unit does not say. Concurrency: one caller.
class Recognition {
 public:
  /// What an answer takes at most.
  static constexpr uint32_t kMostBytes = 252;
  static constexpr uint8_t kTries = 3;

  explicit Recognition(const Known& known) : known_(known) {}

  bool done() const { return step_ == Step::Done; }
  /// What to send now; its CDB lives as long as this. Not when done.
  Request request() const;
  /// Takes the answer, a private copy, and what stands in the memory of the request, of which the
  /// host may not have let go: it is copied first.
  void heard(std::span<const std::byte> packet, std::span<const std::byte> memory);
  Recognised verdict() const { return verdict_; }

 private:
  enum class Step : uint8_t { Identity, Capacity, Done };

  void heard_identity(std::span<const std::byte> page);
  void heard_capacity(std::span<const std::byte> data);
  void recognised() { decide(changed_ ? Recognised::Changed : Recognised::Same); }
  void decide(Recognised verdict) {
    verdict_ = verdict;
    step_ = Step::Done;
  }

  Known known_;
  Step step_ = Step::Identity;
  Identity identity_ = Identity::Unknown;
  Recognised verdict_ = Recognised::Same;
  bool changed_ = false;  ///< it says so
  uint8_t tries_ = 0;
};

}  // namespace hv::storvsc
