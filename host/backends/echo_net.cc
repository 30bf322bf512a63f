// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <algorithm>

#include "host/backends/net_backend.hpp"
#include "host/net/offload.hpp"

namespace hv::host {

bool EchoNet::send(std::span<std::byte> frame, const net::Offload& offload, uint16_t) {
  if (frame.size() < net::kMinFrame) return false;
  std::swap_ranges(frame.begin(), frame.begin() + 6, frame.begin() + 6);
  net::finish(frame, offload, [this](std::span<const std::byte> finished) {
    receive_({.bytes = {finished.begin(), finished.end()}, .checked = false});
  });
  return true;
}

}  // namespace hv::host
