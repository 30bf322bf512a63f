// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

namespace hv::vmm {

/// `enlighten-host probe`: asks KVM for what is needed and runs a few real guest instructions,
/// among them those that KVM has to emulate. JSON on stdout, and on stderr one line why not.
/// Returns 0 if this machine's KVM is usable, 1 if not.
int probe();

}  // namespace hv::vmm
