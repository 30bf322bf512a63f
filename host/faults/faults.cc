// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/faults/faults.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace hv::host {

const char* meaning(Fault::Unit unit) {
  switch (unit) {
    case Fault::Unit::Switch:
      return "1: each time";
    case Fault::Unit::Next:
      return "N: the next N times";
    case Fault::Unit::Every:
      return "N: each Nth time";
    case Fault::Unit::Seconds:
      return "N: by N seconds";
  }
  return "";
}

Fault* Faults::find(std::string_view name) const {
  const auto at =
      std::ranges::find_if(all_, [&](const Fault* fault) { return name == fault->name(); });
  return at == all_.end() ? nullptr : *at;
}

std::string Faults::set(std::string_view name, int64_t value, std::string_view device) {
  Fault* const fault = find(name);
  if (fault == nullptr) {
    std::string names;
    for (const Fault* known : all_) {
      names += names.empty() ? "" : known == all_.back() ? " or " : ", ";
      names += known->name();
    }
    return fmt::format("there is no fault '{}': give {}", name, names);
  }
  if (value < 0 || value > int64_t{fault->max()})
    return fmt::format("{}={}: give a number from 0 to {}", name, value, fault->max());
  fault->set(static_cast<uint32_t>(value), device);
  return {};
}

std::string Faults::set(std::string_view text) {
  constexpr std::string_view kDevice = ",device=";
  std::string_view device;
  const std::string_view whole = text;
  if (const size_t at = text.find(','); at != std::string_view::npos) {
    if (!text.substr(at).starts_with(kDevice) || text.size() == at + kDevice.size())
      return fmt::format("'{}': give NAME=VALUE[,device=NAME]", whole);
    device = text.substr(at + kDevice.size());
    text = text.substr(0, at);
  }
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos)
    return fmt::format("'{}': give NAME=VALUE[,device=NAME]", whole);
  const std::string_view name = text.substr(0, equals), number = text.substr(equals + 1);
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
  if (error != std::errc{} || end != number.data() + number.size())
    return fmt::format("{}='{}' is no number", name, number);
  return set(name, value, device);
}

std::string Faults::help() const {
  std::string text;
  for (const Fault* fault : all_)
    text += fmt::format("  {:<18} {} ({})\n", fault->name(), fault->help(), meaning(fault->unit()));
  return text;
}

}  // namespace hv::host
