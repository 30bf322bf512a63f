// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/acpi/tables.hpp"

#include <array>
#include <cstring>
#include <string_view>

#include "core/base/checked.hpp"

namespace hv::vmm::acpi {

namespace {

struct [[gnu::packed]] Header {
  char signature[4];
  uint32_t length;
  uint8_t revision;
  uint8_t checksum;
  char oem_id[6];
  char oem_table_id[8];
  uint32_t oem_revision;
  char creator_id[4];
  uint32_t creator_revision;
};
static_assert(sizeof(Header) == 36);

struct [[gnu::packed]] Rsdp {
  char signature[8];
  uint8_t checksum;  // of the first 20 bytes
  char oem_id[6];
  uint8_t revision;
  uint32_t rsdt;
  uint32_t length;
  uint64_t xsdt;
  uint8_t extended_checksum;
  uint8_t reserved[3];
};
static_assert(sizeof(Rsdp) == 36);

struct [[gnu::packed]] GenericAddress {
  uint8_t space;  // 1: I/O ports
  uint8_t bits;
  uint8_t offset;
  uint8_t access;
  uint64_t address;
};

struct [[gnu::packed]] Fadt {
  Header header;
  uint32_t firmware_control;
  uint32_t dsdt;
  uint8_t reserved0;
  uint8_t preferred_profile;
  uint16_t sci_interrupt;
  uint32_t smi_command;
  uint8_t acpi_enable, acpi_disable, s4bios_request, pstate_control;
  uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer, gpe0, gpe1;
  uint8_t pm1_event_length, pm1_control_length, pm2_control_length, pm_timer_length, gpe0_length,
      gpe1_length, gpe1_base;
  uint8_t cst_control;
  uint16_t c2_latency, c3_latency;
  uint16_t flush_size, flush_stride;
  uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
  uint16_t boot_flags;
  uint8_t reserved1;
  uint32_t flags;
  GenericAddress reset_register;
  uint8_t reset_value;
  uint16_t arm_boot_flags;
  uint8_t minor_version;
  uint64_t x_firmware_control, x_dsdt;
  GenericAddress x_pm1a_event, x_pm1b_event, x_pm1a_control, x_pm1b_control, x_pm2_control,
      x_pm_timer, x_gpe0, x_gpe1;
  GenericAddress sleep_control, sleep_status;
  uint64_t hypervisor_vendor;
};
static_assert(sizeof(Fadt) == 276);
static_assert(offsetof(Fadt, boot_flags) == 109);
static_assert(offsetof(Fadt, reset_register) == 116);

// FADT: IAPC_BOOT_ARCH. No 8042 (bit 1 stays clear), no VGA, no PCIe ASPM; the CMOS clock is there.
constexpr uint16_t kBootNoVga = 1 << 2;
constexpr uint16_t kBootNoAspm = 1 << 4;
// FADT: fixed feature flags. The power button is a fixed one (bit 4 clear), there is no sleep
// button.
constexpr uint32_t kWbinvd = 1 << 0;
constexpr uint32_t kC1Supported = 1 << 2;
constexpr uint32_t kNoSleepButton = 1 << 5;
constexpr uint32_t kRtcNotFixed = 1 << 6;
constexpr uint32_t kResetSupported = 1 << 10;
constexpr uint32_t kHeadless = 1 << 12;
constexpr uint32_t kApicPhysicalMode = 1 << 19;

struct [[gnu::packed]] MadtHead {
  Header header;
  uint32_t local_apic;
  uint32_t flags;
};
struct [[gnu::packed]] MadtLocalApic {
  uint8_t type = 0, length = 8;
  uint8_t processor, apic_id;
  uint32_t flags = 1;  // enabled
};
struct [[gnu::packed]] MadtIoApic {
  uint8_t type = 1, length = 12;
  uint8_t id = 0, reserved = 0;
  uint32_t address = 0xfec00000;
  uint32_t gsi_base = 0;
};
struct [[gnu::packed]] MadtOverride {
  uint8_t type = 2, length = 10;
  uint8_t bus = 0, source;
  uint32_t gsi;
  uint16_t flags;
};
constexpr uint16_t kBusDefault = 0;
constexpr uint16_t kActiveHighLevel = 0x0d;

void set_text(std::span<char> field, std::string_view text) {
  std::memcpy(field.data(), text.data(), field.size());
}

Header make_header(std::string_view signature, uint8_t revision) {
  Header header{};
  set_text(header.signature, signature);
  header.revision = revision;
  set_text(header.oem_id, "ENLTEN");
  set_text(header.oem_table_id, "ENLIGHTN");
  header.oem_revision = 1;
  set_text(header.creator_id, "ENLT");
  header.creator_revision = 1;
  return header;
}

uint8_t checksum_of(std::span<const std::byte> bytes) {
  uint8_t sum = 0;
  for (const std::byte byte : bytes)
    sum = static_cast<uint8_t>(sum + std::to_integer<uint8_t>(byte));
  return static_cast<uint8_t>(-sum);
}

template <typename T>
void append(std::vector<std::byte>& bytes, const T& value) {
  const auto view = std::as_bytes(std::span(&value, 1));
  bytes.insert(bytes.end(), view.begin(), view.end());
}

/// Fills in length and checksum of a whole table.
void seal(std::vector<std::byte>& table) {
  const auto length = static_cast<uint32_t>(table.size());
  std::memcpy(table.data() + offsetof(Header, length), &length, sizeof length);
  table[offsetof(Header, checksum)] = std::byte{0};
  table[offsetof(Header, checksum)] = std::byte{checksum_of(table)};
}

GenericAddress port(uint16_t address, uint8_t bytes) {
  return {.space = 1,
          .bits = static_cast<uint8_t>(bytes * 8),
          .offset = 0,
          .access = bytes,
          .address = address};
}

std::vector<std::byte> make_fadt(uint64_t dsdt) {
  Fadt fadt{};
  fadt.header = make_header("FACP", 6);
  fadt.minor_version = 4;
  fadt.dsdt = static_cast<uint32_t>(dsdt);
  fadt.x_dsdt = dsdt;
  fadt.sci_interrupt = kSciLine;
  fadt.pm1a_event = kPm1EventPort;
  fadt.pm1_event_length = 4;
  fadt.pm1a_control = kPm1ControlPort;
  fadt.pm1_control_length = 2;
  fadt.x_pm1a_event = port(kPm1EventPort, 4);
  fadt.x_pm1a_event.access = 2;
  fadt.x_pm1a_control = port(kPm1ControlPort, 2);
  fadt.c2_latency = 0xffff;  // no C2, no C3
  fadt.c3_latency = 0xffff;
  fadt.century = 0x32;
  fadt.boot_flags = kBootNoVga | kBootNoAspm;
  fadt.flags = kWbinvd | kC1Supported | kNoSleepButton | kRtcNotFixed | kResetSupported |
               kHeadless | kApicPhysicalMode;
  fadt.reset_register = port(kResetPort, 1);
  fadt.reset_value = kResetValue;
  set_text({reinterpret_cast<char*>(&fadt.hypervisor_vendor), 8}, "MsHyperV");
  std::vector<std::byte> table;
  append(table, fadt);
  seal(table);
  return table;
}

std::vector<std::byte> make_madt(uint32_t vcpus) {
  std::vector<std::byte> table;
  append(table, MadtHead{.header = make_header("APIC", 5), .local_apic = 0xfee00000, .flags = 1});
  for (uint32_t i = 0; i < vcpus; ++i) {
    append(table,
           MadtLocalApic{.processor = static_cast<uint8_t>(i), .apic_id = static_cast<uint8_t>(i)});
  }
  append(table, MadtIoApic{});
  append(table, MadtOverride{.source = 0, .gsi = 2, .flags = kBusDefault});
  append(table, MadtOverride{.source = kSciLine, .gsi = kSciLine, .flags = kActiveHighLevel});
  seal(table);
  return table;
}

}  // namespace

Tables build_tables(uint64_t address, uint32_t vcpus, std::span<const std::byte> dsdt) {
  constexpr size_t kAlign = 16;
  Tables tables{.address = address,
                .rsdp = address,
                .bytes = std::vector<std::byte>(align_up<size_t>(sizeof(Rsdp), kAlign))};
  const auto add = [&](std::span<const std::byte> table) {
    const uint64_t where = address + tables.bytes.size();
    tables.bytes.insert(tables.bytes.end(), table.begin(), table.end());
    tables.bytes.resize(align_up<size_t>(tables.bytes.size(), kAlign));
    return where;
  };

  const uint64_t dsdt_at = add(dsdt);
  const std::array<uint64_t, 2> listed{add(make_fadt(dsdt_at)), add(make_madt(vcpus))};
  std::vector<std::byte> xsdt;
  append(xsdt, make_header("XSDT", 1));
  for (const uint64_t entry : listed) append(xsdt, entry);
  seal(xsdt);

  Rsdp rsdp{};
  set_text(rsdp.signature, "RSD PTR ");
  set_text(rsdp.oem_id, "ENLTEN");
  rsdp.revision = 2;
  rsdp.length = sizeof rsdp;
  rsdp.xsdt = add(xsdt);
  rsdp.checksum = checksum_of(std::as_bytes(std::span(&rsdp, 1)).first(20));
  rsdp.extended_checksum = checksum_of(std::as_bytes(std::span(&rsdp, 1)));
  std::memcpy(tables.bytes.data(), &rsdp, sizeof rsdp);
  return tables;
}

}  // namespace hv::vmm::acpi
