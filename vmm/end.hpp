// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>

#include "vmm/fd.hpp"

namespace hv::vmm {

/// How a run came to its end.
enum class EndReason : unsigned char {
  PowerOff,     ///< the guest powered off
  Reboot,       ///< the guest asked for a reset
  TripleFault,  ///< a vCPU shut down
  Astray,       ///< a vCPU's page tables are not in the guest's memory: it can run nothing any more
  Panic,        ///< the guest reported a crash
  Halted,       ///< no vCPU can ever run again
  TimedOut,     ///< --timeout
  Interrupted,  ///< a signal to this process
  Stopped,      ///< asked for at the console or over the control socket
  HostError,    ///< KVM or this program failed
};

struct End {
  EndReason reason;
  std::string detail;  ///< may be empty; one line
  int signal = 0;      ///< for Interrupted
};

/// The exit status of a run that ended so.
int exit_status(const End& end);

/// One line for people.
std::string describe(const End& end);

/// Where all threads report the end; the first report counts.
class EndBox {
 public:
  EndBox();

  void report(End end);
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  std::optional<End> get() const;

  /// Becomes readable when the end has come.
  int event() const { return event_.get(); }

 private:
  mutable std::mutex mutex_;
  std::optional<End> end_;
  std::atomic<bool> ended_{false};
  Fd event_;
};

}  // namespace hv::vmm
