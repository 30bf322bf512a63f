// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/port.h"
#include "tests/support/fake_channel.hpp"

/// What a port does around the core's faces for C, where guest and host take turns in one thread.
namespace hv::bench {

inline void succeed(int status) {
  if (status != HV_OK) __builtin_trap();
}

/// The guest's end of the channel, whose rings are mapped twice as in the kernel.
inline hv_port_rings rings_of(test::FakeChannel& channel) {
  const auto out = channel.to_host().bytes(), in = channel.to_guest().bytes();
  return {.out = out.data(),
          .out_bytes = out.size(),
          .in = in.data(),
          .in_bytes = in.size(),
          .mirrored = 1};
}

/// Sends the signal that fell due, if one did (enum hv_signal).
inline void signal_host(test::FakeChannel& channel, int due) {
  if (due == HV_SIGNAL) channel.host_bell().ring();
}

}  // namespace hv::bench
