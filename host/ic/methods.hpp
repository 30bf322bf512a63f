// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "host/control/rpc.hpp"
#include "host/ic/heartbeat.hpp"

namespace hv::host::ic {

/// Adds `heartbeat`. The device outlives the methods.
void add_ic_methods(control::Methods& methods, const Heartbeat& heartbeat);

}  // namespace hv::host::ic
