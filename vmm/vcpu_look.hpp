// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <optional>

namespace hv::vmm {

/// What a vCPU did when it was taken out of the guest to be looked at, and where the interrupt of
/// one SINT was.
struct VcpuLook {
  bool halted = false;         ///< it waits for an interrupt
  bool interrupts_on = false;  ///< it takes interrupts
  bool masked = false;         ///< the SINT is
  bool pending = false;        ///< the interrupt waits to be taken
  bool in_service = false;     ///< it was taken, and its end not said
  /// In a word; "-off": with interrupts off.
  const char* name() const {
    if (masked) return "masked";
    if (pending) return "pending";
    if (in_service) return "in-service";
    if (!interrupts_on) return halted ? "halted-off" : "running-off";
    return halted ? "idle" : "running";
  }
};

/// Who can look. Looking takes a moment: ask, then come back.
class VcpuLooker {
 public:
  virtual ~VcpuLooker() = default;
  virtual void ask_for_look(uint32_t vp, uint32_t sint) = 0;
  /// The answer to what was asked last; none yet, or it cannot be had.
  virtual std::optional<VcpuLook> look(uint32_t vp) = 0;
};

}  // namespace hv::vmm
