// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/bytes.hpp"
#include "core/vmbus/connection.hpp"

namespace hv::vmbus {

namespace wire = hv::wire::vmbus;
using hv::wire::Sender;
using wire::Version;

Version Connection::lower_version(Version version) {
  constexpr Version spoken[] = {Version::V5_3, Version::V5_2, Version::V5_1, Version::V5_0,
                                Version::V4_1, Version::V4_0, Version::V3_0, Version::V2_4};
  for (const Version candidate : spoken) {
    if (candidate < version) return candidate;
  }
  return Version{};
}

/// Whether the version that is spoken, or proposed, has this message.
bool Connection::knows(Sender sender, MessageType type) const {
  return has_message(wire::kMessages, sender, type, trying_);
}

/// Hosts below 3.0 cannot be connected to again, and are not told.
bool Connection::knows_unload() const {
  return trying_ >= Version::V3_0 && knows(Sender::Guest, MessageType::Unload);
}

PostResult post_result(std::span<const std::byte> message, uint16_t status) {
  switch (status) {
    case wire::kHypercallSuccess:
      return PostResult::Posted;
    case wire::kHypercallInsufficientMemory:
    case wire::kHypercallInsufficientBuffers:
      return PostResult::Again;
    case wire::kHypercallInvalidConnectionId: {
      ByteReader reader(message);
      const auto header = reader.take<wire::MessageHeader>();
      return header && header->type == wire::MessageType::InitiateContact ? PostResult::NoPort
                                                                          : PostResult::Again;
    }
    default:
      return PostResult::Refused;
  }
}

bool Connection::is_safe_class(const Guid& class_id) const {
  for (const Guid& guid : config_.safe_classes) {
    if (guid == class_id) return true;
  }
  return false;
}

}  // namespace hv::vmbus
