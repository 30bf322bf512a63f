// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/devices.hpp"

#include <utility>

#include "vmm/acpi/tables.hpp"
#include "vmm/rtc.hpp"

namespace hv::vmm {

namespace {

constexpr uint16_t kCom1 = 0x3f8;
constexpr uint16_t kCom2 = 0x2f8;
constexpr uint32_t kCom1Line = 4;
constexpr uint32_t kCom2Line = 3;
constexpr uint16_t kKeyboardCommand = 0x64;
constexpr uint8_t kKeyboardReset = 0xfe;
constexpr uint16_t kRtcIndex = 0x70;
constexpr uint16_t kRtcData = 0x71;
constexpr uint8_t kResetBit = 0x04;
constexpr uint16_t kPowerButton = 1 << 8;  // in PM1 status and enable
constexpr uint16_t kSleepEnable = 1 << 13;
constexpr uint16_t kSciEnable = 1;

serial::Uart::Callbacks with_line(serial::Uart::Callbacks callbacks, IrqRouter& router,
                                  uint32_t line) {
  callbacks.set_interrupt = [&router, line](bool high) { router.set_line(line, high); };
  return callbacks;
}

bool within(uint16_t port, uint16_t first, uint16_t count) {
  return port >= first && port - first < count;
}

}  // namespace

Devices::Devices(IrqRouter& router, EndBox& end, serial::Uart::Callbacks com1,
                 serial::Uart::Callbacks com2)
    : router_(router),
      end_(end),
      com1_(with_line(std::move(com1), router, kCom1Line)),
      com2_(with_line(std::move(com2), router, kCom2Line)) {}

uint32_t Devices::read(uint16_t port, uint8_t size) {
  uint32_t value = 0;
  for (uint8_t i = 0; i < size; ++i)
    value |= uint32_t{read_byte(static_cast<uint16_t>(port + i))} << (8 * i);
  return value;
}

void Devices::write(uint16_t port, uint8_t size, uint32_t value) {
  // Wider accesses here are to PCI's configuration address at 0xcf8, which is not there.
  if (port == acpi::kResetPort && size == 1 && (value & kResetBit) != 0)
    return end_.report({EndReason::Reboot, "", 0});
  for (uint8_t i = 0; i < size; ++i)
    write_byte(static_cast<uint16_t>(port + i), static_cast<uint8_t>(value >> (8 * i)));
}

uint8_t Devices::read_byte(uint16_t port) {
  if (within(port, kCom1, 8)) return com1_.read(static_cast<uint8_t>(port - kCom1));
  if (within(port, kCom2, 8)) return com2_.read(static_cast<uint8_t>(port - kCom2));
  const std::lock_guard lock(mutex_);
  switch (port) {
    case kRtcData:
      return read_rtc(rtc_index_);
    case acpi::kPm1EventPort:
      return static_cast<uint8_t>(pm1_status_);
    case acpi::kPm1EventPort + 1:
      return static_cast<uint8_t>(pm1_status_ >> 8);
    case acpi::kPm1EventPort + 2:
      return static_cast<uint8_t>(pm1_enable_);
    case acpi::kPm1EventPort + 3:
      return static_cast<uint8_t>(pm1_enable_ >> 8);
    case acpi::kPm1ControlPort:
      return static_cast<uint8_t>(pm1_control_);
    case acpi::kPm1ControlPort + 1:
      return static_cast<uint8_t>(pm1_control_ >> 8);
    default:
      return 0xff;
  }
}

void Devices::write_byte(uint16_t port, uint8_t value) {
  if (within(port, kCom1, 8)) return com1_.write(static_cast<uint8_t>(port - kCom1), value);
  if (within(port, kCom2, 8)) return com2_.write(static_cast<uint8_t>(port - kCom2), value);
  const std::lock_guard lock(mutex_);
  switch (port) {
    case kRtcIndex:
      rtc_index_ = value & 0x7f;
      break;
    case kKeyboardCommand:
      if (value == kKeyboardReset) end_.report({EndReason::Reboot, "", 0});
      break;
    case acpi::kPm1EventPort:  // a one written to a status bit clears it
      pm1_status_ = static_cast<uint16_t>(pm1_status_ & ~value);
      update_sci();
      break;
    case acpi::kPm1EventPort + 1:
      pm1_status_ = static_cast<uint16_t>(pm1_status_ & ~(value << 8));
      update_sci();
      break;
    case acpi::kPm1EventPort + 2:
      pm1_enable_ = static_cast<uint16_t>((pm1_enable_ & 0xff00) | value);
      update_sci();
      break;
    case acpi::kPm1EventPort + 3:
      pm1_enable_ = static_cast<uint16_t>((pm1_enable_ & 0x00ff) | value << 8);
      update_sci();
      break;
    case acpi::kPm1ControlPort:
      pm1_control_ = static_cast<uint16_t>((pm1_control_ & 0xff00) | value | kSciEnable);
      break;
    case acpi::kPm1ControlPort + 1: {
      const auto control = static_cast<uint16_t>(value << 8);
      pm1_control_ = static_cast<uint16_t>((pm1_control_ & 0x00ff) | (control & ~kSleepEnable));
      const auto type = static_cast<uint16_t>((control >> 10) & 7);
      if ((control & kSleepEnable) != 0 && type == acpi::kSleepTypeOff)
        end_.report({EndReason::PowerOff, "", 0});
      break;
    }
    default:
      break;
  }
}

void Devices::update_sci() {
  router_.set_line(acpi::kSciLine, (pm1_status_ & pm1_enable_ & kPowerButton) != 0);
}

void Devices::press_power_button() {
  const std::lock_guard lock(mutex_);
  pm1_status_ |= kPowerButton;
  update_sci();
}

void Devices::tick() {
  com1_.tick();
  com2_.tick();
}

}  // namespace hv::vmm
