// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <span>

#include "core/base/bytes.hpp"
#include "core/netvsc/dialect.hpp"

namespace hv::netvsc {

/// An NVSP message as it is sent: always whole, zeros behind its end.
using Message = std::array<std::byte, wire::netvsc::kMessageSize>;

/// A message of `type` with `body`.
template <WireStruct T>
Message make_message(wire::netvsc::MessageType type, const T& body) {
  static_assert(sizeof(wire::netvsc::Header) + sizeof(T) <= wire::netvsc::kMessageSize);
  Message message{};
  __builtin_memcpy(message.data(), &type, sizeof(type));
  __builtin_memcpy(message.data() + sizeof(type), &body, sizeof(T));
  return message;
}

/// What the port wants of the adapter.
struct Wishes {
  uint32_t mtu = kEthernetMtu;
  bool virtual_function = true;  ///< let the host offer one
  bool isolated =
      false;  ///< a confidential machine: old hosts and virtual functions are not for it
};

/// How a buffer is cut. Sections lie one behind the other from offset 0, `size * count` bytes
/// within the buffer.
struct Sections {
  uint32_t size = 0;
  uint32_t count = 0;
};

/// The dialogue that opens an adapter, before RNDIS: version by version, what the guest can do, the
/// two buffers. One message is out at a time: the port sends `message()`; when `wants_answer()` it
/// waits, and gives the answer to `answered()`, else it calls `sent()`. In the states ReceiveBuffer
/// and SendBuffer the port shares a buffer with the host first and says so by `give_buffer`.
/// Concurrency: one caller.
class Opening {
 public:
  enum class State : uint8_t {
    Version,        ///< asking for kVersions[attempt]
    Config,         ///< from version 2: frame size and capabilities; no answer
    NdisVersion,    ///< no answer
    ReceiveBuffer,  ///< the host cuts it
    SendBuffer,     ///< the host says the size of a section; it may refuse, then frames go by pages
                    ///< alone
    Done,           ///< nothing more to send
    Failed,         ///< the host refused or made no sense: close the channel
  };

  explicit Opening(const Wishes& wishes) : wishes_(wishes) {}

  State state() const { return state_; }
  bool done() const { return state_ == State::Done; }
  const Dialect& dialect() const { return dialect_; }
  const Sections& receive_sections() const { return receive_; }
  /// count 0: there is no send buffer.
  const Sections& send_sections() const { return send_; }

  /// In ReceiveBuffer and SendBuffer: the buffer that the host is told of. Errors: BadState,
  /// BadLength (no bytes).
  Result<void> give_buffer(uint32_t gpadl, uint32_t bytes);
  /// In SendBuffer: there will be none.
  Result<void> skip_send_buffer();

  /// What to send now. Not in Done and Failed.
  Message message() const;
  bool wants_answer() const;
  /// A message without an answer is on its way. Errors: BadState.
  Result<void> sent();
  /// Takes the answer, a private copy. Errors, each ending in Failed: Truncated, BadValue (no such
  /// answer, or sections that overlap, are too small or reach out of the buffer), Refused,
  /// NotSupported (no common version), BadState.
  Result<void> answered(std::span<const std::byte> answer);

 private:
  Result<State> next(std::span<const std::byte> answer);
  Result<Sections> receive_answer(std::span<const std::byte> answer) const;
  Result<Sections> send_answer(std::span<const std::byte> answer) const;

  Wishes wishes_;
  Dialect dialect_;
  State state_ = State::Version;
  uint8_t attempt_ = 0;
  uint32_t gpadl_ = 0;
  uint32_t buffer_bytes_ = 0;  ///< of the buffer that is being offered; 0: none was given yet
  Sections receive_;
  Sections send_;
};

/// Asks for `count` more channels (version 5).
Message sub_channel_request(uint32_t count);
/// How many the host will offer, at most `asked`; 0 when it refuses. Errors: Truncated, BadValue
/// (no such answer).
Result<uint32_t> parse_sub_channel_answer(std::span<const std::byte> answer, uint32_t asked);

/// Takes a buffer away from the host. No answer.
Message revoke_receive_buffer();
Message revoke_send_buffer();

/// Which way frames to the guest go; answered without a body.
Message switch_data_path(wire::netvsc::DataPath path);

}  // namespace hv::netvsc
