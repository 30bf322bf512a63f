// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/hostile/intent.hpp"
#include "host/netvsp/nics.hpp"
#include "host/storvsp/disks.hpp"
#include "vmm/cpuid.hpp"
#include "vmm/memory.hpp"

namespace hv::vmm {

/// All vCPUs stand still once.
struct PausePlan {
  std::chrono::seconds length{};
  std::chrono::seconds after{30};  ///< the start
};

/// What to do when the guest reports a crash.
enum class OnCrash : unsigned char {
  End,       ///< the run ends, status 12
  Continue,  ///< it is said; the guest goes on, to save a dump for example
};

struct RunOptions {
  std::string kernel;
  std::string initrd;
  std::string append = "console=ttyS0";
  uint32_t cpus = 1;
  uint64_t memory = 512 * kMiB;
  std::vector<host::storvsp::DiskSpec> disks;  ///< disks and DVDs, in the order given
  std::vector<host::netvsp::NicSpec> nics;     ///< in the order given
  std::string console;                         ///< "stdio", "none" or "file:PATH"
  std::optional<std::string> exec;
  bool exec_stdin = false;  ///< pass our standard input to the command
  std::string control;      ///< empty: no control socket
  std::string vmbus_version = "5.3";
  std::string storage_version = "6.2";
  std::string network_version = "6.1";
  uint16_t scsi_channels = 0;  ///< per controller; 0: as Hyper-V, one for four vCPUs
  Timers timers = Timers::Direct;
  bool monitor = false;                        ///< guests signal by the monitor page
  uint32_t timeout = 0;                        ///< seconds; 0: none
  std::optional<host::hostile::Plan> hostile;  ///< a host that lies
  std::vector<std::string> faults;             ///< as Faults::set takes them
  std::optional<PausePlan> pause;
  OnCrash on_crash = OnCrash::End;
  bool repeat_lost = true;  ///< interrupts that the guest has not taken are given again
  std::string json_events;  ///< empty: none
  bool verbose = false;
};

/// "128M", "2G", "2048M": bytes. Throws UsageFailure naming the text.
uint64_t parse_size(std::string_view text);

/// The NICs of all --net ("none": no NIC) with the port forwards of all --forward, which the first
/// of kind "user" gets. Throws UsageFailure.
std::vector<host::netvsp::NicSpec> parse_nics(const std::vector<std::string>& nets,
                                              const std::vector<std::string>& forwards);

/// "direct", "message", "message,arat" or "none".
Timers parse_timers(std::string_view text);

/// "PATH[,bus=scsi|ide][,ro][,lun=N][,controller=N][,name=NAME][,block_size=512|4096]". Throws
/// UsageFailure.
host::storvsp::DiskSpec parse_disk(std::string_view text, bool dvd);

/// "SECONDS[,after=SECONDS]". Throws UsageFailure.
PausePlan parse_pause(std::string_view text);

/// "SEED[,after=SECONDS][,rate=PER_MILLE]". Throws UsageFailure.
host::hostile::Plan parse_hostile(std::string_view text);

}  // namespace hv::vmm
