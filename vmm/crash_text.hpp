// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "vmm/memory.hpp"

namespace hv::vmm {

/// What a crashed guest left at `gpa` (at most 4 KiB of its log), as one printable line: the line
/// that says panic, or the last one. Empty if there is nothing to read.
std::string crash_text(const GuestMemory& memory, uint64_t gpa, uint64_t size);

/// The line of `log` that says why, printable.
std::string crash_line(std::string_view log);

/// The five crash registers, for a guest that left no text.
std::string crash_registers(const std::array<uint64_t, 5>& registers);

}  // namespace hv::vmm
