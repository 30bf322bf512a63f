// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstdint>
#include <vector>

/// The kernel's network stack in small: what of it a driver of an adapter meets.
namespace hv::sim::net {

/// NAPI: a queue's polling. `scheduled` belongs to whoever polls, or to whoever has forbidden it:
/// so disabling what is not enabled never ends.
struct Napi {
  bool scheduled = true;  ///< as added: not enabled yet
  bool disabling = false;
  bool missed = false;  ///< scheduled while it ran
  bool listed = false;  ///< a poll is due

  void enable() { scheduled = disabling = missed = listed = false; }
  void schedule() {
    if (disabling) return;
    if (scheduled) {
      missed = true;
      return;
    }
    scheduled = listed = true;
  }
  /// Whoever polls is done, for now. False: it was scheduled once more and goes on.
  bool complete() {
    if (missed && !disabling) {
      missed = false;
      listed = true;
      return false;
    }
    scheduled = missed = false;
    return true;
  }
};

/// A packet of the stack: `pages` pages of memory, the frame at `offset` in them.
struct Skb {
  uint32_t number = 0;
  uint32_t first = 0, pages = 0;
  uint32_t offset = 0, length = 0;
};

/// The interface of a virtual function.
struct Function {
  bool registered = false;
  bool running = false;
  bool told = false;   ///< the stack tells everybody of it
  unsigned space = 0;  ///< the namespace that it is in
};

/// The interface.
struct Netdev {
  static constexpr unsigned kMostQueues = 4;
  bool registered = false;
  bool running = false;  ///< up
  bool present = false;
  bool carrier = false;
  uint32_t mtu = 1500;
  unsigned queues = 1;  ///< that carry frames
  std::array<bool, kMostQueues> stopped{};

  void stop_all() { stopped.fill(true); }
  void start_all() { stopped.fill(false); }
  /// netif_device_detach, netif_device_attach.
  void detach() {
    if (present && running) stop_all();
    present = false;
  }
  void attach() {
    if (!present && running) start_all();
    present = true;
  }
};

}  // namespace hv::sim::net
