// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <optional>

#include "core/netvsc/opening.hpp"
#include "core/netvsc/rndis.hpp"

namespace hv::netvsc {

/// A network interface of the guest that may be an adapter's virtual function, as the port sees it.
struct Candidate {
  MacAddress permanent{};  ///< zeros: not known (yet)
  MacAddress current{};
  std::optional<uint32_t> serial{};  ///< the number of its PCI slot, as the bus of virtual PCI
                                     ///< names it; none: it is in no such slot
  bool stand_in = false;  ///< is to be taken without a serial: only where the user has said so, as
                          ///< bridges, too, bear an adapter's address
};

/// How sure it is that a candidate is the function of an adapter; of several adapters the surest
/// one has it.
enum class FunctionMatch : uint8_t {
  None,
  Address,  ///< the adapter's permanent address: enough, as hosts give it to the function of no
            ///< other
  Serial,   ///< the address, and the serial of the host's association
};

/// An adapter's virtual function, and which way its frames go. Transparent bonding is the port's:
/// it joins the function's interface to the adapter's. This machine says whose function an
/// interface is, when the host is to be told of another way, and when frames may take it.
///
/// Frames are sent by the function from the host's answer on until the function goes down, leaves,
/// or is taken back by the host; at all other times by the channels, which always works. They are
/// received both ways at any time. Association, joining and coming up may happen in any order.
///
/// The port calls `begin` after each event until it says that there is nothing to do; it sends the
/// message, waits for its completion, and says `answered` or `unanswered`; `unsent` when it could
/// not be sent. Before a function goes, the port calls `down` or `left`, waits until no sender is
/// left that has seen `carries`, and goes on with `begin`.
/// Concurrency: `associated` by the receiver of the primary channel, `carries` by anyone, both at
/// any time; all others by one caller.
class VirtualFunction {
 public:
  /// Which way frames go, as far as host and guest have agreed.
  enum class Path : uint8_t {
    Synthetic,    ///< by the channels, both ways
    ToFunction,   ///< the host was told that the function takes over; sent by the channels until it
                  ///< answers
    Function,     ///< the host has answered
    ToSynthetic,  ///< sent by the channels again; the host was told
    Unsure,  ///< sent by the channels; the host did not answer when it was told: it may send either
             ///< way
  };

  VirtualFunction() = default;

  /// The adapter's permanent address, without which nothing matches.
  void adopt(const MacAddress& permanent) { address_ = permanent; }
  FunctionMatch match(const Candidate& candidate) const;

  // --- what happens

  /// The channels are open, and the dialogue is done. The host sends by the channels. `isolated`: a
  /// confidential machine, whose frames do not go by what the host brings in.
  void opened(const Dialect& dialect, bool isolated);
  /// No channel is open any more. What the host said of the function is kept: not every host says
  /// it again.
  void closed();
  /// The machine has slept, or the like: what the host said of the function counts no more.
  void forget() { association_.store(0, std::memory_order_release); }
  /// The event VfAssociation.
  void associated(bool allocated, uint32_t serial);
  /// An interface that matched is joined to the adapter's, or no longer.
  void joined();
  void left();
  /// It is up, so that it can carry frames; or it is about to go down.
  void up();
  void down();

  // --- what is to be done

  /// What to send to the host now; the completion is to be awaited. None: nothing is to be told, or
  /// the answer to the last is still out.
  std::optional<Message> begin();
  void answered();
  /// There was no answer in time, and none can come any more. The host is told again when something
  /// has happened.
  void unanswered();
  /// It could not be sent: as if `begin` had not been called.
  void unsent();

  // --- what is so

  /// A frame may be sent by the function now.
  bool carries() const {
    return path_.load(std::memory_order_acquire) == Path::Function &&
           up_.load(std::memory_order_relaxed) && has_function() && allocated();
  }
  Path path() const { return path_.load(std::memory_order_relaxed); }
  bool has_function() const { return joined_.load(std::memory_order_relaxed); }
  /// The host has given the adapter a function.
  bool allocated() const { return association_.load(std::memory_order_acquire) & kAllocated; }
  uint32_t serial() const {
    return static_cast<uint32_t>(association_.load(std::memory_order_acquire));
  }

 private:
  static constexpr uint64_t kAllocated = uint64_t{1} << 32;

  bool awaits_answer() const { return path() == Path::ToFunction || path() == Path::ToSynthetic; }
  void go(Path path) { path_.store(path, std::memory_order_release); }

  MacAddress address_{};
  std::atomic<uint64_t> association_{
      0};  ///< kAllocated and the serial, so that both are read at once
  std::atomic<Path> path_{Path::Synthetic};
  std::atomic<bool> joined_{false};
  std::atomic<bool> up_{false};
  Path before_ = Path::Synthetic;  ///< `begin`
  bool open_ = false;
  bool refused_ = false;    ///< the host did not answer, and nothing has happened since
  uint64_t told_with_ = 0;  ///< the association when the host was told last: another one is news
};

}  // namespace hv::netvsc
