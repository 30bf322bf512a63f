// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The heartbeat's face for C: translation alone.
#include "core/ic/heartbeat.hpp"
#include "core/ic/ic.h"
#include "core/vmbus/face.hpp"

using hv::face::memory_at;
using hv::face::object;
using hv::face::status_of;
using hv::ic::Heartbeat;

extern "C" {

void hv_ic_heartbeat_create(hv_ic_heartbeat* heartbeat) { new (heartbeat) Heartbeat(); }

int hv_ic_heartbeat_answer(hv_ic_heartbeat* heartbeat, void* packet, size_t length) {
  return status_of(object<Heartbeat>(heartbeat).answer(memory_at(packet, length)));
}
}
