// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "fuzz/support/shared_hook.hpp"

namespace hv::fuzz {
namespace {
SharedRing* current = nullptr;
}

SharedRing::SharedRing(std::span<std::byte> ring, bool mirrored, Side side,
                       std::span<const uint8_t> script)
    : ring_(ring),
      data_size_(ring.size() - wire::kPageSize),
      mirrored_(mirrored),
      side_(side),
      script_(script) {
  if (data_size_ > kMostData) __builtin_trap();
  current = this;
}

SharedRing::~SharedRing() { current = nullptr; }

void SharedRing::before_read(const void* address, size_t length) {
  const auto begin = reinterpret_cast<uintptr_t>(address);
  const auto base = reinterpret_cast<uintptr_t>(ring_.data());
  const size_t end_of_all = ring_.size() + (mirrored_ ? data_size_ : 0);
  if (begin < base || begin - base > end_of_all || length > end_of_all - (begin - base))
    __builtin_trap();
  const size_t offset = begin - base;
  if (offset >= wire::kPageSize) watch(offset - wire::kPageSize, length);
  if (length != 0) change(ring_.data() + offset, length);
}

void SharedRing::watch(size_t offset, size_t length) {
  if (side_ == Side::Producer) __builtin_trap();
  for (size_t i = 0; i < length; i++) {
    const size_t at = (offset + i) % data_size_;
    if (read_[at]) __builtin_trap();
    read_[at] = true;
  }
}

void SharedRing::change(std::byte* place, size_t length) {
  if (script_.size() < 2) return;
  // Half of all values leave the memory as it is, so that a script reaches far into a run.
  const uint8_t what = script_[0];
  script_ = script_.subspan(1);
  if (what < 128) return;
  const auto value = std::byte{script_[0]};
  script_ = script_.subspan(1);
  place[(what & 63) % length] = value;
  if (what & 64) place[((what & 63) + 1) % length] = ~value;
}

}  // namespace hv::fuzz

extern "C" void hv_shared_hook(const void* address, size_t length);
extern "C" void hv_shared_hook(const void* address, size_t length) {
  if (hv::fuzz::current != nullptr) hv::fuzz::current->before_read(address, length);
}
