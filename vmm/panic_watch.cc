// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/panic_watch.hpp"

#include <string_view>

#include "vmm/crash_text.hpp"

namespace hv::vmm {

void PanicWatch::receive(std::span<const std::byte> bytes) {
  const std::lock_guard lock(mutex_);
  for (const std::byte byte : bytes) {
    if (byte == std::byte{'\n'}) {
      end_of_line();
    } else if (current_.size() < kLineMost) {
      current_.push_back(static_cast<char>(byte));
    }
  }
}

void PanicWatch::end_of_line() {
  constexpr std::string_view kPanic = "Kernel panic - not syncing";
  // Alone on its line or behind a time stamp, as the kernel prints it, and not somewhere in a
  // program's text.
  const size_t start = current_.starts_with('[') ? current_.find("] ") : 0;
  const size_t text = start == 0 ? 0 : start + 2;
  if (panic_.empty() && start != std::string::npos &&
      std::string_view(current_).substr(text).starts_with(kPanic)) {
    while (current_.ends_with('\r')) current_.pop_back();
    panic_ = crash_line(current_);
    seen_.store(true, std::memory_order_release);
  }
  current_.clear();
}

std::string PanicWatch::line() const {
  const std::lock_guard lock(mutex_);
  return panic_;
}

}  // namespace hv::vmm
