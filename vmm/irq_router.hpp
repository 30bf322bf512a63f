// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <linux/kvm.h>

#include <cstdint>
#include <mutex>
#include <optional>
#include <vector>

#include "vmm/sint_lines.hpp"

namespace hv::vmm {

/// The machine's interrupt table: ISA lines to PIC and IOAPIC, and synthetic interrupts as they
/// come to be used. Any thread.
class IrqRouter final : public SintLines {
 public:
  /// Sets the ISA routes. Throws Failure.
  explicit IrqRouter(int vm);

  /// Sets ISA line `line` (0..15) high or low.
  void set_line(uint32_t line, bool high);

  std::optional<uint32_t> add_sint(uint32_t vp, uint32_t sint) override;
  bool pulse(uint32_t gsi) override;

 private:
  int apply();

  int vm_;
  std::mutex mutex_;
  std::vector<kvm_irq_routing_entry> routes_;
  uint32_t next_gsi_ = 24;  ///< after the IOAPIC's pins
};

}  // namespace hv::vmm
