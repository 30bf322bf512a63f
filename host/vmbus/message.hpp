// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "core/base/bytes.hpp"
#include "core/wire/vmbus.hpp"

namespace hv::host::vmbus {

/// A control message, header included, as it goes into a SynIC message.
class Message {
 public:
  /// A message without payload.
  explicit Message(hv::wire::vmbus::MessageType type) {
    append(hv::wire::vmbus::MessageHeader{type, 0});
  }
  template <WireStruct T>
  Message(hv::wire::vmbus::MessageType type, const T& payload) : Message(type) {
    static_assert(sizeof(hv::wire::vmbus::MessageHeader) + sizeof(T) <=
                  hv::wire::vmbus::kMaxMessageSize);
    append(payload);
  }
  hv::wire::vmbus::MessageType type() const {
    return ByteReader(bytes()).take<hv::wire::vmbus::MessageHeader>()->type;
  }
  std::span<const std::byte> bytes() const { return std::span(bytes_).first(size_); }

 private:
  template <WireStruct T>
  void append(const T& part) {
    std::memcpy(bytes_.data() + size_, &part, sizeof(T));
    size_ += sizeof(T);
  }
  size_t size_ = 0;
  std::array<std::byte, hv::wire::vmbus::kMaxMessageSize> bytes_{};
};

}  // namespace hv::host::vmbus
