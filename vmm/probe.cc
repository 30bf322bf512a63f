// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/probe.hpp"

#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "vmm/boot/long_mode.hpp"
#include "vmm/cpuid.hpp"
#include "vmm/failure.hpp"
#include "vmm/irq_router.hpp"
#include "vmm/kvm.hpp"
#include "vmm/memory.hpp"
#include "vmm/vcpu.hpp"

namespace hv::vmm {

namespace {

constexpr uint16_t kPort = 0xe0;      // OUT and IN of one byte
constexpr uint16_t kTextPort = 0xe1;  // REP OUTSB
constexpr uint16_t kResultPort =
    0xe2;  // OUT of four bytes: CPUID's EBX, then the VP index, then kDone
constexpr uint64_t kMmioAddress = 0xd0000000;
constexpr uint32_t kDone = 0x600d600d;
constexpr uint64_t kCodeAddress = 0x10000;
constexpr uint64_t kTextAddress = 0x11000;

// What the guest runs, in long mode. Each line is one instruction.
constexpr std::array<uint8_t, 74> kCode{
    0xb0, 0x5a,                    // mov   al, 0x5a
    0xe6, 0xe0,                    // out   0xe0, al
    0xe4, 0xe0,                    // in    al, 0xe0
    0xbf, 0x00, 0x00, 0x00, 0xd0,  // mov   edi, 0xd0000000
    0x88, 0x07,                    // mov   [rdi], al
    0xbe, 0x00, 0x10, 0x01, 0x00,  // mov   esi, 0x11000
    0xb9, 0x04, 0x00, 0x00, 0x00,  // mov   ecx, 4
    0xba, 0xe1, 0x00, 0x00, 0x00,  // mov   edx, 0xe1
    0xfc,                          // cld
    0xf3, 0x6e,                    // rep   outsb
    0xb8, 0x00, 0x00, 0x00, 0x40,  // mov   eax, 0x40000000
    0x31, 0xc9,                    // xor   ecx, ecx
    0x0f, 0xa2,                    // cpuid
    0x89, 0xd8,                    // mov   eax, ebx
    0xe7, 0xe2,                    // out   0xe2, eax
    0xb9, 0x02, 0x00, 0x00, 0x40,  // mov   ecx, 0x40000002
    0x0f, 0x32,                    // rdmsr
    0xe7, 0xe2,                    // out   0xe2, eax
    0xb9, 0x00, 0x00, 0x00, 0x40,  // mov   ecx, 0x40000000
    0x31, 0xd2,                    // xor   edx, edx
    0x0f, 0x30,                    // wrmsr
    0xb8, 0x0d, 0x60, 0x0d, 0x60,  // mov   eax, 0x600d600d
    0xe7, 0xe2,                    // out   0xe2, eax
    0xf4,                          // hlt
};
constexpr std::array<char, 4> kText{'k', 'v', 'm', '!'};

/// What the guest was seen to do.
struct Seen {
  bool port_write = false;
  bool port_read = false;
  bool mmio_write = false;
  bool string_out = false;
  bool cpuid = false;
  bool hyperv_msr = false;
  bool done = false;
};

std::string text_of_exit(const kvm_run& run) {
  if (run.exit_reason == KVM_EXIT_INTERNAL_ERROR &&
      run.internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
    return "KVM could not emulate an instruction";
  if (run.exit_reason == KVM_EXIT_SHUTDOWN) return "the guest died of a triple fault";
  return "unexpected exit " + std::to_string(run.exit_reason);
}

void take_port(kvm_run& run, Seen& seen, uint32_t& results) {
  auto* const data = reinterpret_cast<std::byte*>(&run) + run.io.data_offset;
  const bool out = run.io.direction == KVM_EXIT_IO_OUT;
  if (run.io.port == kPort && out) seen.port_write = data[0] == std::byte{0x5a};
  if (run.io.port == kPort && !out) {
    data[0] = std::byte{0xa5};
    seen.port_read = true;
  }
  if (run.io.port == kTextPort && out) {
    // All at once or byte by byte: the last byte tells.
    const size_t bytes = size_t{run.io.count} * run.io.size;
    seen.string_out = bytes > 0 && data[bytes - 1] == static_cast<std::byte>(kText.back());
  }
  if (run.io.port == kResultPort && out && run.io.size == 4) {
    uint32_t value;
    std::memcpy(&value, data, sizeof value);
    if (results == 0) seen.cpuid = std::memcmp(&value, "Micr", 4) == 0;
    if (results == 1) seen.hyperv_msr = value == 0;
    if (value == kDone) seen.done = true;
    ++results;
  }
}

/// Runs kCode to its end. Returns why it did not get there, or nothing.
std::string run_guest(const Kvm& kvm, Seen& seen) {
  const GuestMemory memory(GuestMemory::kLeast);
  const Fd vm = kvm.create_vm();
  if (kvm.check(KVM_CAP_SET_TSS_ADDR) != 0)
    (void)kvm_ioctl(vm.get(), KVM_SET_TSS_ADDR, 0xfffbd000UL);
  if (kvm_ioctl(vm.get(), KVM_CREATE_IRQCHIP) != 0) return "no in-kernel interrupt controller";
  kvm_userspace_memory_region region{};
  region.memory_size = memory.size();
  region.userspace_addr = reinterpret_cast<uintptr_t>(memory.regions()[0].host);
  if (kvm_ioctl(vm.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0) return "no guest memory";
  memory.write(kCodeAddress, std::as_bytes(std::span(kCode)));
  memory.write(kTextAddress, std::as_bytes(std::span(kText)));

  Vcpu vcpu(vm.get(), 0, kvm.run_size());
  set_cpuid(vcpu.fd(), CpuidTable(kvm, vcpu.fd(), 1, Timers::Direct).for_vcpu(0));
  vcpu.enable_hyperv(kvm);
  vcpu.set_entry(boot::enter_long_mode(memory, kCodeAddress, 0));

  // A guest that neither ends nor leaves is taken out after a while.
  constexpr auto kLimit = std::chrono::seconds(10);
  std::atomic<bool> finished{false};
  const pthread_t self = ::pthread_self();
  std::thread watchdog([&] {
    const auto start = std::chrono::steady_clock::now();
    while (!finished) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      if (std::chrono::steady_clock::now() - start < kLimit) continue;
      vcpu.run().immediate_exit = 1;
      if (!finished) ::pthread_kill(self, SIGUSR1);
    }
  });
  std::string why;
  uint32_t results = 0;
  while (why.empty() && !seen.done) {
    kvm_run& run = vcpu.run();
    if (::ioctl(vcpu.fd(), KVM_RUN, 0) != 0) {
      why = errno == EINTR ? "a small guest program did not end in time"
                           : std::string("KVM_RUN: ") + std::strerror(errno);
    } else if (run.exit_reason == KVM_EXIT_IO) {
      take_port(run, seen, results);
    } else if (run.exit_reason == KVM_EXIT_MMIO) {
      if (run.mmio.phys_addr == kMmioAddress && run.mmio.is_write != 0)
        seen.mmio_write = run.mmio.data[0] == 0xa5;
    } else {
      why = text_of_exit(run);
    }
  }
  finished = true;
  watchdog.join();
  return why;
}

std::string first_not_seen(const Seen& seen) {
  if (!seen.port_write || !seen.port_read) return "port I/O in the guest went wrong";
  if (!seen.mmio_write) return "an MMIO write in the guest went wrong";
  if (!seen.string_out) return "REP OUTSB in the guest went wrong";
  if (!seen.cpuid) return "the guest does not see the Hyper-V CPUID leaves";
  if (!seen.hyperv_msr) return "a Hyper-V MSR read in the guest went wrong";
  return {};
}

}  // namespace

int probe() {
  install_kick_signal();
  nlohmann::json json;
  std::string why;
  try {
    const Kvm kvm;
    nlohmann::json capabilities;
    for (const NeededCapability& needed : needed_capabilities())
      capabilities[needed.name] = kvm.check(needed.number);
    json["capabilities"] = capabilities;
    const auto missing = kvm.missing();
    for (const std::string& name : missing) why += (why.empty() ? "KVM lacks " : ", ") + name;
    if (missing.empty()) {
      Seen seen;
      why = run_guest(kvm, seen);
      if (why.empty()) why = first_not_seen(seen);
      json["guest"] = {{"port_write", seen.port_write},
                       {"port_read", seen.port_read},
                       {"mmio_write", seen.mmio_write},
                       {"string_out", seen.string_out},
                       {"cpuid", seen.cpuid},
                       {"hyperv_msr", seen.hyperv_msr},
                       {"done", seen.done}};
    }
  } catch (const Failure& failure) {
    why = failure.what();
  }
  json["usable"] = why.empty();
  json["why"] = why.empty() ? "all capabilities are there and guest instructions run" : why;
  std::printf("%s\n", json.dump(2).c_str());
  if (!why.empty())
    std::fprintf(stderr, "enlighten-host: KVM is not usable here: %s\n", why.c_str());
  return why.empty() ? 0 : 1;
}

}  // namespace hv::vmm
