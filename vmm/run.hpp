// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "vmm/options.hpp"

namespace hv::vmm {

/// `enlighten-host run`: builds the machine and its devices, runs it to its end, says in one line
/// on stderr how it ended. Returns the exit status. Throws Failure when the machine could not be
/// started.
int run(const RunOptions& options);

}  // namespace hv::vmm
