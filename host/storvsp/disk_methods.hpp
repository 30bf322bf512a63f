// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "host/control/rpc.hpp"
#include "host/storvsp/disks.hpp"

namespace hv::host::storvsp {

/// Adds `disk.list`, `disk.add`, `disk.remove` and `disk.resize`. `disks` outlives the methods.
void add_disk_methods(control::Methods& methods, DiskManager& disks);

}  // namespace hv::host::storvsp
