// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <string>

namespace hv::sim {

struct ModelOutcome {
  bool ok = false;
  std::string why;  ///< and the schedule that shows it
  uint64_t states = 0;
  uint64_t executions = 0;
};

/// What the checker weakens, to show that the code needs it.
enum class Weaken {
  Nothing,
  Acquire,  ///< load_acquire reads without acquiring: bug 3
  Ordered,  ///< load_ordered and store_ordered are no more than acquire and release
};

inline constexpr int kModelScenarios = 4;
const char* model_scenario_name(int scenario);

/// Runs the ring's own code (ring.cc, compiled against a `shared.hpp` that asks before each access)
/// for one producer and one consumer, in every order of their accesses to the control words, and
/// with every value that the C++ memory model lets each load return: release/acquire by timestamps
/// and views, seq_cst by one order of all such accesses. Checked: nobody sleeps with work left (a
/// lost wake-up), no data is read before it was published or overwritten before it was given back,
/// packets come in order.
ModelOutcome check_ring_model(int scenario, Weaken weaken);

}  // namespace hv::sim
