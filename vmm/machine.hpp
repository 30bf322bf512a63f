// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/machine.hpp"
#include "vmm/boot/loader.hpp"
#include "vmm/devices.hpp"
#include "vmm/end.hpp"
#include "vmm/irq_router.hpp"
#include "vmm/kvm.hpp"
#include "vmm/memory.hpp"
#include "vmm/synic.hpp"
#include "vmm/vcpu.hpp"

namespace hv::vmm {

inline constexpr uint32_t kVcpusMost = 16;

struct MachineConfig {
  uint32_t vcpus = 1;
  uint64_t memory = 512 * kMiB;
  Timers timers = Timers::Direct;
  boot::BootFiles boot;
  serial::Uart::Callbacks com1;
  serial::Uart::Callbacks com2;
  std::function<void(const std::string& text)>
      crashed;  ///< the guest reported a crash by its registers; a vCPU's thread
};

/// The KVM machine: vCPUs, memory, interrupt controllers, boot, and the SynIC for the Hyper-V
/// devices. Order of use: construct, set_sink(), start(), wait for the EndBox, stop().
class KvmMachine final : public host::Machine,
                         public VcpuLooker,
                         private ExitHandler,
                         private VpThreads {
 public:
  /// Builds the machine and loads what is to be booted. Throws Failure.
  KvmMachine(MachineConfig config, EndBox& end);
  ~KvmMachine() override;

  /// Who gets the guest's messages; outlives the vCPUs' threads. Before start().
  void set_sink(host::MessageSink* sink) { sink_ = sink; }

  void start();
  /// Ends the vCPUs' threads and tells the sink that it is over. Any number of times.
  void stop();

  Devices& devices() { return devices_; }

  /// To be watched for reading by the event loop, which then calls retry_messages().
  int retry_event() const { return retry_timer_.get(); }
  void retry_messages();
  Synic& synic() { return synic_; }

  // VcpuLooker
  void ask_for_look(uint32_t vp, uint32_t sint) override { vcpus_.at(vp)->ask_for_look(sint); }
  std::optional<VcpuLook> look(uint32_t vp) override { return vcpus_.at(vp)->last_look(); }

  /// The vCPUs stand still, or go on; all else does. The thread of start() and stop().
  void set_paused(bool paused);
  bool paused() const { return paused_; }

  /// True when all vCPUs were halted for good at the last two calls; calls are some seconds apart.
  bool looks_stuck();

  /// Of a running machine: where each vCPU is, as where() says it, several times within half a
  /// second, with the vCPUs going on in between: whether they do anything, and what.
  std::string watch();
  /// Of a stopped machine: where each vCPU was and what on its stack looks like code of the kernel,
  /// a line each.
  std::string where();

  // host::Machine
  uint32_t vp_count() const override { return static_cast<uint32_t>(vcpus_.size()); }
  std::optional<std::span<std::byte>> memory(uint64_t gpa, size_t length) override;
  std::unique_ptr<host::Mapping> map_pages(std::span<const uint64_t> frames) override;
  bool post_message(uint32_t vp, uint32_t sint, uint32_t message_type,
                    std::span<const std::byte> payload) override;
  void drop_messages() override { synic_.drop_messages(); }
  void signal_event(uint32_t vp, uint32_t sint, uint32_t flag) override;
  bool bind_signal(uint32_t connection_id, int event_fd) override;

 private:
  void set_memory_regions();
  void set_msr_filter();
  void port_io(kvm_run& run) override;
  void hyperv(uint32_t vp, kvm_run& run) override;
  void read_msr(uint32_t vp, kvm_run& run) override;
  void write_msr(uint32_t vp, kvm_run& run) override;
  bool other(uint32_t vp, kvm_run& run) override;
  void visited(uint32_t vp) override { synic_.visit(vp); }
  void ask_for_visit(uint32_t vp) override { vcpus_[vp]->ask_for_visit(); }
  bool looked_at(uint32_t vp, const kvm_sregs& registers) override;
  void failed(uint32_t vp, const char* what) override;
  uint64_t hypercall(uint64_t control, uint64_t input);
  uint64_t post_from_guest(uint64_t input);

  EndBox& end_;
  Kvm kvm_;
  GuestMemory memory_;
  Fd vm_;
  Fd retry_timer_;
  IrqRouter router_;
  Devices devices_;
  Synic synic_;
  host::MessageSink* sink_ = nullptr;
  std::vector<std::unique_ptr<Vcpu>> vcpus_;
  bool stopped_ = false;
  bool paused_ = false;
  uint32_t stuck_looks_ = 0;

  std::mutex signals_mutex_;
  std::vector<std::pair<uint32_t, int>>
      signals_;  ///< connection id and eventfd, for taking it away again

  std::function<void(const std::string& text)> crashed_;
  std::mutex crash_mutex_;
  std::array<uint64_t, 5> crash_{};  ///< HV_X64_MSR_CRASH_P0..P4
};

}  // namespace hv::vmm
