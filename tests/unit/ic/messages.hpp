// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstring>
#include <span>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/wire/ic.hpp"

namespace hv::ic::test {

namespace proto = wire::ic;
using Bytes = std::vector<std::byte>;

template <typename... T>
Bytes join(const T&... parts) {
  Bytes bytes;
  const auto add = [&](std::span<const std::byte> more) {
    bytes.insert(bytes.end(), more.begin(), more.end());
  };
  (add(bytes_of(parts)), ...);
  return bytes;
}

/// A host's message as it stands in a packet, padded as a ring pads it.
inline Bytes message(proto::MessageType type, const Bytes& payload,
                     uint8_t flags = proto::kFlagTransaction | proto::kFlagRequest) {
  Bytes bytes = join(
      proto::PipeHeader{proto::kPipeData,
                        static_cast<uint32_t>(sizeof(proto::Header) + payload.size())},
      proto::Header{{3, 0}, type, {3, 0}, static_cast<uint16_t>(payload.size()), 0, 9, flags, {}});
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  bytes.resize((bytes.size() + 7) / 8 * 8);
  return bytes;
}

inline Bytes offer(proto::Version framework, proto::Version service) {
  return message(proto::MessageType::Negotiate,
                 join(proto::Negotiate{1, 1, 0}, framework, service));
}

inline proto::Header header(const Bytes& bytes) {
  proto::Header header;
  std::memcpy(&header, bytes.data() + sizeof(proto::PipeHeader), sizeof(header));
  return header;
}

template <typename T>
T payload(const Bytes& bytes) {
  T value;
  std::memcpy(&value, bytes.data() + sizeof(proto::PipeHeader) + sizeof(proto::Header),
              sizeof(value));
  return value;
}

}  // namespace hv::ic::test
