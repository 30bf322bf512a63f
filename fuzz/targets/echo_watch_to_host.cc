// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Frames of a guest, and of whoever answers it, in any order: nothing is read beyond a frame's end,
// an answer passes no more often than it was asked for, and what is no echo reply passes always.
#include <array>
#include <cstring>
#include <vector>

#include "fuzz/support/input.hpp"
#include "host/net/echo_watch.hpp"
#include "host/net/headers.hpp"

using namespace hv;

namespace {

constexpr size_t kIp = 14, kIcmp = 34;

/// A frame of its own making, or one that has the headers of an echo.
std::vector<std::byte> frame_of(fuzz::Input& input) {
  const uint8_t kind = input.take<uint8_t>();
  const auto bytes = std::as_bytes(input.bytes(input.number(120)));
  if (kind & 1) return {bytes.begin(), bytes.end()};
  std::vector<std::byte> frame(kIcmp + 8 + bytes.size());
  host::net::store_be16(frame, 12, 0x0800);
  frame[kIp] = std::byte{0x45};
  host::net::store_be16(frame, kIp + 2, static_cast<uint16_t>(frame.size() - kIp));
  frame[kIp + 9] = std::byte{1};
  // Few addresses and numbers, so that they meet.
  host::net::store_be32(frame, kIp + 12, kind >> 1 & 3);
  host::net::store_be32(frame, kIp + 16, kind >> 3 & 3);
  host::net::store_be32(frame, kIcmp, kind & 0x20 ? 0x08000000 : 0);
  host::net::store_be32(frame, kIcmp + 4, kind >> 6);
  if (!bytes.empty()) std::memcpy(frame.data() + kIcmp + 8, bytes.data(), bytes.size());
  return frame;
}

bool may_be_echo_reply(const std::vector<std::byte>& frame) {
  const auto headers = host::net::parse_headers(frame);
  return headers && headers->network == host::net::Headers::Network::Ipv4 &&
         frame[headers->network_at + 9] == std::byte{1};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  host::net::EchoWatch watch;
  int asked = 0, answered = 0;
  while (!input.empty()) {
    const bool sends = input.take<uint8_t>() & 1;
    const auto frame = frame_of(input);
    if (sends) {
      watch.sent(frame);
      asked++;
    } else if (!may_be_echo_reply(frame)) {
      if (!watch.plausible(frame)) __builtin_trap();
    } else if (frame.size() >= kIcmp + 8 && frame[kIp] == std::byte{0x45} &&
               frame[kIcmp] == std::byte{0} && frame[12] == std::byte{8} &&
               frame[13] == std::byte{0} && frame[kIp + 6] == std::byte{0} &&
               frame[kIp + 7] == std::byte{0} && host::net::load_be16(frame, kIp + 2) >= 28) {
      answered += watch.plausible(frame);
      if (answered > asked) __builtin_trap();
    } else {
      (void)watch.plausible(frame);
    }
  }
  return 0;
}
