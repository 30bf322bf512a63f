// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <mutex>

#include "vmm/end.hpp"
#include "vmm/irq_router.hpp"
#include "vmm/serial/uart.hpp"

namespace hv::vmm {

/// Everything on I/O ports: two serial ports, ACPI's fixed hardware, the CMOS clock, the ways to
/// reset. What is not there reads as all ones. Any thread.
class Devices {
 public:
  Devices(IrqRouter& router, EndBox& end, serial::Uart::Callbacks com1,
          serial::Uart::Callbacks com2);

  /// One access of `size` (1, 2 or 4) bytes.
  uint32_t read(uint16_t port, uint8_t size);
  void write(uint16_t port, uint8_t size, uint32_t value);

  serial::Uart& com1() { return com1_; }
  serial::Uart& com2() { return com2_; }

  void tick();

  /// Presses ACPI's power button: the guest's operating system shuts down if it wants.
  void press_power_button();

 private:
  uint8_t read_byte(uint16_t port);
  void write_byte(uint16_t port, uint8_t value);
  void update_sci();

  IrqRouter& router_;
  EndBox& end_;
  serial::Uart com1_;
  serial::Uart com2_;
  std::mutex mutex_;  ///< for all below
  uint8_t rtc_index_ = 0;
  uint16_t pm1_status_ = 0;
  uint16_t pm1_enable_ = 0;
  uint16_t pm1_control_ = 1;  ///< SCI_EN: there is no legacy mode
};

}  // namespace hv::vmm
