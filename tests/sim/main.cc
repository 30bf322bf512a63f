// SPDX-License-Identifier: GPL-2.0-only OR MIT
// enlighten-sim: runs the deterministic world for seeds, and proves the suite by mutants.
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>

#include "ports/sim/world.hpp"

namespace {

int usage() {
  std::fprintf(stderr,
               "usage: enlighten-sim --seeds A..B     run the worlds of these seeds, B included\n"
               "       enlighten-sim --seed N [--log] run one, and print all that happens in it\n"
               "                     [--mutant N]     with known bug N brought back\n");
  return 2;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  std::optional<uint64_t> first, last;
  bool log = false;
  for (int i = 1; i < argc; i++) {
    const std::string_view option = argv[i];
    if (option == "--log") {
      log = true;
    } else if (option == "--seed" && i + 1 < argc) {
      first = last = number(argv[++i]);
    } else if (option == "--seeds" && i + 1 < argc) {
      const std::string_view range = argv[++i];
      const size_t dots = range.find("..");
      if (dots == range.npos) return usage();
      first = number(range.substr(0, dots));
      last = number(range.substr(dots + 2));
    } else if (option == "--mutant" && i + 1 < argc) {
      hv::sim::set_mutant(std::atoi(argv[++i]));
    } else {
      return usage();
    }
  }
  if (!first || !last || *last < *first) return usage();
  uint64_t failed = 0, steps = 0;
  for (uint64_t seed = *first;; seed++) {
    const auto outcome = hv::sim::run_world(seed, log);
    steps += outcome.steps;
    if (!outcome.ok) {
      failed++;
      if (failed <= 20) std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), outcome.why.c_str());
    }
    if (*first == *last) std::printf("seed %llu: hash %016llx\n", static_cast<unsigned long long>(seed), static_cast<unsigned long long>(outcome.hash));
    if (seed == *last) break;
  }
  std::printf("%llu of %llu worlds failed, %llu steps\n", static_cast<unsigned long long>(failed),
              static_cast<unsigned long long>(*last - *first + 1), static_cast<unsigned long long>(steps));
  return failed != 0;
}
