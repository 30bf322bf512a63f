// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace hv::sim {

/// A known bug of VMBus guest drivers, which HV_MUTANT(number) brings back.
struct Mutant {
  int number;
  const char* bug;
};
std::span<const Mutant> mutants();

/// Looks for a world (or, for what no world shows, a run of the ring's model) in which the suite
/// notices. Empty when it is not caught; else how it was, with the seed.
std::string catch_mutant(const Mutant& mutant, uint64_t most_seeds);

}  // namespace hv::sim
