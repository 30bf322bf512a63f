// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstring>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/wire/netvsc.hpp"
#include "core/wire/rndis.hpp"

namespace hv::test {

using Bytes = std::vector<std::byte>;

/// Structures one behind the other.
template <WireStruct... Ts>
Bytes join(const Ts&... parts) {
  Bytes out;
  const auto add = [&](std::span<const std::byte> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
  };
  (add(bytes_of(parts)), ...);
  return out;
}

/// A structure somewhere in `bytes`.
template <WireStruct T>
T at(std::span<const std::byte> bytes, size_t offset = 0) {
  return ByteReader(bytes.subspan(offset)).take<T>().take();
}

/// An NVSP message of the host, whole.
template <WireStruct T>
Bytes nvsp(wire::netvsc::MessageType type, const T& body) {
  Bytes out = join(wire::netvsc::Header{type}, body);
  out.resize(wire::netvsc::kMessageSize);
  return out;
}

/// An RNDIS message of the host; `tail` is behind its body.
template <WireStruct T>
Bytes rndis(wire::rndis::MessageType type, const T& body, const Bytes& tail = {}) {
  Bytes out = join(wire::rndis::Header{type, static_cast<uint32_t>(sizeof(wire::rndis::Header) +
                                                                   sizeof(T) + tail.size())},
                   body);
  out.insert(out.end(), tail.begin(), tail.end());
  return out;
}

/// The answer to a query that carries `tail`.
inline Bytes query_answer(uint32_t id, const Bytes& tail,
                          wire::rndis::Status status = wire::rndis::Status::Success) {
  return rndis(wire::rndis::MessageType::QueryComplete,
               wire::rndis::QueryComplete{id, status, static_cast<uint32_t>(tail.size()),
                                          sizeof(wire::rndis::QueryComplete)},
               tail);
}

}  // namespace hv::test
