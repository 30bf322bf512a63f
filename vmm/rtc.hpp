// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>

namespace hv::vmm {

/// One register of the CMOS clock (MC146818): the host's time in UTC, read-only, no alarm, no
/// interrupt. The time of day is BCD, as most systems expect.
uint8_t read_rtc(uint8_t index);

}  // namespace hv::vmm
