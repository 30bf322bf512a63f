// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <termios.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "vmm/end.hpp"
#include "vmm/fd.hpp"

namespace hv::vmm {

/// Writes all of `bytes`, waiting where the reader is slow. Gives up when the run has ended or
/// nobody reads.
void write_all(int fd, std::span<const std::byte> bytes, const EndBox& end);

/// Where the first serial port goes: this terminal, a file or nowhere. A terminal is raw while this
/// lives; Ctrl-A x ends the run, Ctrl-A Ctrl-A is one Ctrl-A.
class Console {
 public:
  /// `where` is "stdio", "none" or "file:PATH". Throws Failure (file), UsageFailure (anything
  /// else).
  Console(const std::string& where, EndBox& end);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void transmit(std::span<const std::byte> bytes);

  /// -1: there is no input (any more).
  int input() const { return input_; }

  /// Reads what is there and takes out the escapes. Returns the bytes for the guest.
  std::span<const std::byte> read_input();

 private:
  EndBox& end_;
  Fd file_;
  int output_ = -1;
  int input_ = -1;
  bool escape_ = false;
  std::optional<termios> saved_;
  std::byte buffer_[256];
};

}  // namespace hv::vmm
