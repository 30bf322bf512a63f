// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "bench/support/compare.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hv::bench {
namespace {

double time_ns(const std::function<void(unsigned)>& work, unsigned count) {
  const auto begin = std::chrono::steady_clock::now();
  work(count);
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count();
}

/// So many operations that they take about `slice_ns`.
unsigned calibrate(const std::function<void(unsigned)>& work, double slice_ns) {
  unsigned count = 64;
  while (true) {
    // The best of three: a pause of ours in the middle must not make the slices short.
    const double took = std::min({time_ns(work, count), time_ns(work, count), time_ns(work, count)});
    if (took >= slice_ns / 4 || count > (1u << 28)) return std::max(64u, static_cast<unsigned>(count * std::min(slice_ns / took, 8.0)));
    count *= 2;
  }
}

double at(std::vector<double> values, double part) {
  std::sort(values.begin(), values.end());
  return values[static_cast<size_t>(part * static_cast<double>(values.size() - 1) + 0.5)];
}

[[noreturn]] void usage(const char* program, const char* wrong) {
  std::fprintf(stderr, "%s: %s\nusage: %s [--json] [--pairs N] [--slice MS] [--filter TEXT]\n", program, wrong, program);
  std::exit(2);
}

}  // namespace

Outcome compare(const Case& which, unsigned pairs, double slice_ms) {
  const unsigned a_count = calibrate(which.a, slice_ms * 1e6);
  const unsigned b_count = calibrate(which.b, slice_ms * 1e6);
  std::vector<double> a, b, ratios;
  for (unsigned i = 0; i < pairs; i++) {
    a.push_back(time_ns(which.a, a_count) / a_count);
    b.push_back(time_ns(which.b, b_count) / b_count);
    ratios.push_back(b.back() / a.back());
  }
  const double best_a = at(a, 0), best_b = at(b, 0);
  return {best_a, best_b, best_b / best_a, at(ratios, 0.25), at(ratios, 0.75)};
}

int run(int argc, char** argv, const char* title, const char* a, const char* b, const std::vector<Case>& cases) {
  bool json = false;
  unsigned pairs = 51;
  double slice_ms = 1;
  std::string filter;
  for (int i = 1; i < argc; i++) {
    const bool more = i + 1 < argc;
    if (std::strcmp(argv[i], "--json") == 0) {
      json = true;
    } else if (std::strcmp(argv[i], "--pairs") == 0 && more) {
      pairs = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    } else if (std::strcmp(argv[i], "--slice") == 0 && more) {
      slice_ms = std::strtod(argv[++i], nullptr);
    } else if (std::strcmp(argv[i], "--filter") == 0 && more) {
      filter = argv[++i];
    } else {
      usage(argv[0], (std::string("unknown option ") + argv[i]).c_str());
    }
  }
  if (pairs == 0 || slice_ms <= 0) usage(argv[0], "--pairs and --slice: give numbers above 0");

  if (json) {
    std::printf("{\"title\": \"%s\", \"a\": \"%s\", \"b\": \"%s\", \"pairs\": %u, \"cases\": [", title, a, b, pairs);
  } else {
    std::printf("%s\nA: %s\nB: %s\n%u pairs A B A B; ns: the best slice of each; ratio = B/A of these; spread: the quartiles of all pairs\n\n", title, a, b, pairs);
    std::printf("%-34s %12s %12s %12s %8s  %s\n", "", "A ns", "B ns", "A-B ns", "ratio", "spread");
  }
  bool first = true;
  for (const auto& which : cases) {
    if (which.name.find(filter) == std::string::npos) continue;
    const auto outcome = compare(which, pairs, slice_ms);
    if (json) {
      std::printf("%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"a_ns\": %.2f, \"b_ns\": %.2f, \"ratio\": %.4f, \"ratio_low\": %.4f, \"ratio_high\": %.4f}",
                  first ? "" : ",", which.name.c_str(), which.unit.c_str(), outcome.a_ns, outcome.b_ns, outcome.ratio, outcome.ratio_low,
                  outcome.ratio_high);
    } else {
      std::printf("%-34s %12.1f %12.1f %12.1f %8.2f  %.2f..%.2f   per %s\n", which.name.c_str(), outcome.a_ns, outcome.b_ns,
                  outcome.a_ns - outcome.b_ns, outcome.ratio, outcome.ratio_low, outcome.ratio_high, which.unit.c_str());
    }
    std::fflush(stdout);
    first = false;
  }
  if (json) std::printf("\n]}\n");
  return 0;
}

}  // namespace hv::bench
