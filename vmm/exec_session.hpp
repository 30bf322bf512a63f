// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "vmm/end.hpp"
#include "vmm/fd.hpp"
#include "vmm/serial/agent_stream.hpp"
#include "vmm/serial/uart.hpp"

namespace hv::vmm {

/// One command in the guest, over the second serial port. Output is written by the vCPU's thread
/// that sent it, so a slow reader slows the guest and nothing piles up; everything else happens in
/// the event loop, woken by event().
class ExecSession {
 public:
  ExecSession(std::string command, bool pass_input, EndBox& end);

  /// For the port's `transmit`.
  void receive(std::span<const std::byte> bytes) { stream_.receive(bytes); }

  int event() const { return event_.get(); }
  /// To be called when event() is readable.
  void on_event(serial::Uart& port);

  /// The descriptor whose input the command wants now, or -1.
  int input(serial::Uart& port) const;
  void read_input(serial::Uart& port);

  bool ready() const { return ready_.load(std::memory_order_acquire); }
  /// The command's exit status, once it is known.
  std::optional<uint32_t> status() const;

 private:
  void wake();

  std::string command_;
  bool pass_input_;
  EndBox& end_;
  Fd event_;
  serial::AgentStream stream_;
  bool command_sent_ = false;
  std::atomic<bool> ready_{false};
  std::atomic<bool> exited_{false};
  std::atomic<uint32_t> status_{0};
};

}  // namespace hv::vmm
