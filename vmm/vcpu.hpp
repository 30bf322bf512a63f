// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <linux/kvm.h>
#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "vmm/boot/loader.hpp"
#include "vmm/cpuid.hpp"
#include "vmm/fd.hpp"
#include "vmm/vcpu_look.hpp"

namespace hv::vmm {

class Kvm;

/// What a vCPU's thread asks of the machine at an exit. Called on the vCPU's thread.
class ExitHandler {
 public:
  virtual ~ExitHandler() = default;
  virtual void port_io(kvm_run& run) = 0;
  virtual void hyperv(uint32_t vp, kvm_run& run) = 0;
  virtual void read_msr(uint32_t vp, kvm_run& run) = 0;
  virtual void write_msr(uint32_t vp, kvm_run& run) = 0;
  /// Any other exit: what it means for the machine. The vCPU stops if false.
  virtual bool other(uint32_t vp, kvm_run& run) = 0;
  /// Vcpu::ask_for_visit() was called.
  virtual void visited(uint32_t vp) = 0;
  /// The vCPU was taken out of the guest to be looked at; these are its registers. The vCPU stops
  /// if false.
  virtual bool looked_at(uint32_t vp, const kvm_sregs& registers) = 0;
  /// A handler threw; the vCPU stops.
  virtual void failed(uint32_t vp, const char* what) = 0;
};

/// One virtual processor and its thread.
class Vcpu {
 public:
  /// Creates it in `vm` (in-kernel interrupt controllers exist already). Throws Failure.
  Vcpu(int vm, uint32_t index, size_t run_size);
  ~Vcpu();
  Vcpu(const Vcpu&) = delete;
  Vcpu& operator=(const Vcpu&) = delete;

  int fd() const { return fd_.get(); }
  kvm_run& run() { return *run_; }

  /// Turns on the SynIC, sets the registers that firmware would. After set_cpuid(). Throws Failure.
  void enable_hyperv(const Kvm& kvm);
  /// Makes this the boot processor, to start at `entry`. The others wait for INIT and SIPI. Throws
  /// Failure.
  void set_entry(const boot::EntryState& entry);

  /// Starts the thread, again after stop(). Signals are expected to be blocked in the caller.
  void start(ExitHandler& handler);
  /// Asks the thread to end and waits for it.
  void stop();

  /// Takes the thread out of the guest, to call ExitHandler::visited(); if it does not run, when it
  /// is started. Any thread.
  void ask_for_visit();

  /// Makes the thread show its registers to the handler, and look whether its vCPU is halted for
  /// good (with interrupts off, or never started); stuck() is the answer of the last look.
  void probe_stuck();
  bool stuck() const { return stuck_.load(std::memory_order_relaxed); }

  /// Takes it out of the guest to see what it does, and where the interrupt of `sint` is.
  void ask_for_look(uint32_t sint);
  /// What was seen since the last call of ask_for_look().
  std::optional<VcpuLook> last_look() const;

  /// Where a stopped vCPU was, for a report of a hang: its registers that matter, and in a second
  /// line what KVM has counted.
  std::string where() const;
  /// The physical address of the top of a stopped vCPU's stack, and the bytes left in that page;
  /// none if it is not mapped.
  std::optional<std::pair<uint64_t, size_t>> stack() const;

 private:
  void loop(ExitHandler& handler);
  void kick();  ///< with thread_mutex_, and a thread
  bool look_stuck();
  void look_if_asked();

  uint32_t index_;
  Fd fd_;
  kvm_run* run_ = nullptr;
  size_t run_size_;
  std::mutex thread_mutex_;  ///< held where thread_ begins and ends
  std::thread thread_;
  std::atomic<bool> visit_wanted_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> finished_{true};
  std::atomic<bool> stuck_{false};
  mutable std::mutex look_mutex_;
  std::optional<uint32_t> asked_;  ///< the SINT
  std::optional<VcpuLook> look_;
};

/// Installs the empty handler of the signal that takes vCPU threads out of the guest. Once per
/// process.
void install_kick_signal();

}  // namespace hv::vmm
