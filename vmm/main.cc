// SPDX-License-Identifier: GPL-2.0-only OR MIT
// enlighten-host: a Hyper-V-compatible host in one process.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "host/control/client.hpp"
#include "host/faults/faults.hpp"
#include "vmm/failure.hpp"
#include "vmm/machine.hpp"
#include "vmm/options.hpp"
#include "vmm/probe.hpp"
#include "vmm/run.hpp"
#include "vmm/serial/agent_stream.hpp"

namespace {

using namespace hv::vmm;

/// The texts of the options, before they are looked at.
struct RawRun {
  RunOptions options;
  std::string memory = "512M";
  int cpus = 1;
  int timeout = 0;
  std::vector<std::string> disks;
  std::vector<std::string> dvds;
  std::vector<std::string> nets;
  std::vector<std::string> forwards;
  std::string exec;
  std::string exec_file;
  std::string on_crash = "end";
  std::string hostile;
  std::string pause;
  std::string timers = "direct";
  std::string repeat_lost = "on";
};

void add_run_options(CLI::App& run, RawRun& raw) {
  run.add_option("--kernel", raw.options.kernel, "Linux kernel (bzImage)")
      ->required()
      ->type_name("FILE");
  run.add_option("--initrd", raw.options.initrd, "initial RAM disk")->type_name("FILE");
  run.add_option("--append", raw.options.append, "kernel command line (default: console=ttyS0)")
      ->type_name("STRING");
  run.add_option("--cpus", raw.cpus, "vCPUs, 1 to 16 (default 1)")->type_name("N");
  run.add_option("--memory", raw.memory, "128M to 8G (default 512M)")->type_name("SIZE");
  run.add_option("--disk", raw.disks, "a disk: a raw file or block device; repeat for more")
      ->type_name(
          "PATH[,bus=scsi|ide][,ro][,lun=N][,controller=N][,name=NAME][,block_size=512|4096]")
      ->allow_extra_args(false);
  run.add_option("--dvd", raw.dvds, "a DVD drive with this ISO image")
      ->type_name("PATH[,lun=N][,controller=N][,name=NAME]")
      ->allow_extra_args(false);
  run.add_option("--net", raw.nets,
                 "a network adapter, and where its frames go (default: none); repeat for more")
      ->type_name("user|tap=IF|null|echo|none[,mac=MAC][,name=NAME][,queues=N]")
      ->allow_extra_args(false);
  run.add_option("--forward", raw.forwards,
                 "with --net user: a port here leads to one of the guest; repeat for more")
      ->type_name("tcp|udp:[ADDRESS:]PORT-:PORT")
      ->allow_extra_args(false);
  run.add_option("--console", raw.options.console,
                 "the first serial port: stdio (a terminal is raw, Ctrl-A x ends), none or "
                 "file:PATH (default: stdio, with --exec none)")
      ->type_name("WHERE");
  auto* const exec =
      run.add_option("--exec", raw.exec,
                     "run CMD in the guest by its agent, then power off; exit with its status")
          ->type_name("CMD");
  auto* const exec_file =
      run.add_option("--exec-file", raw.exec_file, "as --exec, with the commands from FILE")
          ->type_name("FILE");
  exec->excludes(exec_file);
  run.add_flag("--exec-stdin", raw.options.exec_stdin,
               "pass standard input to the command of --exec");
  run.add_option("--control", raw.options.control, "Unix socket for control, JSON-RPC 2.0")
      ->type_name("PATH");
  run.add_option("--vmbus-version", raw.options.vmbus_version,
                 "highest VMBus version to agree to (default 5.3)")
      ->check(CLI::IsMember({"2.4", "3.0", "4.0", "4.1", "5.0", "5.1", "5.2", "5.3"}))
      ->type_name("VERSION");
  run.add_option("--storage-version", raw.options.storage_version,
                 "highest version of the storage protocol to agree to (default 6.2)")
      ->check(CLI::IsMember({"2.0", "4.2", "5.1", "6.0", "6.2"}))
      ->type_name("VERSION");
  run.add_option("--network-version", raw.options.network_version,
                 "highest version of the network protocol to agree to (default 6.1)")
      ->check(CLI::IsMember({"1", "2", "4", "5", "6", "6.1"}))
      ->type_name("VERSION");
  run.add_option("--scsi-channels", raw.options.scsi_channels,
                 "channels of each SCSI controller, 1 to 64 (default: one for four vCPUs)")
      ->check(CLI::Range(1, 64))
      ->type_name("N");
  run.add_option("--timers", raw.timers,
                 "synthetic timers: direct (default; by an interrupt of their own), message (by "
                 "SynIC messages alone, as hosts before 2019; with ,arat Linux has no other clock "
                 "for CPU 0), none")
      ->check(CLI::IsMember({"direct", "message", "message,arat", "none"}))
      ->type_name("direct|message[,arat]|none");
  run.add_flag("--monitor", raw.options.monitor,
               "offer monitored channels: the guest signals by bits in a page that is looked at "
               "each millisecond");
  run.add_option("--timeout", raw.timeout,
                 "report the guest as hung after so many seconds (exit status 124)")
      ->type_name("SECONDS");
  run.add_option("--hostile", raw.hostile,
                 "lie to the guest in messages and packets, as SEED decides: after so many "
                 "seconds, or when hostile.start is called (ctl)")
      ->type_name("SEED[,after=SECONDS][,rate=PER_MILLE]");
  run.add_option("--fault", raw.options.faults,
                 "something that real hosts do wrong happens (list below); repeat for more, or "
                 "fault.set while the guest runs (ctl)")
      ->type_name("NAME=VALUE[,device=NAME]")
      ->allow_extra_args(false);
  run.add_option("--pause", raw.pause,
                 "all vCPUs stand still for so long, while time goes on: so many seconds after the "
                 "start (default 30), or machine.pause while the guest runs (ctl)")
      ->type_name("SECONDS[,after=SECONDS]");
  run.add_option("--on-crash", raw.on_crash,
                 "when the guest reports a crash: end (default, exit status 12), or continue, for "
                 "a guest that saves a dump")
      ->check(CLI::IsMember({"end", "continue"}))
      ->type_name("end|continue");
  run.add_option("--repeat-lost", raw.repeat_lost,
                 "give an interrupt again that the guest has not taken for half a second: on "
                 "(default), or off, as real hosts; --json-events says of each what it was")
      ->check(CLI::IsMember({"on", "off"}))
      ->type_name("on|off");
  run.add_option("--json-events", raw.options.json_events,
                 "write what happens to FILE, one JSON object a line")
      ->type_name("FILE");
  run.add_flag("--verbose", raw.options.verbose, "say more on stderr");
  run.footer(
      "Faults, with 'device' only of the devices whose name (ctl devices, disk.list, nic.list) "
      "begins so:\n" +
      hv::host::Faults().help() +
      "\nExit status: 0 the guest powered off, 10 it rebooted, 11 triple fault or a vCPU gone "
      "astray, 12 panic, 124 hang or time limit,\n"
      "1 an error, 2 a wrong command line; with --exec the command's own status.");
}

std::string read_command(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) fail_errno("--exec-file " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

RunOptions finish(RawRun& raw, const CLI::App& run) {
  RunOptions& options = raw.options;
  if (raw.cpus < 1 || raw.cpus > static_cast<int>(kVcpusMost)) {
    throw UsageFailure("--cpus " + std::to_string(raw.cpus) + ": give a number from 1 to " +
                       std::to_string(kVcpusMost));
  }
  options.cpus = static_cast<uint32_t>(raw.cpus);
  options.memory = parse_size(raw.memory);
  if (options.memory < GuestMemory::kLeast || options.memory > GuestMemory::kMost) {
    throw UsageFailure("--memory " + raw.memory + ": give a size from 128M to 8G");
  }
  if (raw.timeout < 0)
    throw UsageFailure("--timeout " + std::to_string(raw.timeout) + ": give seconds, 0 for none");
  options.timeout = static_cast<uint32_t>(raw.timeout);
  if (run.count("--hostile") != 0) options.hostile = parse_hostile(raw.hostile);
  options.repeat_lost = raw.repeat_lost == "on";
  if (run.count("--pause") != 0) options.pause = parse_pause(raw.pause);
  for (const std::string& text : options.faults) {
    const std::string wrong = hv::host::Faults().set(text);
    if (!wrong.empty()) throw UsageFailure("--fault " + wrong);
  }
  options.timers = parse_timers(raw.timers);
  options.on_crash = raw.on_crash == "continue" ? OnCrash::Continue : OnCrash::End;
  for (const std::string& text : raw.disks) options.disks.push_back(parse_disk(text, false));
  for (const std::string& text : raw.dvds) options.disks.push_back(parse_disk(text, true));
  options.nics = parse_nics(raw.nets, raw.forwards);
  if (run.count("--exec") != 0) options.exec = raw.exec;
  if (run.count("--exec-file") != 0) options.exec = read_command(raw.exec_file);
  if (options.exec && options.exec->size() > serial::AgentStream::kPayloadMost)
    throw UsageFailure("--exec: at most 1 MiB of commands");
  if (options.exec_stdin && !options.exec) throw UsageFailure("--exec-stdin: only with --exec");
  if (options.console.empty()) options.console = options.exec ? "none" : "stdio";
  if (options.exec && options.console == "stdio")
    throw UsageFailure("--console stdio: not with --exec, whose output goes there");
  return options;
}

int say(const char* what, int status) {
  std::fprintf(stderr, "enlighten-host: %s\n", what);
  return status;
}

int dispatch(int argc, char** argv) {
  CLI::App app{"A Hyper-V-compatible host: runs one Linux guest with VMBus devices on KVM.",
               "enlighten-host"};
  app.require_subcommand(1);
  RawRun raw;
  CLI::App& run_command = *app.add_subcommand("run", "run a guest");
  add_run_options(run_command, raw);
  CLI::App& probe_command = *app.add_subcommand(
      "probe", "try whether this machine's KVM can run Hyper-V guests; JSON on stdout");
  hv::host::control::ClientOptions client;
  CLI::App& ctl_command = *app.add_subcommand(
      "ctl", "speak to a running host over its control socket (method help: all methods)");
  ctl_command.add_option("--control", client.socket, "the socket")->required()->type_name("PATH");
  ctl_command
      .add_option("METHOD", client.words, "a method, then its parameters as JSON or key=value")
      ->required();
  ctl_command.positionals_at_end();

  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return say(error.what(), 2);
  }
  if (probe_command.parsed()) return probe();
  if (ctl_command.parsed()) {
    client.people = ::isatty(STDOUT_FILENO) == 1;
    return hv::host::control::run_client(client, std::cout, std::cerr);
  }
  return run(finish(raw, run_command));
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return dispatch(argc, argv);
  } catch (const UsageFailure& failure) {
    return say(failure.what(), 2);
  } catch (const std::exception& failure) {
    return say(failure.what(), 1);
  }
}
