// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/vcpu.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <vector>

#include "vmm/failure.hpp"
#include "vmm/kvm.hpp"
#include "vmm/kvm_abi.hpp"
#include "vmm/vcpu_stats.hpp"

namespace hv::vmm {

namespace {

constexpr int kKickSignal = SIGUSR1;

void set_msr(int vcpu, uint32_t index, uint64_t value) {
  const std::vector<kvm_msr_entry> one{{.index = index, .reserved = 0, .data = value}};
  if (kvm_ioctl(vcpu, kSetMsrs, KvmList(one).data()) != 1)
    fail_errno("KVM_SET_MSRS " + std::to_string(index));
}

kvm_segment flat_segment(uint16_t selector, bool code) {
  kvm_segment segment{};
  segment.limit = 0xffffffff;
  segment.selector = selector;
  segment.type = code ? 11 : 3;
  segment.present = 1;
  segment.s = 1;
  segment.g = 1;
  segment.l = code ? 1 : 0;
  segment.db = code ? 0 : 1;
  return segment;
}

}  // namespace

void install_kick_signal() {
  struct sigaction action {};
  action.sa_handler = [](int) {};
  ::sigaction(kKickSignal, &action, nullptr);
}

Vcpu::Vcpu(int vm, uint32_t index, size_t run_size)
    : index_(index), fd_(kvm_ioctl(vm, KVM_CREATE_VCPU, index)), run_size_(run_size) {
  if (!fd_) fail_errno("KVM_CREATE_VCPU " + std::to_string(index));
  void* const mapped = ::mmap(nullptr, run_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), 0);
  if (mapped == MAP_FAILED) fail_errno("mapping vCPU " + std::to_string(index));
  run_ = static_cast<kvm_run*>(mapped);
}

Vcpu::~Vcpu() {
  stop();
  if (run_ != nullptr) ::munmap(run_, run_size_);
}

void Vcpu::enable_hyperv(const Kvm& kvm) {
  kvm_enable_cap capability{};
  capability.cap = KVM_CAP_HYPERV_SYNIC2;
  if (kvm_ioctl(fd_.get(), KVM_ENABLE_CAP, &capability) != 0) fail_errno("enabling HYPERV_SYNIC2");
  // Memory types on, write-back by default: without it Linux gives up on PAT.
  constexpr uint32_t kMtrrDefaultType = 0x2ff;
  constexpr uint64_t kEnabledWriteBack = 1u << 11 | 6;
  set_msr(fd_.get(), kMtrrDefaultType, kEnabledWriteBack);
  // As this machine has it: KVM refuses any other value to the guest, even what it reads there,
  // when it comes back from hibernation.
  constexpr uint32_t kAmdDecodeConfig = 0xc0011029;
  if (const std::optional<uint64_t> value = kvm.msr_feature(kAmdDecodeConfig))
    set_msr(fd_.get(), kAmdDecodeConfig, *value);
}

void Vcpu::set_entry(const boot::EntryState& entry) {
  kvm_sregs sregs{};
  if (kvm_ioctl(fd_.get(), KVM_GET_SREGS, &sregs) != 0) fail_errno("KVM_GET_SREGS");
  sregs.cs = flat_segment(boot::kCodeSelector, true);
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = flat_segment(boot::kDataSelector, false);
  sregs.gdt = {.base = entry.gdt_base, .limit = entry.gdt_limit, .padding = {}};
  sregs.idt = {.base = 0, .limit = 0, .padding = {}};
  constexpr uint64_t kProtected = 1u << 0, kExtension = 1u << 4, kPaging = 1u << 31;
  constexpr uint64_t kPhysicalAddressExtension = 1u << 5;
  constexpr uint64_t kLongModeEnable = 1u << 8, kLongModeActive = 1u << 10;
  sregs.cr0 = kProtected | kExtension | kPaging;
  sregs.cr3 = entry.cr3;
  sregs.cr4 = kPhysicalAddressExtension;
  sregs.efer = kLongModeEnable | kLongModeActive;
  if (kvm_ioctl(fd_.get(), KVM_SET_SREGS, &sregs) != 0) fail_errno("KVM_SET_SREGS");
  kvm_regs regs{};
  regs.rip = entry.rip;
  regs.rsi = entry.rsi;
  regs.rflags = 2;
  if (kvm_ioctl(fd_.get(), KVM_SET_REGS, &regs) != 0) fail_errno("KVM_SET_REGS");
}

