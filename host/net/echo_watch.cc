// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/net/echo_watch.hpp"

#include <algorithm>
#include <optional>

#include "host/net/headers.hpp"

namespace hv::host::net {
namespace {

using Bytes = std::span<const std::byte>;

constexpr uint8_t kIcmp = 1, kEchoReply = 0, kEchoRequest = 8;
constexpr size_t kIcmpHeader = 8;
constexpr uint16_t kFragmentOffset = 0x1fff;

struct Echo {
  uint8_t type;
  uint32_t source;
  uint32_t destination;
  uint32_t number;
  Bytes data;
};

/// The ICMP message of a frame, if its beginning is in there and it is an echo.
std::optional<Echo> echo_of(Bytes frame) {
  const auto headers = parse_headers(frame);
  if (!headers || headers->network != Headers::Network::Ipv4) return std::nullopt;
  const Bytes header = frame.subspan(headers->network_at);
  const Bytes message = frame.first(headers->end).subspan(headers->transport_at);
  if (static_cast<uint8_t>(header[9]) != kIcmp || (load_be16(header, 6) & kFragmentOffset) != 0 ||
      message.size() < kIcmpHeader)
    return std::nullopt;
  const auto type = static_cast<uint8_t>(message[0]);
  if (type != kEchoReply && type != kEchoRequest) return std::nullopt;
  return Echo{type, load_be32(header, 12), load_be32(header, 16), load_be32(message, 4),
              message.subspan(kIcmpHeader)};
}

}  // namespace

EchoWatch::Request& EchoWatch::place(uint32_t address, uint32_t number) {
  // Requests in a row differ in their number, and get places in a row.
  return requests_[(address * 0x9e3779b1 + (number >> 16) * 0x85ebca6b + number) % kRemembered];
}

void EchoWatch::sent(Bytes frame) {
  const auto echo = echo_of(frame);
  if (!echo || echo->type != kEchoRequest) return;
  Request& request = place(echo->destination, echo->number);
  request = {.address = echo->destination,
             .number = echo->number,
             .length = std::min(echo->data.size(), kCompared),
             .waits = true};
  std::copy_n(echo->data.begin(), request.length, request.data.begin());
}

bool EchoWatch::plausible(Bytes frame) {
  const auto echo = echo_of(frame);
  if (!echo || echo->type != kEchoReply) return true;
  Request& request = place(echo->source, echo->number);
  const bool same =
      request.waits && request.address == echo->source && request.number == echo->number &&
      request.length == std::min(echo->data.size(), kCompared) &&
      std::equal(request.data.begin(),
                 request.data.begin() + static_cast<ptrdiff_t>(request.length), echo->data.begin());
  if (same) request.waits = false;
  return same;
}

}  // namespace hv::host::net
