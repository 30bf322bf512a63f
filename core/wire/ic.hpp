// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/base/guid.hpp"

/// Integration services: a device each, with one channel of messages in packets of data. The host
/// asks, and the guest answers in the same bytes. Little-endian. Source: hyperv_ic_protocol
/// (OpenVMM); what a service's message holds: `heartbeat`.
namespace hv::wire::ic {

struct [[gnu::packed]] Version {
  uint16_t major;
  uint16_t minor;
  friend bool operator==(Version, Version) = default;
};
static_assert(sizeof(Version) == 4);

/// In front of each message, as the channel is a named pipe to the host.
struct [[gnu::packed]] PipeHeader {
  uint32_t type;    ///< kPipeData
  uint32_t length;  ///< bytes behind it
};
static_assert(sizeof(PipeHeader) == 8);
inline constexpr uint32_t kPipeData = 1;
/// In an offer's user-defined words, and its channel flag: a pipe of messages.
inline constexpr uint32_t kPipeModeMessage = 4;

enum class MessageType : uint16_t {
  Negotiate = 0,
  Heartbeat = 1,
};

struct [[gnu::packed]] Header {
  Version framework;
  MessageType type;
  Version message;
  uint16_t size;  ///< bytes behind it
  uint32_t status;
  uint8_t transaction;
  uint8_t flags;
  uint8_t reserved[2];
};
static_assert(sizeof(Header) == 20 && offsetof(Header, size) == 10 &&
              offsetof(Header, status) == 12 && offsetof(Header, flags) == 17);

inline constexpr uint8_t kFlagTransaction = 1;
inline constexpr uint8_t kFlagRequest = 2;
inline constexpr uint8_t kFlagResponse = 4;

inline constexpr uint32_t kStatusSuccess = 0;

/// In front of the versions: of the framework, best last, and behind them those of the service.
struct [[gnu::packed]] Negotiate {
  uint16_t framework_count;
  uint16_t service_count;
  uint32_t reserved;
};
static_assert(sizeof(Negotiate) == 8);

/// The most that any host offers, of either kind.
inline constexpr size_t kMaxVersions = 100;

/// Both directions: the guest adds 1 to the sequence and leaves the rest.
struct [[gnu::packed]] Heartbeat {
  uint64_t sequence;
  uint32_t application_state;  ///< 0 unknown, 1 healthy, 2 critical, 3 stopped
  uint32_t reserved[7];
};
static_assert(sizeof(Heartbeat) == 40);
/// What a host sends of it at least.
inline constexpr size_t kLeastHeartbeat = 8;

inline constexpr Guid kHeartbeatClass = "57164f39-9115-4e78-ab55-382f3bd5422d"_guid;
/// The same on every host.
inline constexpr Guid kHeartbeatInstance = "fd149e91-82e0-4a7d-afa6-2a4166cbd7c0"_guid;

}  // namespace hv::wire::ic
