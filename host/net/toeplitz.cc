// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/net/toeplitz.hpp"

#include <algorithm>

#include "host/net/headers.hpp"

namespace hv::host::net {

uint32_t toeplitz(const RssKey& key, std::span<const std::byte> input) {
  uint32_t hash = 0;
  // The 32 bits of the key under the input's current bit, and those that follow.
  uint32_t window = load_be32(key, 0);
  const size_t most = std::min(input.size(), key.size() - 4);
  for (size_t at = 0; at < most; at++) {
    const auto byte = static_cast<uint8_t>(input[at]);
    const auto next = static_cast<uint8_t>(key[at + 4]);
    for (int bit = 7; bit >= 0; bit--) {
      if (byte >> bit & 1) hash ^= window;
      window = window << 1 | (next >> bit & 1u);
    }
  }
  return hash;
}

std::optional<uint32_t> flow_hash(const RssKey& key, std::span<const std::byte> frame) {
  const auto headers = parse_headers(frame);
  if (!headers || headers->network == Headers::Network::Other) return std::nullopt;
  const bool ipv4 = headers->network == Headers::Network::Ipv4;
  const auto addresses = frame.subspan(headers->network_at + (ipv4 ? 12 : 8), ipv4 ? 8 : 32);
  std::array<std::byte, 36> input{};
  size_t size = static_cast<size_t>(std::copy(addresses.begin(), addresses.end(), input.begin()) -
                                    input.begin());
  if (headers->transport == Headers::Transport::Tcp) {
    const auto ports = frame.subspan(headers->transport_at, 4);
    std::copy(ports.begin(), ports.end(), input.begin() + static_cast<ptrdiff_t>(size));
    size += ports.size();
  }
  return toeplitz(key, std::span(input).first(size));
}

}  // namespace hv::host::net
