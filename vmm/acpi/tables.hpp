// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace hv::vmm::acpi {

// The fixed hardware of the machine, as the FADT says it (vmm/devices.cc answers there).
inline constexpr uint16_t kPm1EventPort = 0x600;    ///< status (2 bytes), enable (2 bytes)
inline constexpr uint16_t kPm1ControlPort = 0x604;  ///< 2 bytes
inline constexpr uint16_t kResetPort = 0xcf9;
inline constexpr uint8_t kResetValue = 0x06;
inline constexpr uint8_t kSciLine = 9;
inline constexpr uint16_t kSleepTypeOff =
    5;  ///< SLP_TYP in the PM1 control register, as \_S5 in dsdt.asl

/// All tables in one block, to be put at guest physical `address`.
struct Tables {
  uint64_t address;
  uint64_t rsdp;  ///< guest physical
  std::vector<std::byte> bytes;
};

/// RSDP, XSDT, FADT, MADT and DSDT for a machine of `vcpus` (APIC ids 0 to vcpus - 1). `dsdt` is
/// the compiled table. Source: ACPI specification 6.4, chapter 5.
Tables build_tables(uint64_t address, uint32_t vcpus, std::span<const std::byte> dsdt);

/// The DSDT that was compiled into the program (acpi/dsdt.asl).
std::span<const std::byte> embedded_dsdt();

}  // namespace hv::vmm::acpi
