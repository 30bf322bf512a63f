// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/vmbus/device.hpp"

#include <unistd.h>

namespace hv::host::vmbus {

uint64_t OpenChannel::take_signals() {
  uint64_t signals = 0;
  if (::read(signal_fd(), &signals, sizeof(signals)) != sizeof(signals)) return 0;
  counters_.signals_in.add(signals);
  return signals;
}

}  // namespace hv::host::vmbus
