// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/base/bytes.hpp"
#include "core/vmbus/connection.hpp"

namespace hv::vmbus {

using wire::vmbus::Version;

Version Connection::lower_version(Version version) {
  constexpr Version spoken[] = {Version::V5_3, Version::V5_2, Version::V5_1, Version::V5_0,
                                Version::V4_1, Version::V4_0, Version::V3_0, Version::V2_4};
  for (const Version candidate : spoken) {
    if (candidate < version) return candidate;
  }
  return Version{};
}

PostResult post_result(std::span<const std::byte> message, uint16_t status) {
  switch (status) {
    case wire::vmbus::kHypercallSuccess:
      return PostResult::Posted;
    case wire::vmbus::kHypercallInsufficientMemory:
    case wire::vmbus::kHypercallInsufficientBuffers:
      return PostResult::Again;
    case wire::vmbus::kHypercallInvalidConnectionId: {
      ByteReader reader(message);
      const auto header = reader.take<wire::vmbus::MessageHeader>();
      return header && header->type == wire::vmbus::MessageType::InitiateContact
                 ? PostResult::NoPort
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
