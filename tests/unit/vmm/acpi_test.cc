// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <numeric>
#include <string>

#include "vmm/acpi/tables.hpp"

namespace hv::vmm::acpi {
namespace {

uint8_t sum(std::span<const std::byte> bytes) {
  return std::accumulate(bytes.begin(), bytes.end(), uint8_t{0}, [](uint8_t total, std::byte byte) {
    return static_cast<uint8_t>(total + std::to_integer<uint8_t>(byte));
  });
}

template <typename T>
T at(std::span<const std::byte> bytes, size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

constexpr uint64_t kBase = 0xe0000;

/// Follows RSDP and XSDT as a guest does: tables by signature.
std::map<std::string, std::span<const std::byte>> walk(const Tables& tables) {
  std::map<std::string, std::span<const std::byte>> found;
  const std::span<const std::byte> all(tables.bytes);
  const auto table = [&](uint64_t address) {
    return all.subspan(address - kBase, at<uint32_t>(all, address - kBase + 4));
  };
  const auto rsdp = all.subspan(tables.rsdp - kBase, 36);
  found["RSDP"] = rsdp;
  const auto xsdt = table(at<uint64_t>(rsdp, 24));
  found["XSDT"] = xsdt;
  for (size_t offset = 36; offset < xsdt.size(); offset += 8) {
    const auto entry = table(at<uint64_t>(xsdt, offset));
    found[std::string(reinterpret_cast<const char*>(entry.data()), 4)] = entry;
  }
  found["DSDT"] = table(at<uint64_t>(found["FACP"], 140));
  return found;
}

TEST(AcpiTables, EveryTableSumsToZero) {
  const auto tables = build_tables(kBase, 4, embedded_dsdt());
  const auto found = walk(tables);
  for (const char* const name : {"RSDP", "XSDT", "FACP", "APIC", "DSDT"}) {
    ASSERT_TRUE(found.contains(name)) << name;
    EXPECT_EQ(sum(found.at(name)), 0) << name;
  }
  EXPECT_EQ(sum(found.at("RSDP").first(20)), 0);
}

TEST(AcpiTables, MadtNamesEachProcessorOnce) {
  for (const uint32_t vcpus : {1u, 3u, 16u}) {
    const auto tables = build_tables(kBase, vcpus, embedded_dsdt());
    const auto madt = walk(tables).at("APIC");
    uint32_t processors = 0;
    for (size_t offset = 44; offset < madt.size(); offset += at<uint8_t>(madt, offset + 1)) {
      ASSERT_GT(at<uint8_t>(madt, offset + 1), 0);
      if (at<uint8_t>(madt, offset) != 0) continue;
      EXPECT_EQ(at<uint8_t>(madt, offset + 3), processors);
      EXPECT_EQ(at<uint32_t>(madt, offset + 4), 1u);
      ++processors;
    }
    EXPECT_EQ(processors, vcpus);
  }
}

TEST(AcpiTables, FadtTellsOfNoKeyboardControllerAndOfTheResetRegister) {
  const auto tables = build_tables(kBase, 1, embedded_dsdt());
  const auto fadt = walk(tables).at("FACP");
  EXPECT_EQ(at<uint16_t>(fadt, 109) & 2, 0);
  EXPECT_NE(at<uint32_t>(fadt, 112) & (1u << 10), 0u);
  EXPECT_EQ(at<uint64_t>(fadt, 120), kResetPort);
  EXPECT_EQ(at<uint8_t>(fadt, 128), kResetValue);
}

TEST(AcpiTables, DsdtHoldsTheBus) {
  const auto dsdt = embedded_dsdt();
  const std::string text(reinterpret_cast<const char*>(dsdt.data()), dsdt.size());
  EXPECT_NE(text.find("VMBUS"), std::string::npos);
}

TEST(AcpiTables, FitBelowOneMegabyteWithAllProcessors) {
  EXPECT_LE(build_tables(kBase, 16, embedded_dsdt()).bytes.size(), 0x20000u);
}

}  // namespace
}  // namespace hv::vmm::acpi
