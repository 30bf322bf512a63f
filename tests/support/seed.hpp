// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace hv::test {

/// A random source for one test; prints its seed, and takes it back from ENLIGHTEN_SEED.
inline std::mt19937_64 seeded() {
  const char* given = std::getenv("ENLIGHTEN_SEED");
  const uint64_t seed =
      given != nullptr ? std::strtoull(given, nullptr, 0) : std::random_device{}();
  std::printf("seed: ENLIGHTEN_SEED=%llu\n", static_cast<unsigned long long>(seed));
  return std::mt19937_64(seed);
}

}  // namespace hv::test
