// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/irq_router.hpp"

#include "vmm/failure.hpp"
#include "vmm/kvm.hpp"
#include "vmm/kvm_abi.hpp"

namespace hv::vmm {

namespace {

kvm_irq_routing_entry chip_route(uint32_t gsi, uint32_t chip, uint32_t pin) {
  kvm_irq_routing_entry entry{};
  entry.gsi = gsi;
  entry.type = KVM_IRQ_ROUTING_IRQCHIP;
  entry.u.irqchip.irqchip = chip;
  entry.u.irqchip.pin = pin;
  return entry;
}

}  // namespace

IrqRouter::IrqRouter(int vm) : vm_(vm) {
  for (uint32_t line = 0; line < 16; ++line) {
    routes_.push_back(
        chip_route(line, line < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE, line % 8));
    if (line == 2) continue;  // the cascade; IOAPIC pin 2 is the timer's
    routes_.push_back(chip_route(line, KVM_IRQCHIP_IOAPIC, line == 0 ? 2 : line));
  }
  if (apply() != 0) fail_errno("KVM_SET_GSI_ROUTING");
}

int IrqRouter::apply() { return kvm_ioctl(vm_, kSetGsiRouting, KvmList(routes_).data()); }

void IrqRouter::set_line(uint32_t line, bool high) {
  kvm_irq_level level{};
  level.irq = line;
  level.level = high ? 1 : 0;
  (void)kvm_ioctl(vm_, KVM_IRQ_LINE, &level);
}

std::optional<uint32_t> IrqRouter::add_sint(uint32_t vp, uint32_t sint) {
  const std::lock_guard lock(mutex_);
  const uint32_t gsi = next_gsi_;
  kvm_irq_routing_entry entry{};
  entry.gsi = gsi;
  entry.type = KVM_IRQ_ROUTING_HV_SINT;
  entry.u.hv_sint.vcpu = vp;
  entry.u.hv_sint.sint = sint;
  routes_.push_back(entry);
  if (apply() != 0) {
    routes_.pop_back();
    return std::nullopt;
  }
  next_gsi_ = gsi + 1;
  return gsi;
}

bool IrqRouter::pulse(uint32_t gsi) {
  kvm_irq_level level{};
  level.irq = gsi;
  level.level = 1;
  return kvm_ioctl(vm_, KVM_IRQ_LINE_STATUS, &level) == 0 &&
         static_cast<int32_t>(level.status) >= 0;
}

}  // namespace hv::vmm
