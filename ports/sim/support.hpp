// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/wire/vmbus.hpp"

namespace hv::sim {

/// splitmix64: the whole run follows from its seed, on every machine.
class Rng {
 public:
  explicit Rng(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  /// 0..n-1; n is at least 1.
  uint32_t below(uint32_t n) { return static_cast<uint32_t>((next() >> 32) * n >> 32); }
  bool chance(uint32_t per_mille) { return below(1000) < per_mille; }

 private:
  uint64_t state_;
};

/// What happened, line by line. Always hashed (the same seed gives the same hash), printed when
/// asked for.
class Log {
 public:
  explicit Log(bool print) : print_(print) {}
  [[gnu::format(printf, 2, 3)]] void operator()(const char* format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = std::vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length > static_cast<int>(sizeof(text)) - 1) length = sizeof(text) - 1;
    for (int i = 0; i < length; i++)
      hash_ = (hash_ ^ static_cast<unsigned char>(text[i])) * 0x100000001b3u;
    lines_++;
    if (print_) std::printf("%6llu %s\n", static_cast<unsigned long long>(lines_), text);
  }
  uint64_t hash() const { return hash_; }

 private:
  bool print_;
  uint64_t hash_ = 0xcbf29ce484222325u;
  uint64_t lines_ = 0;
};

/// An oracle said no.
struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
[[noreturn]] inline void fail(const std::string& what) { throw Failure(what); }

/// How the guest's life ends.
enum class End { Unload, Suspend, Kexec, Crash };

/// What kind of world a seed makes.
struct Profile {
  bool hostile = false;       ///< the host drops, repeats, changes and invents messages, and writes
                              ///< nonsense into rings
  bool slow = false;          ///< the host is honest, and may be slower than every time limit
  bool alloc_faults = false;  ///< the guest's allocations may fail
  bool post_faults = false;   ///< HvCallPostMessage may fail for good
  bool isolated = false;      ///< a confidential VM
  bool hotplug = false;       ///< CPUs go and come, channels move
  wire::vmbus::Version host_max = wire::vmbus::Version::V5_3;
  wire::vmbus::Version guest_max = wire::vmbus::Version::V5_3;
  unsigned cpus = 2;
  unsigned devices = 2;
  unsigned sub_channels = 0;
  bool network = false;      ///< the first device is a network adapter
  unsigned host_events = 4;  ///< hot adds and rescinds
  End end = End::Unload;
  /// Nothing may fail: every oracle holds.
  bool strict() const { return !hostile && !slow && !post_faults; }
  static Profile from(Rng& rng);
};

/// One thing that could happen now.
struct Choice {
  enum Kind : uint8_t {
    HostHandles,
    HostDelivers,
    HostServes,
    HostFrames,
    HostEvent,
    MessageInterrupt,
    EventInterrupt,
    Work,
    PostBegin,
    PostEnd,
    EventStep,
    DriverStep,
    DriverSignal,
    Tasklet,
    Hotplug,
    Rebind,
    Main,
    Tick,
  };
  Kind kind;
  uint16_t index;
};
using Choices = std::vector<Choice>;

}  // namespace hv::sim
