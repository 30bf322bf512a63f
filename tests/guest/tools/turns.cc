// SPDX-License-Identifier: GPL-2.0-only OR MIT
// Lets a process run in turns and counts in them: for a guest that shares its machine with another
// one, each working while the other waits.
//   turns LABEL PID FILE FIELD TURNS
// PID is stopped. A turn: "@turn" on standard output, a line on standard input, then PID goes on,
// for kSettle before and kWindow while it is counted, and is stopped. Counted is what number FIELD
// (from 1) of FILE grows by. Says of each turn `@window LABEL RATE CPU_US`: per second, and how
// much all CPUs worked for each, interrupts included. Ends with status 1 when something is not
// there, or nothing was counted.
#include <signal.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kSettle = 50ms;
constexpr auto kWindow = 250ms;
constexpr uint64_t kTickUs = 10'000;  ///< of /proc/stat

struct Sample {
  uint64_t count = 0;
  uint64_t cpu_ticks = 0;
  Clock::time_point at{};
};

bool take(const char* file, unsigned field, Sample& out) {
  std::ifstream counter(file);
  for (unsigned i = 0; i < field; i++) counter >> out.count;
  std::ifstream stat("/proc/stat");
  std::string cpu;
  uint64_t user, nice, system, idle, iowait, irq, softirq;
  stat >> cpu >> user >> nice >> system >> idle >> iowait >> irq >> softirq;
  out.cpu_ticks = user + nice + system + irq + softirq;
  out.at = Clock::now();
  if (counter && stat) return true;
  std::fprintf(stderr, "turns: %s has no number %u\n", file, field);
  return false;
}

bool turn(const char* label, pid_t pid, const char* file, unsigned field) {
  std::puts("@turn");
  std::fflush(stdout);
  std::string line;
  if (!std::getline(std::cin, line)) return false;
  Sample first, last;
  if (kill(pid, SIGCONT) != 0) {
    std::perror("turns: the process");
    return false;
  }
  std::this_thread::sleep_for(kSettle);
  const bool begun = take(file, field, first);
  std::this_thread::sleep_for(kWindow);
  const bool ended = begun && take(file, field, last);
  kill(pid, SIGSTOP);
  if (!ended) return false;
  const uint64_t count = last.count - first.count;
  if (count == 0) {
    std::fprintf(stderr, "turns: %s: nothing was counted\n", label);
    return false;
  }
  const auto cpu_us = static_cast<double>((last.cpu_ticks - first.cpu_ticks) * kTickUs);
  const double seconds = std::chrono::duration<double>(last.at - first.at).count();
  std::printf("@window %s %.1f %.2f\n", label, static_cast<double>(count) / seconds,
              cpu_us / static_cast<double>(count));
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: turns LABEL PID FILE FIELD TURNS\n");
    return 2;
  }
  const auto pid = static_cast<pid_t>(std::atoi(argv[2]));
  const auto field = static_cast<unsigned>(std::atoi(argv[4]));
  if (pid < 2 || field < 1) {
    std::fprintf(stderr, "turns: PID '%s', FIELD '%s': give numbers\n", argv[2], argv[4]);
    return 2;
  }
  for (int left = std::atoi(argv[5]); left > 0; left--) {
    if (!turn(argv[1], pid, argv[3], field)) return 1;
  }
  return 0;
}
