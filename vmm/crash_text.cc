// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/crash_text.hpp"

#include <algorithm>
#include <cstdio>

namespace hv::vmm {

std::string crash_line(std::string_view log) {
  constexpr size_t kMost = 300;
  constexpr std::string_view kPanic = "Kernel panic";
  while (!log.empty() && (log.back() == '\n' || log.back() == '\0')) log.remove_suffix(1);
  const size_t panic = log.find(kPanic);
  const size_t start =
      panic != std::string_view::npos ? panic : log.rfind('\n') + 1;  // npos + 1 is 0
  std::string line(log.substr(start, std::min(kMost, log.find('\n', start) - start)));
  std::replace_if(
      line.begin(), line.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, '?');
  return line;
}

std::string crash_text(const GuestMemory& memory, uint64_t gpa, uint64_t size) {
  constexpr uint64_t kMost = 4096;
  std::string text(std::min(size, kMost), '\0');
  if (!memory.read(gpa, std::as_writable_bytes(std::span(text)))) return {};
  return crash_line(text);
}

std::string crash_registers(const std::array<uint64_t, 5>& registers) {
  std::string text = "crash registers";
  for (const uint64_t value : registers) {
    char number[24];
    std::snprintf(number, sizeof number, " 0x%llx", static_cast<unsigned long long>(value));
    text += number;
  }
  return text;
}

}  // namespace hv::vmm
