// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "host/control/rpc.hpp"
#include "host/vmbus/server.hpp"

namespace hv::host::control {

/// What `devices` answers: the version agreed on, each device with its channels and their counters.
nlohmann::json devices_json(const vmbus::ServerStatus& status);

/// Adds `devices`. `server` outlives the methods.
void add_server_methods(Methods& methods, vmbus::Server& server);

}  // namespace hv::host::control
