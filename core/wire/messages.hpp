// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <type_traits>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

/// What the tables of messages have in common. Each protocol has one table, `kMessages`, beside its
/// structures. Parsers and senders of both sides ask it: what has no row is refused by all.
namespace hv::wire {

enum class Sender : uint8_t { Guest, Host };

/// One row: who sends which message, what it holds, and what it needs.
template <typename TypeT, typename VersionT>
struct MessageRow {
  using Type = TypeT;
  using Version = VersionT;

  Sender sender;
  Type type;
  uint16_t bytes;    ///< of its body, at least; more may follow
  Version since;     ///< the least version
  uint32_t feature;  ///< bits that must all have been agreed on

  /// A row of the guest's, or of the host's, with the structure `Body`; void: it has none.
  template <typename Body>
  static constexpr MessageRow guest(Type type, Version since = {}, uint32_t feature = 0) {
    return row<Body>(Sender::Guest, type, since, feature);
  }
  template <typename Body>
  static constexpr MessageRow host(Type type, Version since = {}, uint32_t feature = 0) {
    return row<Body>(Sender::Host, type, since, feature);
  }
  /// The same row, for a body that may end after its first `least` bytes.
  constexpr MessageRow at_least(uint16_t least) const {
    return {sender, type, least, since, feature};
  }

 private:
  template <typename Body>
  static constexpr MessageRow row(Sender sender, Type type, Version since, uint32_t feature) {
    if constexpr (std::is_void_v<Body>) {
      return {sender, type, 0, since, feature};
    } else {
      static_assert(WireStruct<Body>);
      return {sender, type, sizeof(Body), since, feature};
    }
  }
};

/// The row of a message on a connection of `version` and `features`; nothing: it may not be sent
/// there. Of several rows of one message, the last that fits.
template <typename Row, size_t N>
constexpr std::optional<Row> find_message(const std::array<Row, N>& table, Sender sender,
                                          typename Row::Type type, typename Row::Version version,
                                          uint32_t features = 0) {
  std::optional<Row> found;
  for (const Row& row : table) {
    if (row.sender == sender && row.type == type && row.since <= version &&
        (row.feature & ~features) == 0)
      found = row;
  }
  return found;
}

/// Whether a connection of `version` and `features` has a message.
template <typename Row, size_t N>
constexpr bool has_message(const std::array<Row, N>& table, Sender sender, typename Row::Type type,
                           typename Row::Version version, uint32_t features = 0) {
  return find_message(table, sender, type, version, features).has_value();
}

/// Whether a message with a body of `bytes` may be sent, and taken. Errors: NotSupported (no row of
/// that sender, version and features), Truncated.
template <typename Row, size_t N>
constexpr Result<void> check_message(const std::array<Row, N>& table, Sender sender,
                                     typename Row::Type type, size_t bytes,
                                     typename Row::Version version, uint32_t features = 0) {
  const auto row = find_message(table, sender, type, version, features);
  if (!row) return Error::NotSupported;
  if (bytes < row->bytes) return Error::Truncated;
  return {};
}

/// The body of a message that `check_message` has let pass. What an older peer leaves out reads as
/// zero.
template <WireStruct T>
T take_body(ByteReader& reader) {
  return reader.take_at_least<T>(0).take();
}

}  // namespace hv::wire
