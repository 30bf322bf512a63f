// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/netvsc/discovery.hpp"
#include "core/netvsc/joined.hpp"
#include "core/netvsc/netvsc.h"
#include "core/netvsc/offload.hpp"
#include "core/netvsc/queue.hpp"
#include "core/netvsc/stall.hpp"
#include "core/netvsc/virtual_function.hpp"
#include "core/vmbus/face.hpp"

/// What the files of the C face share.
namespace hv::netvsc::face {

using hv::face::bytes_at;
using hv::face::memory_at;
using hv::face::object;
using hv::face::round_end_of;
using hv::face::signal_of;
using hv::face::status_of;

inline Queue& of(hv_netvsc_queue* queue) { return object<Queue>(queue); }
inline const Queue& of(const hv_netvsc_queue* queue) { return object<Queue>(queue); }
inline Opening& of(hv_netvsc_opening* opening) { return object<Opening>(opening); }
inline const Opening& of(const hv_netvsc_opening* opening) { return object<Opening>(opening); }
inline Discovery& of(hv_netvsc_discovery* discovery) { return object<Discovery>(discovery); }
inline const Discovery& of(const hv_netvsc_discovery* discovery) {
  return object<Discovery>(discovery);
}
inline VirtualFunction& of(hv_netvsc_function* function) {
  return object<VirtualFunction>(function);
}
inline const VirtualFunction& of(const hv_netvsc_function* function) {
  return object<VirtualFunction>(function);
}
inline Conversation& of(hv_netvsc_conversation* conversation) {
  return object<Conversation>(conversation);
}
inline const Conversation& of(const hv_netvsc_conversation* conversation) {
  return object<Conversation>(conversation);
}

inline Capabilities of_c(const hv_netvsc_capabilities& found) {
  return {.tcp4_checksum = found.tcp4_checksum != 0,
          .udp4_checksum = found.udp4_checksum != 0,
          .tcp6_checksum = found.tcp6_checksum != 0,
          .udp6_checksum = found.udp6_checksum != 0,
          .rsc = found.rsc != 0,
          .large_send4 = found.large_send4,
          .large_send6 = found.large_send6};
}

}  // namespace hv::netvsc::face
