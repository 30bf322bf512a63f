// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "host/control/rpc.hpp"
#include "host/hostile/intent.hpp"

namespace hv::host::hostile {

/// Adds `hostile.start`, `hostile.stop` and `hostile.status`. `plan` has what a start does not
/// name. `intent` outlives the methods.
void add_hostile_methods(control::Methods& methods, Intent& intent, const Plan& plan);

}  // namespace hv::host::hostile
