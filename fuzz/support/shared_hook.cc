// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "fuzz/support/shared_hook.hpp"

namespace hv::fuzz {
namespace {
ChangingMemory* current = nullptr;
}

ChangingMemory::ChangingMemory(std::span<std::byte> memory, std::span<const uint8_t> script) : memory_(memory), script_(script) {
  current = this;
}

ChangingMemory::~ChangingMemory() { current = nullptr; }

void ChangingMemory::before_read(const void* address, size_t length) {
  const auto* begin = static_cast<const std::byte*>(address);
  if (begin < memory_.data() || begin + length > memory_.data() + memory_.size() || length == 0) return;
  if (script_.empty()) return;
  // Half of all values leave the memory as it is, so that a script can reach far into a run.
  const uint8_t what = script_.front();
  script_ = script_.subspan(1);
  if (what < 128 || script_.empty()) return;
  std::byte* const place = memory_.data() + (begin - memory_.data());
  place[(what & 63) % length] = std::byte{script_.front()};
  if (what & 64 && length >= 2) place[((what & 63) + 1) % length] = std::byte{static_cast<uint8_t>(~script_.front())};
  script_ = script_.subspan(1);
}

}  // namespace hv::fuzz

extern "C" void hv_shared_hook(const void* address, size_t length);
extern "C" void hv_shared_hook(const void* address, size_t length) {
  if (hv::fuzz::current != nullptr) hv::fuzz::current->before_read(address, length);
}
