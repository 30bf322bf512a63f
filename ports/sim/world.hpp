// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <string>

namespace hv::sim {

struct Outcome {
  bool ok = false;
  std::string why;    ///< which oracle said no
  uint64_t hash = 0;  ///< of the whole log: the same for the same seed, to the byte
  uint64_t steps = 0;
};

/// One guest and one host under one scheduler and one clock, from boot to the end. All of it
/// follows from `seed`.
Outcome run_world(uint64_t seed, bool print);

/// Brings known bug `number` back in the whole process; 0: none.
void set_mutant(int number);

}  // namespace hv::sim
