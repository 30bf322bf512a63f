// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <string>

#include "vmm/boot/long_mode.hpp"
#include "vmm/memory.hpp"

namespace hv::vmm::boot {

/// What to boot. Paths are for reading and for messages.
struct BootFiles {
  std::string kernel;
  std::string initrd;        ///< empty: none
  std::string command_line;  ///< without a final zero
};

/// Throws what load_linux() would throw of the files themselves: missing, unreadable, no kernel.
void check_files(const BootFiles& files);

/// Puts kernel, initrd, command line, zero page, page tables and GDT into `memory`, which holds the
/// ACPI tables with the RSDP at `rsdp`. Throws Failure, naming the file: unreadable, no kernel, or
/// too large for the memory.
EntryState load_linux(const BootFiles& files, uint64_t rsdp, const GuestMemory& memory);

}  // namespace hv::vmm::boot
