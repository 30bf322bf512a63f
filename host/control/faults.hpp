// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "host/control/rpc.hpp"
#include "host/faults/faults.hpp"

namespace hv::host::control {

/// Adds `fault.set` and `fault.list`. `faults` outlives the methods.
void add_fault_methods(Methods& methods, Faults& faults);

}  // namespace hv::host::control
