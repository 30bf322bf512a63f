// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/run.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include "vmm/console.hpp"
#include "vmm/event_log.hpp"
#include "vmm/exec_session.hpp"
#include "vmm/failure.hpp"
#include "vmm/hyperv_devices.hpp"
#include "vmm/lost_interrupts.hpp"
#include "vmm/machine.hpp"
#include "vmm/panic_watch.hpp"
#include "vmm/pause.hpp"

namespace hv::vmm {

namespace {

using Clock = std::chrono::steady_clock;

/// The ends a user may ask for, as a descriptor. Threads started later inherit the blocked signals.
Fd block_end_signals() {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  Fd fd(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd) fail_errno("signalfd");
  // The kick must stay blocked but in the vCPUs' threads.
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  return fd;
}

/// Everything of one run but the machine: who reads and writes its ports, when it ends.
class EventLoop {
 public:
  EventLoop(const RunOptions& options, KvmMachine& machine, Console& console, ExecSession* exec,
            const PanicWatch& panic, const Pause& pause, EndBox& end, int signals, EventLog& log)
      : options_(options),
        machine_(machine),
        console_(console),
        exec_(exec),
        panic_(panic),
        pause_(pause),
        end_(end),
        signals_(signals),
        log_(log),
        lost_(machine.synic(), machine, options.repeat_lost) {}

  void run() {
    while (!end_.ended()) once();
    report_lost(lost_.finish());
  }

 private:
  // Serial output that no further access of the guest pushes out waits this long at most.
  static constexpr int kTickMilliseconds = 10;
  static constexpr auto kStuckInterval = std::chrono::seconds(2);
  static constexpr auto kLostInterval = std::chrono::milliseconds(100);
  // A guest whose command has ended and that does not power off within this time is reported as
  // hung.
  static constexpr auto kPowerOffGrace = std::chrono::seconds(180);
  // After its panic line a guest has this long to reboot or to report the crash by itself.
  static constexpr auto kPanicGrace = std::chrono::seconds(20);

  void once() {
    std::vector<pollfd> fds{
        {.fd = end_.event(), .events = POLLIN, .revents = 0},
        {.fd = signals_, .events = POLLIN, .revents = 0},
        {.fd = machine_.retry_event(), .events = POLLIN, .revents = 0},
        {.fd = machine_.devices().com1().waiting() < kConsoleBacklog ? console_.input() : -1,
         .events = POLLIN,
         .revents = 0},
        {.fd = exec_ != nullptr ? exec_->event() : -1, .events = POLLIN, .revents = 0},
        {.fd = exec_ != nullptr ? exec_->input(machine_.devices().com2()) : -1,
         .events = POLLIN,
         .revents = 0},
    };
    (void)::poll(fds.data(), fds.size(), kTickMilliseconds);
    machine_.devices().tick();
    if (fds[1].revents != 0) take_signal();
    if (fds[2].revents != 0) machine_.retry_messages();
    if (fds[3].revents != 0) machine_.devices().com1().feed(console_.read_input());
    if (exec_ != nullptr && fds[4].revents != 0) take_exec_event();
    if (exec_ != nullptr && fds[5].revents != 0) exec_->read_input(machine_.devices().com2());
    check_time();
  }

  void take_signal() {
    signalfd_siginfo info{};
    if (::read(signals_, &info, sizeof info) != sizeof info) return;
    end_.report({EndReason::Interrupted, "", static_cast<int>(info.ssi_signo)});
  }

  void take_exec_event() {
    exec_->on_event(machine_.devices().com2());
    if (exec_->status()) {
      log_.write("command-ended", {{"status", *exec_->status()}});
      power_off_deadline_ = Clock::now() + kPowerOffGrace;
    } else {
      log_.write("agent-ready");
    }
  }

  void look_at_pause(Clock::time_point now) {
    const bool paused = pause_.at(now);
    if (paused == machine_.paused()) return;
    machine_.set_paused(paused);
    lost_.begin_anew();
    // A guest that stood still was given no time.
    for (auto* deadline : {&power_off_deadline_, &panic_deadline_})
      if (!paused && *deadline) **deadline += now - paused_since_;
    paused_since_ = now;
    log_.write(paused ? "paused" : "resumed");
  }

  void report_lost(const std::vector<LostInterrupts::Report>& reports) {
    for (const auto& report : reports) {
      auto channels = nlohmann::json::array();
      for (const uint32_t flag : report.what.flags) channels.push_back(flag);
      log_.write("interrupts-repeated", {{"vp", report.what.vp},
                                         {"sint", report.what.sint},
                                         {"message", report.what.message},
                                         {"channels", channels},
                                         {"count", report.repeats},
                                         {"taken", report.taken},
                                         {"needed", report.needed},
                                         {"vcpu", report.look ? report.look->name() : "unknown"}});
    }
  }

