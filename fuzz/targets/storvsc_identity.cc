// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Two answers of a hostile host to the question which disk it is: nothing is read beyond either,
// the order of the two does not matter, and no page names another disk than itself.
#include "core/storvsc/identity.hpp"
#include "fuzz/support/input.hpp"

using namespace hv;
using storvsc::compare_identity;
using storvsc::Identity;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const auto one = std::as_bytes(input.bytes(input.number(252)));
  const auto other = std::as_bytes(input.rest());
  if (compare_identity(one, other) != compare_identity(other, one)) __builtin_trap();
  if (compare_identity(one, one) == Identity::Other) __builtin_trap();
  return 0;
}
