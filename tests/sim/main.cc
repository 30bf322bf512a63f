// SPDX-License-Identifier: GPL-2.0-only OR MIT
// enlighten-sim: runs the deterministic world for seeds, proves the suite by mutants, checks the
// ring's signalling exhaustively.
#include <malloc.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "ports/sim/mutants.hpp"
#include "ports/sim/ring_model.hpp"
#include "ports/sim/world.hpp"

namespace {

using Number = unsigned long long;

int usage() {
  std::fprintf(stderr,
               "usage: enlighten-sim --seeds A..B [--mutant N]        run the worlds of these "
               "seeds, B included\n"
               "       enlighten-sim --seed N [--log] [--mutant N]    run one, and print all that "
               "happens in it\n"
               "       enlighten-sim mutants                          bring each known bug back: "
               "is it caught?\n"
               "       enlighten-sim model                            check the ring's signalling "
               "in every order of accesses\n");
  return 2;
}

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

int run_mutants() {
  constexpr uint64_t kMostSeeds = 20'000;
  size_t caught = 0;
  for (const auto& mutant : hv::sim::mutants()) {
    const auto how = hv::sim::catch_mutant(mutant, kMostSeeds);
    if (!how.empty()) caught++;
    std::printf("%2d %-6s %s\n          %s\n", mutant.number, how.empty() ? "MISSED" : "caught",
                mutant.bug, how.c_str());
    std::fflush(stdout);
  }
  std::printf("%zu of %zu caught\n", caught, hv::sim::mutants().size());
  return caught != hv::sim::mutants().size();
}

int run_model() {
  using hv::sim::Weaken;
  bool good = true;
  for (int scenario = 0; scenario < hv::sim::kModelScenarios; scenario++) {
    const auto outcome = hv::sim::check_ring_model(scenario, Weaken::Nothing);
    std::printf("%-45s %s, %llu states\n", hv::sim::model_scenario_name(scenario),
                outcome.ok ? "holds" : outcome.why.c_str(), static_cast<Number>(outcome.states));
    good = good && outcome.ok;
    // Weaker accesses must fail: what the code asks for is what it needs.
    for (const Weaken weaken : {Weaken::Acquire, Weaken::Ordered}) {
      const auto weakened = hv::sim::check_ring_model(scenario, weaken);
      const char* without = weaken == Weaken::Acquire ? "acquire" : "seq_cst";
      std::printf(
          "    without %s: %s\n", without,
          weakened.ok ? "HOLDS TOO" : weakened.why.substr(0, weakened.why.find(';')).c_str());
      good = good && !weakened.ok;
    }
  }
  return !good;
}

int run_seeds(uint64_t first, uint64_t last, bool log) {
  uint64_t failed = 0, steps = 0;
  for (uint64_t seed = first;; seed++) {
    const auto outcome = hv::sim::run_world(seed, log);
    steps += outcome.steps;
    bool ok = outcome.ok;
    if (!ok && failed < 20)
      std::printf("seed %llu: %s\n", static_cast<Number>(seed), outcome.why.c_str());
    // The same seed is the same world, to the byte.
    if (!log && seed % 64 == 0 && hv::sim::run_world(seed, false).hash != outcome.hash) {
      std::printf("seed %llu: another world the second time\n", static_cast<Number>(seed));
      ok = false;
    }
    if (first == last)
      std::printf("seed %llu: hash %016llx\n", static_cast<Number>(seed),
                  static_cast<Number>(outcome.hash));
    if (!ok) failed++;
    if (seed == last) break;
  }
  std::printf("%llu of %llu worlds failed, %llu steps\n", static_cast<Number>(failed),
              static_cast<Number>(last - first + 1), static_cast<Number>(steps));
  return failed != 0;
}

}  // namespace

int main(int argc, char** argv) {
  // The memory of each world is the last one's: pages are not fetched anew from the kernel.
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  std::optional<uint64_t> first, last;
  bool log = false;
  for (int i = 1; i < argc; i++) {
    const std::string_view option = argv[i];
    if (option == "mutants" && argc == 2) return run_mutants();
    if (option == "model" && argc == 2) return run_model();
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
      const auto mutant = number(argv[++i]);
      if (!mutant) return usage();
      hv::sim::set_mutant(static_cast<int>(*mutant));
    } else {
      return usage();
    }
  }
  if (!first || !last || *last < *first) return usage();
  return run_seeds(*first, *last, log);
}
