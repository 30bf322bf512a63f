// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace hv::bench {

/// Does that many operations.
using Work = std::function<void(unsigned)>;

/// Two ways to do the same work, of which the first is ours.
struct Case {
  std::string name;
  std::string unit;     ///< what one operation is: "packet", "request"
  std::string against;  ///< what `b` is
  Work a;
  Work b;
};

/// How long to measure.
struct Effort {
  unsigned pairs = 9;  ///< measurements of each side, in turn
  unsigned slices =
      21;  ///< of which each is the best of so many, A B A B again: one in which nothing disturbed
  double slice_ms = 0.5;
};

struct Outcome {
  double a_ns, b_ns;             ///< ns per operation: the medians of the pairs
  double ratio;                  ///< the median of b/a, pair by pair: above 1 ours is faster
  double ratio_low, ratio_high;  ///< the lowest and the highest pair
};

/// Runs A B A B ... in one thread and counts its CPU time, so that what else runs on the machine
/// counts little.
Outcome compare(const Case& which, const Effort& effort);

/// The command line of every benchmark: [--json] [--pairs N] [--slices N] [--slice MS] [--filter
/// TEXT] [--count N]. Returns the exit status. --count: does N operations of A of each case and
/// measures nothing, for callgrind and the like.
int run(int argc, char** argv, const char* title, const char* a, const std::vector<Case>& cases);

/// The compiler must believe that `value` is used, and that memory has changed.
template <typename T>
inline void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

}  // namespace hv::bench