  void check_time() {
    const auto now = Clock::now();
    look_at_pause(now);
    if (options_.timeout != 0 && now - start_ >= std::chrono::seconds(options_.timeout)) {
      end_.report({EndReason::TimedOut, std::to_string(options_.timeout) + " s", 0});
    }
    // Who stands still takes nothing, and is neither late nor stuck.
    if (machine_.paused()) return;
    if (power_off_deadline_ && now >= *power_off_deadline_)
      end_.report({EndReason::TimedOut, "it does not power off", 0});
    if (options_.on_crash == OnCrash::End && panic_.seen() && !panic_deadline_)
      panic_deadline_ = now + kPanicGrace;
    if (panic_deadline_ && now >= *panic_deadline_)
      end_.report({EndReason::Panic, panic_.line(), 0});
    if (now - last_lost_look_ >= kLostInterval) {
      last_lost_look_ = now;
      report_lost(lost_.step());
    }
    if (now - last_stuck_look_ >= kStuckInterval) {
      last_stuck_look_ = now;
      if (machine_.looks_stuck()) end_.report({EndReason::Halted, "", 0});
    }
  }

  static constexpr size_t kConsoleBacklog = 4096;

  const RunOptions& options_;
  KvmMachine& machine_;
  Console& console_;
  ExecSession* exec_;
  const PanicWatch& panic_;
  const Pause& pause_;
  EndBox& end_;
  int signals_;
  EventLog& log_;
  LostInterrupts lost_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_stuck_look_ = start_;
  Clock::time_point last_lost_look_ = start_;
  Clock::time_point paused_since_ = start_;
  std::optional<Clock::time_point> power_off_deadline_;
  std::optional<Clock::time_point> panic_deadline_;
};

/// A guest that reboots, halts or hangs after its panic line has panicked.
End true_end(const End& end, const PanicWatch& panic) {
  switch (end.reason) {
    case EndReason::Reboot:
    case EndReason::TripleFault:
    case EndReason::Halted:
    case EndReason::TimedOut:
      return panic.seen() ? End{EndReason::Panic, panic.line(), 0} : end;
    case EndReason::PowerOff:
    case EndReason::Astray:
    case EndReason::Panic:
    case EndReason::Interrupted:
    case EndReason::Stopped:
    case EndReason::HostError:
      return end;
  }
  return end;
}

int report(const RunOptions& options, const End& end, const ExecSession* exec, EventLog& log) {
  int status = exit_status(end);
  std::string line = describe(end);
  bool quiet = false;
  if (options.exec) {
    const auto command = exec->status();
    const bool orderly = end.reason == EndReason::PowerOff || end.reason == EndReason::Reboot ||
                         end.reason == EndReason::Stopped;
    if (command && orderly) {
      status = static_cast<int>(*command & 0xff);
      quiet = true;
    } else if (!command &&
               (end.reason == EndReason::PowerOff || end.reason == EndReason::Stopped)) {
      status = 1;
      line += exec->ready() ? " before the command had ended" : " before its agent had started";
    }
  }
  log.write("end", {{"status", status}, {"what", line}});
  if (!quiet || options.verbose) std::fprintf(stderr, "enlighten-host: %s\n", line.c_str());
  return status;
}

}  // namespace

int run(const RunOptions& options) {
  install_kick_signal();
  const Fd signals = block_end_signals();
  EndBox end;
  EventLog log(options.json_events);
  std::unique_ptr<ExecSession> exec;
  if (options.exec) exec = std::make_unique<ExecSession>(*options.exec, options.exec_stdin, end);

  // The terminal is made raw last, when nothing can fail any more with a message.
  std::unique_ptr<Console> console;
  PanicWatch panic;
  MachineConfig config{
      .vcpus = options.cpus,
      .memory = options.memory,
      .timers = options.timers,
      .boot = {.kernel = options.kernel, .initrd = options.initrd, .command_line = options.append},
      .com1 = {.transmit =
                   [&console, &panic](std::span<const std::byte> bytes) {
                     console->transmit(bytes);
                     panic.receive(bytes);
                   },
               .set_interrupt = {}},
      .com2 = {.transmit =
                   [&exec](std::span<const std::byte> bytes) {
                     if (exec) exec->receive(bytes);
                   },
               .set_interrupt = {}},
      .crashed =
          [&options, &end, &log](const std::string& text) {
            log.write("crash", {{"text", text}});
            if (options.on_crash == OnCrash::End) return end.report({EndReason::Panic, text, 0});
            std::fprintf(stderr, "enlighten-host: the guest panicked, and goes on: %s\n",
                         text.c_str());
          },
  };
  boot::check_files(config.boot);
  check_disks(options);
  KvmMachine machine(std::move(config), end);
  Pause pause;
  if (options.pause) pause.plan(Pause::Clock::now() + options.pause->after, options.pause->length);
  const HyperVDevices devices(options, machine, pause, end, log);
  console = std::make_unique<Console>(options.console, end);

  log.write("start", {{"cpus", options.cpus}, {"memory", options.memory}});
  machine.start();
  EventLoop(options, machine, *console, exec.get(), panic, pause, end, signals.get(), log).run();
  const auto reason = end.get()->reason;
  if (reason == EndReason::TimedOut && !machine.paused())
    std::fputs(machine.watch().c_str(), stderr);
  machine.stop();
  if (reason == EndReason::Halted) std::fputs(machine.where().c_str(), stderr);
  console.reset();
  const End last = true_end(*end.get(), panic);
  return report(options, last, exec.get(), log);
}

}  // namespace hv::vmm
