// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/intent.hpp"

namespace hv::host::hostile {

const char* name(Deed deed) {
  switch (deed) {
    case Deed::TamperedMessage:
      return "messages_tampered";
    case Deed::ForgedMessage:
      return "messages_forged";
    case Deed::TamperedPacket:
      return "packets_tampered";
    case Deed::ForgedPacket:
      return "packets_forged";
    case Deed::Scribble:
      return "scribbles";
    case Deed::SpoiltMessage:
      return "rndis_spoilt";
    case Deed::ForgedRndis:
      return "rndis_forged";
    case Deed::Signal:
      return "signals";
    case Deed::Count:
      break;
  }
  return "nothing";
}

void Intent::start(uint64_t seed, uint32_t rate) {
  seed_.store(seed, std::memory_order_relaxed);
  rate_.store(rate, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  evil_.store(true, std::memory_order_release);
}

}  // namespace hv::host::hostile