void Vcpu::start(ExitHandler& handler) {
  stopping_ = false;
  finished_ = false;
  const std::lock_guard lock(thread_mutex_);
  thread_ = std::thread([this, &handler] {
    try {
      loop(handler);
    } catch (const std::exception& error) {
      handler.failed(index_, error.what());
    }
    finished_ = true;
  });
}

void Vcpu::kick() {
  run_->immediate_exit = 1;
  ::pthread_kill(thread_.native_handle(), kKickSignal);
}

void Vcpu::stop() {
  if (!thread_.joinable()) return;
  stopping_ = true;
  // A thread may be about to block in a write to a full pipe when the signal comes: ask until it
  // has heard.
  while (!finished_) {
    {
      const std::lock_guard lock(thread_mutex_);
      kick();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  const std::lock_guard lock(thread_mutex_);
  thread_.join();
}

void Vcpu::ask_for_visit() {
  visit_wanted_.store(true);
  const std::lock_guard lock(thread_mutex_);
  if (thread_.joinable()) kick();
}

void Vcpu::probe_stuck() {
  const std::lock_guard lock(thread_mutex_);
  if (!finished_) kick();
}

bool Vcpu::look_stuck() {
  kvm_mp_state state{};
  if (kvm_ioctl(fd_.get(), KVM_GET_MP_STATE, &state) != 0) return false;
  if (state.mp_state == KVM_MP_STATE_UNINITIALIZED) return true;
  return state.mp_state == KVM_MP_STATE_HALTED && run_->if_flag == 0;
}

void Vcpu::ask_for_look(uint32_t sint) {
  {
    const std::lock_guard lock(look_mutex_);
    asked_ = sint;
    look_.reset();
  }
  probe_stuck();
}

std::optional<VcpuLook> Vcpu::last_look() const {
  const std::lock_guard lock(look_mutex_);
  return look_;
}

/// Of its own thread, out of the guest.
void Vcpu::look_if_asked() {
  const std::lock_guard lock(look_mutex_);
  if (!asked_) return;
  constexpr uint32_t kMsrSint0 = 0x40000090;
  constexpr uint64_t kVector = 0xff, kMasked = uint64_t{1} << 16;
  constexpr size_t kInService = 0x100, kRequested = 0x200, kBetween = 0x10;
  const std::vector<kvm_msr_entry> one{{.index = kMsrSint0 + *asked_, .reserved = 0, .data = 0}};
  asked_.reset();
  KvmList sint(one);
  kvm_mp_state state{};
  kvm_lapic_state apic{};
  if (kvm_ioctl(fd_.get(), kGetMsrs, sint.data()) != 1 ||
      kvm_ioctl(fd_.get(), KVM_GET_MP_STATE, &state) != 0 ||
      kvm_ioctl(fd_.get(), KVM_GET_LAPIC, &apic) != 0)
    return;
  const uint64_t value = sint.entries().front().data;
  const auto bit = [&](size_t registers) {
    const size_t vector = value & kVector;
    uint32_t word;
    __builtin_memcpy(&word, apic.regs + registers + vector / 32 * kBetween, sizeof word);
    return (word >> (vector % 32) & 1) != 0;
  };
  look_ = VcpuLook{.halted = state.mp_state == KVM_MP_STATE_HALTED,
                   .interrupts_on = run_->if_flag != 0,
                   .masked = (value & kMasked) != 0,
                   .pending = bit(kRequested),
                   .in_service = bit(kInService)};
}

std::string Vcpu::where() const {
  kvm_regs regs{};
  kvm_sregs sregs{};
  kvm_mp_state state{};
  kvm_vcpu_events events{};
  if (kvm_ioctl(fd_.get(), KVM_GET_REGS, &regs) != 0 ||
      kvm_ioctl(fd_.get(), KVM_GET_SREGS, &sregs) != 0 ||
      kvm_ioctl(fd_.get(), KVM_GET_MP_STATE, &state) != 0 ||
      kvm_ioctl(fd_.get(), KVM_GET_VCPU_EVENTS, &events) != 0) {
    return fmt::format("CPU {}: its registers cannot be read", index_);
  }
  constexpr uint64_t kInterrupts = 1u << 9;
  const char* activity = state.mp_state == KVM_MP_STATE_HALTED          ? "halted"
                         : state.mp_state == KVM_MP_STATE_UNINITIALIZED ? "never started"
                                                                        : "runs";
  return fmt::format(
             "CPU {}: {}, interrupts {}, rip {:#x} rsp {:#x} rax {:#x} rcx {:#x} rdx {:#x} rdi "
             "{:#x} cs {:#x} cr2 {:#x} cr3 {:#x}{}",
             index_, activity, (regs.rflags & kInterrupts) != 0 ? "on" : "off", regs.rip, regs.rsp,
             regs.rax, regs.rcx, regs.rdx, regs.rdi, sregs.cs.selector, sregs.cr2, sregs.cr3,
             events.interrupt.injected != 0
                 ? fmt::format(", interrupt {:#x} not delivered", events.interrupt.nr)
                 : "") +
         "\n  " + vcpu_stats(fd_.get());
}

std::optional<std::pair<uint64_t, size_t>> Vcpu::stack() const {
  kvm_regs regs{};
  if (kvm_ioctl(fd_.get(), KVM_GET_REGS, &regs) != 0) return std::nullopt;
  kvm_translation translation{};
  translation.linear_address = regs.rsp & ~7ull;
  if (kvm_ioctl(fd_.get(), KVM_TRANSLATE, &translation) != 0 || translation.valid == 0)
    return std::nullopt;
  return std::pair{translation.physical_address, kPage - translation.physical_address % kPage};
}

void Vcpu::loop(ExitHandler& handler) {
  sigset_t kick_only;
  ::sigemptyset(&kick_only);
  ::sigaddset(&kick_only, kKickSignal);
  ::pthread_sigmask(SIG_UNBLOCK, &kick_only, nullptr);

  while (!stopping_.load(std::memory_order_relaxed)) {
    // Behind `immediate_exit = 0`, as ask_for_visit() asks before it kicks.
    if (visit_wanted_.exchange(false)) handler.visited(index_);
    const int result = ::ioctl(fd_.get(), KVM_RUN, 0);
    if (result != 0) {
      if (errno == EINTR || errno == EAGAIN) {
        run_->immediate_exit = 0;
        look_if_asked();
        stuck_.store(look_stuck(), std::memory_order_relaxed);
        kvm_sregs registers{};
        if (kvm_ioctl(fd_.get(), KVM_GET_SREGS, &registers) == 0 &&
            !handler.looked_at(index_, registers))
          return;
        continue;
      }
      run_->exit_reason = KVM_EXIT_UNKNOWN;
      run_->hw.hardware_exit_reason = static_cast<uint64_t>(errno);
      handler.other(index_, *run_);
      return;
    }
    stuck_.store(false, std::memory_order_relaxed);
    switch (run_->exit_reason) {
      case KVM_EXIT_IO:
        handler.port_io(*run_);
        break;
      case KVM_EXIT_MMIO:
        // Nothing is there: reads give all ones, writes are lost.
        if (run_->mmio.is_write == 0)
          __builtin_memset(run_->mmio.data, 0xff, sizeof run_->mmio.data);
        break;
      case KVM_EXIT_HYPERV:
        handler.hyperv(index_, *run_);
        break;
      case KVM_EXIT_X86_RDMSR:
        handler.read_msr(index_, *run_);
        break;
      case KVM_EXIT_X86_WRMSR:
        handler.write_msr(index_, *run_);
        break;
      case KVM_EXIT_INTR:
        break;
      default:
        if (!handler.other(index_, *run_)) return;
        break;
    }
  }
}

}  // namespace hv::vmm
