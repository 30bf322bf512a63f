// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hv::host::net {

/// Knows which echo requests (ICMP, IPv4) a guest has sent, and so which answers are none: a
/// library behind it that may take any ICMP message it hears for the answer passes on, say, an
/// "unreachable" as if the address had answered. Concurrency: one caller at a time.
class EchoWatch {
 public:
  EchoWatch() : requests_(kRemembered) {}

  /// A frame of the guest: an echo request is remembered, in place of an old one.
  void sent(std::span<const std::byte> frame);
  /// False: the frame says that it answers an echo request, and no such request was sent: not with
  /// that address, number and data. Each request may be answered once.
  bool plausible(std::span<const std::byte> frame);

  static constexpr size_t kRemembered = 1024;

 private:
  /// How much of the data is compared; the first fragment of a long request has as much.
  static constexpr size_t kCompared = 32;
  struct Request {
    uint32_t address = 0;  ///< that was asked
    uint32_t number = 0;   ///< identifier and sequence number
    size_t length = 0;     ///< of the data compared
    std::array<std::byte, kCompared> data{};
    bool waits = false;
  };
  Request& place(uint32_t address, uint32_t number);

  std::vector<Request> requests_;
};

}  // namespace hv::host::net
