// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "vmm/synic.hpp"
#include "vmm/vcpu_look.hpp"

namespace hv::vmm {

/// Watches what the guest does not take. A message or flag that has stood in a VP's pages for half
/// a second, with no interrupt given in the meantime, is looked into: what does its vCPU do? Then
/// its interrupt is given again, a few times at most: after that nobody listens, as when a kernel
/// has crashed and another one starts.
///
/// No real host does that, so a driver that needs it is broken, unless the machine under it loses
/// interrupts: KVM on a processor does not, but on an emulated one it can. Hence the report says
/// whether it was needed: the vCPU could have taken the interrupt, had none pending, and took what
/// stood there when it was given again. A guest that is only slow is not counted: its interrupt is
/// pending, or it has them off. One thread.
class LostInterrupts {
 public:
  static constexpr uint32_t kLooks = 5;  ///< as long it may stand; step() is called each 0.1 s
  static constexpr uint32_t kRepeats = 3;

  /// `repeat`: false only looks.
  LostInterrupts(Synic& synic, VcpuLooker& looker, bool repeat)
      : synic_(synic), looker_(looker), repeat_(repeat) {}

  struct Report {
    Synic::Standing what;
    uint32_t repeats;  ///< how often its interrupt was given again
    bool taken;        ///< the guest has taken it in the end
    bool needed;       ///< and would not have without us
    std::optional<VcpuLook> look;
  };
  /// What has come to its end since the last call.
  std::vector<Report> step();
  /// The guest has ended: what still stands.
  std::vector<Report> finish();
  /// The vCPUs stood still meanwhile: nothing was to be taken.
  void begin_anew() { watches_.clear(); }

 private:
  struct Watch {
    Synic::Standing what;
    uint32_t looks = 1;
    uint32_t repeats = 0;
    std::optional<VcpuLook> look;
  };
  static void keep_common(Synic::Standing& what, const Synic::Standing& now);
  void settle(const Watch& watch, bool taken, std::vector<Report>& reports) const;
  void advance(Watch& watch);

  Synic& synic_;
  VcpuLooker& looker_;
  const bool repeat_;
  std::map<std::pair<uint32_t, uint32_t>, Watch> watches_;  ///< by VP and SINT
};

}  // namespace hv::vmm
