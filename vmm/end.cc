// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/end.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "vmm/failure.hpp"

namespace hv::vmm {

int exit_status(const End& end) {
  switch (end.reason) {
    case EndReason::PowerOff:
    case EndReason::Stopped:
      return 0;
    case EndReason::Reboot:
      return 10;
    case EndReason::TripleFault:
    case EndReason::Astray:
      return 11;
    case EndReason::Panic:
      return 12;
    case EndReason::Halted:
    case EndReason::TimedOut:
      return 124;
    case EndReason::Interrupted:
      return 128 + end.signal;
    case EndReason::HostError:
      return 1;
  }
  return 1;
}

std::string describe(const End& end) {
  const std::string tail = end.detail.empty() ? "" : ": " + end.detail;
  switch (end.reason) {
    case EndReason::PowerOff:
      return "the guest powered off" + tail;
    case EndReason::Reboot:
      return "the guest asked for a reboot" + tail;
    case EndReason::TripleFault:
      return "the guest died of a triple fault" + tail;
    case EndReason::Astray:
      return "a vCPU has gone astray" + tail;
    case EndReason::Panic:
      return "the guest panicked" + tail;
    case EndReason::Halted:
      return "the guest hangs: every vCPU is halted with interrupts off" + tail;
    case EndReason::TimedOut:
      return "the guest hangs or is too slow: time limit reached" + tail;
    case EndReason::Interrupted:
      return "interrupted by signal " + std::to_string(end.signal) + tail;
    case EndReason::Stopped:
      return "the machine was stopped" + tail;
    case EndReason::HostError:
      return "the machine failed" + tail;
  }
  return "ended";
}

EndBox::EndBox() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) fail_errno("eventfd");
}

void EndBox::report(End end) {
  {
    const std::lock_guard lock(mutex_);
    if (end_) return;
    end_ = std::move(end);
    ended_.store(true, std::memory_order_release);
  }
  const uint64_t one = 1;
  (void)!::write(event_.get(), &one, sizeof one);
}

std::optional<End> EndBox::get() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

}  // namespace hv::vmm
