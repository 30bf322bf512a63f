// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <optional>

namespace hv::vmm {

/// How synthetic interrupts reach a VP: by KVM's routing table, or by a test's notebook. Any
/// thread.
class SintLines {
 public:
  virtual ~SintLines() = default;

  /// A new GSI for `sint` of `vp`. nullopt when that is not possible.
  virtual std::optional<uint32_t> add_sint(uint32_t vp, uint32_t sint) = 0;

  /// Interrupts the VP of a GSI from add_sint. False when its SINT is masked or its SynIC off.
  virtual bool pulse(uint32_t gsi) = 0;
};

}  // namespace hv::vmm
