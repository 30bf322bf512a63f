// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "core/netvsc/virtual_function.hpp"

namespace hv::netvsc {

using wire::netvsc::DataPath;

FunctionMatch VirtualFunction::match(const Candidate& candidate) const {
  if (has_function() || (!candidate.serial && !candidate.stand_in)) return FunctionMatch::None;
  // While an interface comes into being, its permanent address is not there yet.
  const bool permanent_known = candidate.permanent != MacAddress{};
  const bool same = candidate.permanent == address_ || candidate.current == address_;
  if (address_ == MacAddress{} || !same) return FunctionMatch::None;
  const uint64_t association = association_.load(std::memory_order_acquire);
  const bool by_serial = candidate.serial && association == (kAllocated | *candidate.serial);
  if (by_serial && (candidate.permanent == address_ || !permanent_known))
    return FunctionMatch::Serial;
  return FunctionMatch::Address;
}

void VirtualFunction::opened(const Dialect& dialect, bool isolated) {
  // Older hosts know of no functions.
  open_ = dialect.has(wire::Sender::Guest, wire::netvsc::MessageType::SwitchDataPath) && !isolated;
  refused_ = false;
  go(Path::Synthetic);
}

void VirtualFunction::closed() {
  open_ = false;
  go(Path::Synthetic);
}

void VirtualFunction::associated(bool allocated, uint32_t serial) {
  association_.store((allocated ? kAllocated : 0) | serial, std::memory_order_release);
}

void VirtualFunction::joined() {
  joined_.store(true, std::memory_order_relaxed);
  refused_ = false;
}

void VirtualFunction::left() {
  down();
  joined_.store(false, std::memory_order_relaxed);
}

void VirtualFunction::up() {
  if (!up_.exchange(true, std::memory_order_relaxed)) refused_ = false;
}

void VirtualFunction::down() {
  if (up_.exchange(false, std::memory_order_relaxed)) refused_ = false;
}

std::optional<Message> VirtualFunction::begin() {
  const uint64_t association = association_.load(std::memory_order_acquire);
  if (!open_ || (refused_ && association == told_with_)) return std::nullopt;
  const bool function =
      has_function() && up_.load(std::memory_order_relaxed) && association & kAllocated;
  switch (path()) {
    case Path::Synthetic:
      if (!function) return std::nullopt;
      break;
    case Path::Function:
      if (function) return std::nullopt;
      break;
    case Path::Unsure:
      break;
    case Path::ToFunction:
    case Path::ToSynthetic:
      return std::nullopt;
  }
  refused_ = false;
  told_with_ = association;
  before_ = path();
  go(function ? Path::ToFunction : Path::ToSynthetic);
  return switch_data_path(function ? DataPath::Vf : DataPath::Synthetic);
}

void VirtualFunction::answered() {
  if (awaits_answer()) go(path() == Path::ToFunction ? Path::Function : Path::Synthetic);
}

void VirtualFunction::unanswered() {
  if (!awaits_answer()) return;
  refused_ = true;
  go(Path::Unsure);
}

void VirtualFunction::unsent() {
  if (awaits_answer()) go(before_);
}

}  // namespace hv::netvsc
