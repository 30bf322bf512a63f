// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The face for C of what integration services share: translation alone.
#include <array>

#include "core/ic/ic.h"
#include "core/ic/negotiate.hpp"

using hv::wire::ic::Version;

namespace {

struct Versions {
  std::array<Version, 32> list{};
  size_t count = 0;
  explicit Versions(const hv_ic_versions& numbers) {
    for (; count < numbers.count && count < list.size(); count++) {
      const auto number = static_cast<uint32_t>(numbers.list[count]);
      list[count] = {static_cast<uint16_t>(number >> 16), static_cast<uint16_t>(number)};
    }
  }
  std::span<const Version> all() const { return std::span(list).first(count); }
};

int number(Version version) { return version.major << 16 | version.minor; }

}  // namespace

extern "C" {

int hv_ic_negotiate(void* body, size_t size, const hv_ic_versions* frameworks,
                    const hv_ic_versions* services, int* framework, int* service) {
  const Versions ours(*frameworks);
  const Versions served(*services);
  const auto result =
      hv::ic::negotiate(std::span(static_cast<std::byte*>(body), size), ours.all(), served.all());
  if (!result) return 0;
  if (framework) *framework = number(result->framework);
  if (service) *service = number(result->service);
  return result->agreed;
}
}
