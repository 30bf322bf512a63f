// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "host/control/rpc.hpp"
#include "host/netvsp/nics.hpp"

namespace hv::host::netvsp {

/// Adds `nic.list`, `nic.add`, `nic.remove` and `nic.link`. `nics` outlives the methods.
void add_nic_methods(control::Methods& methods, NicManager& nics);

}  // namespace hv::host::netvsp
