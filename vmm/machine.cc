// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/machine.hpp"

#include <fmt/format.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "vmm/acpi/tables.hpp"
#include "vmm/boot/e820.hpp"
#include "vmm/crash_text.hpp"
#include "vmm/failure.hpp"

namespace hv::vmm {

namespace {

// Hypervisor Top-Level Functional Specification, "Hypercall Interface" and its appendices.
constexpr uint16_t kCallPostMessage = 0x5c;
constexpr uint16_t kCallSignalEvent = 0x5d;
constexpr uint64_t kCallFast = 1u << 16;
constexpr uint64_t kStatusSuccess = 0;
constexpr uint64_t kStatusInvalidCode = 2;
constexpr uint64_t kStatusInvalidInput = 3;
constexpr uint64_t kStatusInvalidAlignment = 4;
constexpr uint64_t kStatusInvalidParameter = 5;
constexpr uint64_t kStatusInvalidConnection = 18;

constexpr uint32_t kMsrCrashFirst = 0x40000100;  // P0 to P4, then CTL
constexpr uint32_t kMsrCrashControl = 0x40000105;
constexpr uint64_t kCrashNotify = uint64_t{1} << 63;
constexpr uint64_t kCrashMessage = uint64_t{1} << 62;

struct [[gnu::packed]] PostMessageInput {
  uint32_t connection_id;
  uint32_t reserved;
  uint32_t message_type;
  uint32_t payload_size;
};
static_assert(sizeof(PostMessageInput) == 16);

Fd make_vm(const Kvm& kvm) {
  const auto missing = kvm.missing();
  if (!missing.empty()) {
    std::string names;
    for (const std::string& name : missing) names += (names.empty() ? "" : ", ") + name;
    throw Failure("this machine's KVM lacks what a Hyper-V guest needs: " + names);
  }
  Fd vm = kvm.create_vm();
  // Where Intel's virtualization keeps four pages of its own: under the BIOS's place, away from
  // RAM.
  constexpr unsigned long kTaskState = 0xfffbd000;
  if (kvm.check(KVM_CAP_SET_TSS_ADDR) != 0 &&
      kvm_ioctl(vm.get(), KVM_SET_TSS_ADDR, kTaskState) != 0)
    fail_errno("KVM_SET_TSS_ADDR");
  if (kvm_ioctl(vm.get(), KVM_CREATE_IRQCHIP) != 0) fail_errno("KVM_CREATE_IRQCHIP");
  kvm_pit_config pit{};
  pit.flags = KVM_PIT_SPEAKER_DUMMY;
  if (kvm_ioctl(vm.get(), KVM_CREATE_PIT2, &pit) != 0) fail_errno("KVM_CREATE_PIT2");
  return vm;
}

}  // namespace

KvmMachine::KvmMachine(MachineConfig config, EndBox& end)
    : end_(end),
      memory_(config.memory),
      vm_(make_vm(kvm_)),
      retry_timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      router_(vm_.get()),
      devices_(router_, end, std::move(config.com1), std::move(config.com2)),
      synic_(config.vcpus, memory_, router_, *this, retry_timer_.get()),
      crashed_(std::move(config.crashed)) {
  if (!retry_timer_) fail_errno("timerfd_create");
  set_memory_regions();
  set_msr_filter();

  const auto tables = acpi::build_tables(boot::kFirmwareStart, config.vcpus, acpi::embedded_dsdt());
  if (tables.bytes.size() > boot::kHighRamStart - boot::kFirmwareStart ||
      !memory_.write(tables.address, tables.bytes)) {
    throw Failure("ACPI tables do not fit");
  }
  const boot::EntryState entry = boot::load_linux(config.boot, tables.rsdp, memory_);

  for (uint32_t i = 0; i < config.vcpus; ++i)
    vcpus_.push_back(std::make_unique<Vcpu>(vm_.get(), i, kvm_.run_size()));
  const CpuidTable cpuid(kvm_, vcpus_[0]->fd(), config.vcpus, config.timers);
  for (uint32_t i = 0; i < config.vcpus; ++i) {
    set_cpuid(vcpus_[i]->fd(), cpuid.for_vcpu(i));
    vcpus_[i]->enable_hyperv(kvm_);
  }
  vcpus_[0]->set_entry(entry);
}

KvmMachine::~KvmMachine() { stop(); }

void KvmMachine::set_memory_regions() {
  uint32_t slot = 0;
  for (const GuestMemory::Region& region : memory_.regions()) {
    kvm_userspace_memory_region to_kvm{};
    to_kvm.slot = slot++;
    to_kvm.guest_phys_addr = region.start;
    to_kvm.memory_size = region.size;
    to_kvm.userspace_addr = reinterpret_cast<uintptr_t>(region.host);
    if (kvm_ioctl(vm_.get(), KVM_SET_USER_MEMORY_REGION, &to_kvm) != 0)
      fail_errno("KVM_SET_USER_MEMORY_REGION");
  }
}

/// The crash registers come here: KVM keeps them itself, but does not offer the guest to send a
/// text along.
void KvmMachine::set_msr_filter() {
  kvm_enable_cap capability{};
  capability.cap = KVM_CAP_X86_USER_SPACE_MSR;
  capability.args[0] = KVM_MSR_EXIT_REASON_FILTER;
  if (kvm_.check(KVM_CAP_X86_USER_SPACE_MSR) == 0 || kvm_.check(KVM_CAP_X86_MSR_FILTER) == 0)
    return;
  if (kvm_ioctl(vm_.get(), KVM_ENABLE_CAP, &capability) != 0) return;
  uint8_t allowed_none = 0;
  kvm_msr_filter filter{};
  filter.flags = KVM_MSR_FILTER_DEFAULT_ALLOW;
  filter.ranges[0].flags = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
  filter.ranges[0].base = kMsrCrashFirst;
  filter.ranges[0].nmsrs = kMsrCrashControl - kMsrCrashFirst + 1;
  filter.ranges[0].bitmap = &allowed_none;
  if (kvm_ioctl(vm_.get(), KVM_X86_SET_MSR_FILTER, &filter) != 0)
    fail_errno("KVM_X86_SET_MSR_FILTER");
}

void KvmMachine::start() {
  for (const auto& vcpu : vcpus_) vcpu->start(*this);
}

void KvmMachine::stop() {
  for (const auto& vcpu : vcpus_) vcpu->stop();
  if (stopped_) return;
  stopped_ = true;
  devices_.tick();  // what the guest wrote last
  if (sink_ != nullptr) sink_->reset();
}

void KvmMachine::set_paused(bool paused) {
  if (paused == paused_) return;
  paused_ = paused;
  stuck_looks_ = 0;
  for (const auto& vcpu : vcpus_) {
    if (paused) {
      vcpu->stop();
    } else {
      vcpu->start(*this);
    }
  }
}

void KvmMachine::retry_messages() {
  uint64_t count;
  (void)!::read(retry_timer_.get(), &count, sizeof count);
  synic_.retry();
}

bool KvmMachine::looks_stuck() {
  const bool all =
      std::all_of(vcpus_.begin(), vcpus_.end(), [](const auto& vcpu) { return vcpu->stuck(); });
  stuck_looks_ = all ? stuck_looks_ + 1 : 0;
  for (const auto& vcpu : vcpus_) vcpu->probe_stuck();
  return stuck_looks_ >= 2;
}

std::string KvmMachine::watch() {
  constexpr int kLooks = 5;
  constexpr auto kBetween = std::chrono::milliseconds(100);
  std::string text;
  for (int look = 0; look < kLooks; look++) {
    for (const auto& vcpu : vcpus_) vcpu->stop();
    text += where();
    for (const auto& vcpu : vcpus_) vcpu->start(*this);
    std::this_thread::sleep_for(kBetween);
  }
  return text;
}

std::string KvmMachine::where() {
  // Linux has its text, and its modules behind it, in the last 2 GiB.
  constexpr uint64_t kKernelText = 0xffffffff80000000, kKernelEnd = 0xffffffffff000000;
  constexpr size_t kCallsMost = 16;
  std::string text;
  for (const auto& vcpu : vcpus_) {
    text += vcpu->where() + "\n";
    const auto stack = vcpu->stack();
    if (!stack) continue;
    size_t calls = 0;
    std::string line;
    const auto words = memory_.at(stack->first, stack->second);
    for (size_t at = 0; at + 8 <= words.size() && calls < kCallsMost; at += 8) {
      uint64_t word;
      __builtin_memcpy(&word, words.data() + at, sizeof word);
      if (word < kKernelText || word >= kKernelEnd) continue;
      line += fmt::format(" {:#x}", word);
      calls++;
    }
    if (calls != 0) text += "  stack:" + line + "\n";
  }
  return text;
}

std::optional<std::span<std::byte>> KvmMachine::memory(uint64_t gpa, size_t length) {
  const auto bytes = memory_.at(gpa, length);
  if (bytes.size() != length) return std::nullopt;
  return bytes;
}

std::unique_ptr<host::Mapping> KvmMachine::map_pages(std::span<const uint64_t> frames) {
  return memory_.map_frames(frames);
}

bool KvmMachine::post_message(uint32_t vp, uint32_t sint, uint32_t message_type,
                              std::span<const std::byte> payload) {
  return synic_.post_message(vp, sint, message_type, payload);
}

void KvmMachine::signal_event(uint32_t vp, uint32_t sint, uint32_t flag) {
  synic_.signal_event(vp, sint, flag);
}

bool KvmMachine::bind_signal(uint32_t connection_id, int event_fd) {
  const std::lock_guard lock(signals_mutex_);
  const auto known = std::find_if(signals_.begin(), signals_.end(),
                                  [&](const auto& entry) { return entry.first == connection_id; });
  kvm_hyperv_eventfd binding{};
  binding.conn_id = connection_id;
  if (event_fd < 0) {
    if (known == signals_.end()) return false;
    binding.fd = known->second;
    binding.flags = KVM_HYPERV_EVENTFD_DEASSIGN;
    signals_.erase(known);
    return kvm_ioctl(vm_.get(), KVM_HYPERV_EVENTFD, &binding) == 0;
  }
  if (known != signals_.end()) return false;
  binding.fd = event_fd;
  if (kvm_ioctl(vm_.get(), KVM_HYPERV_EVENTFD, &binding) != 0) return false;
  signals_.emplace_back(connection_id, event_fd);
  return true;
}

void KvmMachine::port_io(kvm_run& run) {
  auto* data = reinterpret_cast<std::byte*>(&run) + run.io.data_offset;
  for (uint32_t i = 0; i < run.io.count; ++i, data += run.io.size) {
    uint32_t value = 0;
    if (run.io.direction == KVM_EXIT_IO_OUT) {
      std::memcpy(&value, data, run.io.size);
      devices_.write(run.io.port, run.io.size, value);
    } else {
      value = devices_.read(run.io.port, run.io.size);
      std::memcpy(data, &value, run.io.size);
    }
  }
}

void KvmMachine::hyperv(uint32_t vp, kvm_run& run) {
  if (run.hyperv.type == KVM_EXIT_HYPERV_SYNIC) {
    synic_.registers_changed(vp, run.hyperv.u.synic.control, run.hyperv.u.synic.evt_page,
                             run.hyperv.u.synic.msg_page);
  } else if (run.hyperv.type == KVM_EXIT_HYPERV_HCALL) {
    run.hyperv.u.hcall.result = hypercall(run.hyperv.u.hcall.input, run.hyperv.u.hcall.params[0]);
  }
}

uint64_t KvmMachine::hypercall(uint64_t control, uint64_t input) {
  const bool fast = (control & kCallFast) != 0;
  switch (static_cast<uint16_t>(control)) {
    case kCallPostMessage:
      return fast ? kStatusInvalidInput : post_from_guest(input);
    case kCallSignalEvent:
      return kStatusInvalidConnection;  // KVM knows all that are bound
    default:
      return kStatusInvalidCode;
  }
}

uint64_t KvmMachine::post_from_guest(uint64_t input) {
  constexpr uint64_t kAlignment = 8;
  constexpr size_t kMost = sizeof(PostMessageInput) + Synic::kPayloadMost;
  if (input % kAlignment != 0) return kStatusInvalidAlignment;
  std::array<std::byte, kMost> copy;
  const size_t available = std::min<uint64_t>(kMost, kPage - input % kPage);
  if (available < sizeof(PostMessageInput) ||
      !memory_.read(input, std::span(copy).first(available)))
    return kStatusInvalidParameter;
  PostMessageInput header;
  std::memcpy(&header, copy.data(), sizeof header);
  if (header.payload_size > available - sizeof header) return kStatusInvalidParameter;
  const auto payload = std::span<const std::byte>(copy).subspan(sizeof header, header.payload_size);
  const bool known = sink_ != nullptr &&
                     sink_->message_from_guest(header.connection_id, header.message_type, payload);
  return known ? kStatusSuccess : kStatusInvalidConnection;
}

void KvmMachine::read_msr(uint32_t, kvm_run& run) {
  run.msr.error = 0;
  if (run.msr.index == kMsrCrashControl) {
    run.msr.data = kCrashNotify | kCrashMessage;
  } else if (run.msr.index >= kMsrCrashFirst && run.msr.index < kMsrCrashControl) {
    const std::lock_guard lock(crash_mutex_);
    run.msr.data = crash_[run.msr.index - kMsrCrashFirst];
  } else {
    run.msr.error = 1;
  }
}

void KvmMachine::write_msr(uint32_t, kvm_run& run) {
  run.msr.error = 0;
  if (run.msr.index == kMsrCrashControl) {
    const std::lock_guard lock(crash_mutex_);
    if ((run.msr.data & kCrashNotify) == 0) return;
    std::string text;
    // P3 and P4 are address and length of a text, if the guest says so.
    if ((run.msr.data & kCrashMessage) != 0) text = crash_text(memory_, crash_[3], crash_[4]);
    crashed_(text.empty() ? crash_registers(crash_) : text);
  } else if (run.msr.index >= kMsrCrashFirst && run.msr.index < kMsrCrashControl) {
    const std::lock_guard lock(crash_mutex_);
    crash_[run.msr.index - kMsrCrashFirst] = run.msr.data;
  } else {
    run.msr.error = 1;
  }
}

bool KvmMachine::other(uint32_t vp, kvm_run& run) {
  const std::string where = "vCPU " + std::to_string(vp);
  switch (run.exit_reason) {
    case KVM_EXIT_SHUTDOWN:
      end_.report({EndReason::TripleFault, where, 0});
      return false;
    case KVM_EXIT_SYSTEM_EVENT:
      switch (run.system_event.type) {
        case KVM_SYSTEM_EVENT_SHUTDOWN:
          end_.report({EndReason::PowerOff, "", 0});
          return false;
        case KVM_SYSTEM_EVENT_RESET:
          end_.report({EndReason::Reboot, "", 0});
          return false;
        case KVM_SYSTEM_EVENT_CRASH:
          end_.report({EndReason::Panic, "", 0});
          return false;
        default:
          return true;
      }
    case KVM_EXIT_INTERNAL_ERROR:
      end_.report(
          {EndReason::HostError,
           where + ": KVM internal error, suberror " + std::to_string(run.internal.suberror) +
               (run.internal.suberror == KVM_INTERNAL_ERROR_EMULATION ? " (emulation failure)"
                                                                      : ""),
           0});
      return false;
    case KVM_EXIT_FAIL_ENTRY:
      end_.report({EndReason::HostError,
                   where + ": the processor refused to enter the guest, reason " +
                       std::to_string(run.fail_entry.hardware_entry_failure_reason),
                   0});
      return false;
    case KVM_EXIT_UNKNOWN:
      end_.report(
          {EndReason::HostError,
           where + ": KVM_RUN failed, reason " + std::to_string(run.hw.hardware_exit_reason), 0});
      return false;
    default:
      end_.report({EndReason::HostError,
                   where + ": unexpected exit " + std::to_string(run.exit_reason), 0});
      return false;
  }
}

/// Whoever emulates the processor under KVM may mix up the guest's state and its host's
/// (lab/README.md). Such a vCPU faults for ever: the guest seems to hang.
bool KvmMachine::looked_at(uint32_t vp, const kvm_sregs& registers) {
  if (memory_.holds_tables(registers.cr0, registers.cr3)) return true;
  end_.report(
      {EndReason::Astray,
       fmt::format("vCPU {}: CR3 is {:#x}, where the guest has no memory", vp, registers.cr3), 0});
  return false;
}

void KvmMachine::failed(uint32_t vp, const char* what) {
  end_.report({EndReason::HostError, "vCPU " + std::to_string(vp) + ": " + what, 0});
}

}  // namespace hv::vmm
