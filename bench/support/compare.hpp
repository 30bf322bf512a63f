// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace hv::bench {

/// Two ways to do the same work, of which the first is ours.
struct Case {
  std::string name;
  std::string unit;               ///< what one operation is: "packet", "request"
  std::function<void(unsigned)> a;  ///< does that many operations
  std::function<void(unsigned)> b;
};

struct Outcome {
  double a_ns, b_ns;             ///< ns per operation in the best slice: what is left when nothing disturbs
  double ratio;                  ///< b_ns / a_ns: above 1 ours is faster
  double ratio_low, ratio_high;  ///< the quartiles of b/a, pair by pair: how much the machine disturbed
};

/// Runs A B A B ..., each about `slice_ms` long, `pairs` times. Short slices find the quiet moments of a busy machine.
Outcome compare(const Case& which, unsigned pairs, double slice_ms);

/// The command line of every benchmark: [--json] [--pairs N] [--slice MS] [--filter TEXT]. Returns the exit status.
int run(int argc, char** argv, const char* title, const char* a, const char* b, const std::vector<Case>& cases);

/// The compiler must believe that `value` is used, and that memory has changed.
template <typename T>
inline void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace hv::bench
