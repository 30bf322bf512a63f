// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/boot/long_mode.hpp"

#include <array>
#include <span>

#include "vmm/failure.hpp"

namespace hv::vmm::boot {

namespace {

constexpr uint64_t kGdtAddress = 0x6000;
constexpr uint64_t kPageTables = 0x9000;  // PML4, PDPT, four page directories

template <typename T>
void put(const GuestMemory& memory, uint64_t gpa, const T& value) {
  if (!memory.write(gpa, std::as_bytes(std::span(&value, 1))))
    throw Failure("boot structures do not fit into guest memory");
}

void write_page_tables(const GuestMemory& memory) {
  constexpr uint64_t kPresentWritable = 0x3;
  constexpr uint64_t kLargePage = 0x80;
  constexpr uint64_t kPdpt = kPageTables + kPage;
  constexpr uint64_t kDirectories = kPdpt + kPage;
  put(memory, kPageTables, kPdpt | kPresentWritable);
  for (uint64_t directory = 0; directory < 4; ++directory) {
    const uint64_t address = kDirectories + directory * kPage;
    put(memory, kPdpt + directory * 8, address | kPresentWritable);
    std::array<uint64_t, 512> entries;
    for (uint64_t i = 0; i < entries.size(); ++i)
      entries[i] = (directory * 512 + i) * (2 * kMiB) | kPresentWritable | kLargePage;
    put(memory, address, entries);
  }
}

}  // namespace

EntryState enter_long_mode(const GuestMemory& memory, uint64_t rip, uint64_t rsi) {
  write_page_tables(memory);
  // Null, null, flat 64-bit code, flat data: the selectors the Linux boot protocol asks for.
  const std::array<uint64_t, 4> gdt{0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff};
  put(memory, kGdtAddress, gdt);
  return {.rip = rip,
          .rsi = rsi,
          .cr3 = kPageTables,
          .gdt_base = kGdtAddress,
          .gdt_limit = sizeof gdt - 1};
}

}  // namespace hv::vmm::boot
