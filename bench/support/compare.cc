// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "bench/support/compare.hpp"

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace hv::bench {
namespace {

struct Arguments {
  bool json = false;
  Effort effort;
  std::string filter;
  unsigned count = 0;  ///< not 0: only do so many operations
};

double now_ns() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double time_ns(const Work& work, unsigned count) {
  const double begin = now_ns();
  work(count);
  return now_ns() - begin;
}

/// So many operations that they take about `slice_ns`.
unsigned calibrate(const Work& work, double slice_ns) {
  unsigned count = 64;
  while (true) {
    // The best of three: a pause of ours in the middle must not make the slices short.
    const double took =
        std::min({time_ns(work, count), time_ns(work, count), time_ns(work, count)});
    if (took >= slice_ns / 4 || count > (1u << 28))
      return std::max(64u, static_cast<unsigned>(count * std::min(slice_ns / took, 8.0)));
    count *= 2;
  }
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

[[noreturn]] void usage(const char* program, const std::string& wrong) {
  std::fprintf(stderr,
               "%s: %s\nusage: %s [--json] [--pairs N] [--slices N] [--slice MS] [--filter TEXT] "
               "[--count N]\n",
               program, wrong.c_str(), program);
  std::exit(2);
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; i++) {
    const std::string option = argv[i];
    if (option == "--json") {
      arguments.json = true;
      continue;
    }
    if (i + 1 == argc) usage(argv[0], "unknown option, or one without its value: " + option);
    const char* const value = argv[++i];
    if (option == "--filter") {
      arguments.filter = value;
    } else if (option == "--slice") {
      arguments.effort.slice_ms = std::strtod(value, nullptr);
      if (!(arguments.effort.slice_ms > 0)) usage(argv[0], "--slice: give milliseconds above 0");
    } else {
      unsigned* const number = option == "--pairs"    ? &arguments.effort.pairs
                               : option == "--slices" ? &arguments.effort.slices
                               : option == "--count"  ? &arguments.count
                                                      : nullptr;
      if (!number) usage(argv[0], "unknown option " + option);
      *number = static_cast<unsigned>(std::strtoul(value, nullptr, 10));
      if (*number == 0) usage(argv[0], option + ": give a number above 0");
    }
  }
  return arguments;
}

void print_heading(const Arguments& arguments, const char* title, const char* a) {
  const auto& effort = arguments.effort;
  if (arguments.json) {
    std::printf("{\"title\": \"%s\", \"a\": \"%s\", \"pairs\": %u, \"slices\": %u, \"cases\": [",
                title, a, effort.pairs, effort.slices);
    return;
  }
  std::printf(
      "%s\nA: %s\n%u pairs A B A B, each the best of %u slices; ns of CPU time; ratio = B/A, above "
      "1 A is faster: the "
      "median, and the lowest and highest pair\n\n",
      title, a, effort.pairs, effort.slices);
  std::printf("%-26s %-34s %9s %9s %7s  %s\n", "", "B", "A ns", "B ns", "ratio", "lowest-highest");
}

void print(const Arguments& arguments, const Case& which, const Outcome& outcome, bool first) {
  if (arguments.json) {
    std::printf(
        "%s\n  {\"name\": \"%s\", \"b\": \"%s\", \"unit\": \"%s\", \"a_ns\": %.2f, \"b_ns\": %.2f, "
        "\"ratio\": %.4f, "
        "\"ratio_low\": %.4f, "
        "\"ratio_high\": %.4f}",
        first ? "" : ",", which.name.c_str(), which.against.c_str(), which.unit.c_str(),
        outcome.a_ns, outcome.b_ns, outcome.ratio, outcome.ratio_low, outcome.ratio_high);
  } else {
    std::printf("%-26s %-34s %9.1f %9.1f %7.2f  %.2f-%.2f   per %s\n", which.name.c_str(),
                which.against.c_str(), outcome.a_ns, outcome.b_ns, outcome.ratio, outcome.ratio_low,
                outcome.ratio_high, which.unit.c_str());
  }
  std::fflush(stdout);
}

}  // namespace

Outcome compare(const Case& which, const Effort& effort) {
  const unsigned a_count = calibrate(which.a, effort.slice_ms * 1e6);
  const unsigned b_count = calibrate(which.b, effort.slice_ms * 1e6);
  std::vector<double> a, b, ratios;
  for (unsigned pair = 0; pair < effort.pairs; pair++) {
    double best_a = 0, best_b = 0;
    for (unsigned slice = 0; slice < effort.slices; slice++) {
      const double took_a = time_ns(which.a, a_count) / a_count;
      const double took_b = time_ns(which.b, b_count) / b_count;
      best_a = slice == 0 ? took_a : std::min(best_a, took_a);
      best_b = slice == 0 ? took_b : std::min(best_b, took_b);
    }
    a.push_back(best_a);
    b.push_back(best_b);
    ratios.push_back(best_b / best_a);
  }
  const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  return {median(a), median(b), median(ratios), *low, *high};
}

int run(int argc, char** argv, const char* title, const char* a, const std::vector<Case>& cases) {
  const Arguments arguments = parse(argc, argv);
  if (arguments.count == 0) print_heading(arguments, title, a);
  bool first = true;
  for (const auto& which : cases) {
    if (which.name.find(arguments.filter) == std::string::npos) continue;
    if (arguments.count != 0) {
      which.a(arguments.count);
      continue;
    }
    print(arguments, which, compare(which, arguments.effort), first);
    first = false;
  }
  if (arguments.json && arguments.count == 0) std::printf("\n]}\n");
  return 0;
}

}  // namespace hv::bench
