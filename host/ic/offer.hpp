// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstring>

#include "core/wire/ic.hpp"
#include "host/vmbus/device.hpp"

namespace hv::host::ic {

/// A service's device: its channel is a named pipe of messages.
inline vmbus::OfferInfo offer_of(const Guid& class_id, const Guid& instance_id) {
  constexpr uint16_t kDeviceInterface = 0x1, kNamedPipe = 0x10;
  vmbus::OfferInfo offer{
      .class_id = class_id, .instance_id = instance_id, .flags = kDeviceInterface | kNamedPipe};
  std::memcpy(offer.user_defined.data(), &wire::ic::kPipeModeMessage,
              sizeof(wire::ic::kPipeModeMessage));
  return offer;
}

}  // namespace hv::host::ic
