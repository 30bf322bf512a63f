// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <span>

#include "core/base/bytes.hpp"
#include "core/netvsc/dialect.hpp"

/// RNDIS control messages: written for the host, and its answers parsed. Free functions over views;
/// nothing is kept.
namespace hv::netvsc {

/// Bytes of the longest control message we write: RSS parameters with a table of kMostRssEntries.
inline constexpr size_t kMostControl = 2048;
inline constexpr size_t kMostRssEntries = 256;

using MacAddress = std::array<uint8_t, 6>;
using RssKey = std::array<uint8_t, wire::rndis::kRssKeySize>;

/// What of the offloads the port wants to be on.
struct OffloadWishes {
  bool rsc = false;
};

/// What the host can do with frames.
struct Capabilities {
  bool tcp4_checksum = false;
  bool udp4_checksum = false;
  bool tcp6_checksum = false;
  bool udp6_checksum = false;
  bool rsc = false;
  uint32_t large_send4 = 0;  ///< bytes of the largest TCP segment before it is cut; 0: not at all
  uint32_t large_send6 = 0;
};

// --- to the host. Each writes a whole message into `out`, which may be shared with the host (it is
// never read), and returns its bytes.
// --- Errors: Exhausted (`out` is too small).

Result<size_t> write_initialize(std::span<std::byte> out, uint32_t id);
Result<size_t> write_halt(std::span<std::byte> out, uint32_t id);
Result<size_t> write_query(std::span<std::byte> out, uint32_t id, wire::rndis::Oid oid);
/// A query whose input says which revision of a structure is understood.
Result<size_t> write_query_offloads(std::span<std::byte> out, uint32_t id, const Dialect& dialect);
Result<size_t> write_query_rss(std::span<std::byte> out, uint32_t id);
Result<size_t> write_set_u32(std::span<std::byte> out, uint32_t id, wire::rndis::Oid oid,
                             uint32_t value);
/// Has the host do what it can of checksums and large sends.
Result<size_t> write_set_offloads(std::span<std::byte> out, uint32_t id, const Dialect& dialect,
                                  const Capabilities& found, const OffloadWishes& wishes);
/// Which queue a hash goes to. Hosts want RSS `off` before it is changed. Errors: also BadLength
/// (no entry, or over kMostRssEntries).
Result<size_t> write_set_rss(std::span<std::byte> out, uint32_t id, std::span<const uint16_t> table,
                             const RssKey& key, bool off);
Result<size_t> write_set_mac(std::span<std::byte> out, uint32_t id, const MacAddress& mac);
/// The answer to the host's KeepAlive.
Result<size_t> write_keep_alive_complete(std::span<std::byte> out, uint32_t id);

// --- from the host. `message` is a private copy.

/// Errors: Truncated, BadLength (says to be shorter than its header or longer than `message`).
struct ControlView {
  wire::rndis::MessageType type;
  std::span<const std::byte> body;  ///< behind the header, as long as the message says to be
  std::span<const std::byte> rest;  ///< behind the header, as long as it came
};
Result<ControlView> parse_control(std::span<const std::byte> message);

/// What the host takes in one message.
struct Limits {
  uint32_t max_packets = 1;   ///< 1 or more
  uint32_t max_transfer = 0;  ///< bytes
  uint32_t alignment = 1;     ///< of each packet in a message; a power of two
};

/// Each takes the answer to a request of its kind. Errors: Truncated, BadLength, BadValue (not that
/// kind), NotSupported, Refused.
Result<Limits> parse_initialize_complete(std::span<const std::byte> message);
Result<std::span<const std::byte>> parse_query_complete(std::span<const std::byte> message);
Result<void> parse_set_complete(std::span<const std::byte> message);

/// What a query's answer holds. Errors: also Truncated (too few bytes of it).
Result<uint32_t> parse_u32(std::span<const std::byte> message);
Result<MacAddress> parse_mac(std::span<const std::byte> message);
/// A structure shorter than ours is an older one: what it lacks is not there.
Result<Capabilities> parse_offloads(std::span<const std::byte> message);
struct RssCapabilities {
  uint32_t queues = 1;
  uint16_t table_entries = 0;  ///< 1 to kMostRssEntries
};
Result<RssCapabilities> parse_rss(std::span<const std::byte> message);

/// What the host tells of its own accord.
struct Indication {
  enum class Kind : uint8_t { LinkUp, LinkDown, NetworkChanged, SpeedChanged, Other };
  Kind kind = Kind::Other;
  uint32_t speed = 0;  ///< SpeedChanged: units of 100 bit/s
};
/// Old hosts leave the status buffer out of the message's length: it is looked for in all that came
/// (`ControlView::rest`). Errors: Truncated, BadLength.
Result<Indication> parse_indication(const ControlView& message);

}  // namespace hv::netvsc
