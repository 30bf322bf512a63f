// SPDX-License-Identifier: GPL-2.0-only
// The C face of hv::ic::negotiate.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core.h"
#include "core/ic/negotiate.hpp"

using hv::wire::ic::Version;

namespace {

/// The kernel's versions are numbers: the major one in the upper half.
struct Versions {
  std::array<Version, 32> list{};
  size_t count = 0;
  Versions(const int* numbers, int n) {
    for (; count < static_cast<size_t>(n) && count < list.size(); count++) {
      const auto number = static_cast<uint32_t>(numbers[count]);
      list[count] = {static_cast<uint16_t>(number >> 16), static_cast<uint16_t>(number)};
    }
  }
  std::span<const Version> all() const { return std::span(list).first(count); }
};

int number(Version version) { return version.major << 16 | version.minor; }

}  // namespace

bool hvb_core_negotiate(void* body, size_t size, const int* frameworks, int framework_count,
                        const int* services, int service_count, int* framework, int* service) {
  const Versions ours(frameworks, framework_count);
  const Versions served(services, service_count);
  const auto result =
      hv::ic::negotiate(std::span(static_cast<std::byte*>(body), size), ours.all(), served.all());
  if (!result) return false;
  if (framework) *framework = number(result->framework);
  if (service) *service = number(result->service);
  return result->agreed;
}
