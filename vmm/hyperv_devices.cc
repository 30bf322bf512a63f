// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/hyperv_devices.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <string>

#include "host/backends/file_backend.hpp"
#include "host/control/devices.hpp"
#include "host/control/faults.hpp"
#include "host/control/socket.hpp"
#include "host/hostile/methods.hpp"
#include "host/hostile/server.hpp"
#include "host/ic/methods.hpp"
#include "host/netvsp/nic_methods.hpp"
#include "host/netvsp/nics.hpp"
#include "host/storvsp/disk_methods.hpp"
#include "host/storvsp/disks.hpp"
#include "host/vmbus/server.hpp"
#include "host/vmbus/versions.hpp"
#include "vmm/failure.hpp"
#include "vmm/machine.hpp"
#include "vmm/pause.hpp"

namespace hv::vmm {

namespace {

using nlohmann::json;

host::vmbus::ServerOptions server_options(const RunOptions& options, EventLog& log) {
  const auto version = host::vmbus::parse_version(options.vmbus_version);
  if (!version)
    throw UsageFailure("--vmbus-version " + options.vmbus_version + ": not a version of this host");
  return {.max_version = *version,
          .log =
              [verbose = options.verbose, &log](const std::string& line) {
                log.write("vmbus", {{"text", line}});
                if (verbose) std::fprintf(stderr, "enlighten-host: %s\n", line.c_str());
              },
          .monitor = options.monitor,
          .verbose = true};
}

host::storvsp::DiskManagerOptions disk_options(const RunOptions& options) {
  host::storvsp::DiskManagerOptions disks;
  // "6.2" is 0x0602; the command line knows no other form.
  disks.newest = static_cast<wire::storvsc::Version>((options.storage_version[0] - '0') << 8 |
                                                     (options.storage_version[2] - '0'));
  if (options.scsi_channels != 0)
    disks.sub_channels = static_cast<uint16_t>(options.scsi_channels - 1);
  return disks;
}

wire::netvsc::Version network_version(const RunOptions& options) {
  using wire::netvsc::Version;
  const std::map<std::string, Version> versions{{"1", Version::V1}, {"2", Version::V2},
                                                {"4", Version::V4}, {"5", Version::V5},
                                                {"6", Version::V6}, {"6.1", Version::V6_1}};
  return versions.at(options.network_version);
}

void add_machine_methods(host::control::Methods& methods, const RunOptions& options,
                         KvmMachine& machine, Pause& pause, EndBox& end) {
  const auto start = std::chrono::steady_clock::now();
  methods.add("machine", "vCPUs, bytes of memory, seconds since the start, whether it is paused",
              {}, [&options, &pause, start](const json&) {
                const auto now = std::chrono::steady_clock::now();
                const std::chrono::duration<double> up = now - start;
                return json{{"cpus", options.cpus},
                            {"memory", options.memory},
                            {"seconds", up.count()},
                            {"paused", pause.at(now)}};
              });
  methods.add("machine.pause", "all vCPUs stand still, while time and the devices go on",
              {{"seconds", host::control::ParameterType::Integer, false,
                "then they go on; default: at machine.resume"}},
              [&pause](const json& params) {
                constexpr int64_t kMaxSeconds = 86400;
                std::optional<std::chrono::seconds> length;
                if (const auto found = params.find("seconds"); found != params.end()) {
                  const auto seconds = found->get<int64_t>();
                  if (seconds < 1 || seconds > kMaxSeconds)
                    throw host::control::RpcFailure("seconds: give 1 to 86400");
                  length = std::chrono::seconds(seconds);
                }
                pause.plan(Pause::Clock::now(), length);
                return json::object();
              });
  methods.add("machine.resume", "the vCPUs go on", {}, [&pause](const json&) {
    pause.resume();
    return json::object();
  });
  methods.add("power.off", "presses the power button; with force the machine ends at once",
              {{"force", host::control::ParameterType::Boolean, false, "do not ask the guest"}},
              [&machine, &end](const json& params) {
                if (params.value("force", false)) {
                  end.report({EndReason::Stopped, "power.off", 0});
                } else {
                  machine.devices().press_power_button();
                }
                return json::object();
              });
}

}  // namespace

void check_disks(const RunOptions& options) {
  for (const host::storvsp::DiskSpec& disk : options.disks) {
    if (disk.path.starts_with("null:")) continue;
    if (::access(disk.path.c_str(), disk.read_only ? R_OK : R_OK | W_OK) != 0)
      fail_errno("disk " + disk.path);
  }
}

struct HyperVDevices::Parts {
  Parts(const RunOptions& options, KvmMachine& machine, EventLog& log)
      : hostile(options.hostile ? std::make_unique<host::hostile::Server>(
                                      machine, server_options(options, log), *options.hostile)
                                : nullptr),
        honest(hostile
                   ? nullptr
                   : std::make_unique<host::vmbus::Server>(machine, server_options(options, log))),
        server(hostile ? *hostile : *honest),
        disks(server, machine.vp_count(), disk_options(options)),
        nics(server, machine.vp_count(), network_version(options)) {}

  const std::unique_ptr<host::hostile::Server> hostile;  ///< --hostile
  const std::unique_ptr<host::vmbus::Server> honest;     ///< without
  host::vmbus::Server& server;
  host::storvsp::DiskManager disks;
  host::netvsp::NicManager nics;
  const std::shared_ptr<host::ic::Heartbeat> heartbeat = std::make_shared<host::ic::Heartbeat>();
  host::control::Methods methods;
  std::optional<host::control::ControlSocket> socket;
};

HyperVDevices::HyperVDevices(const RunOptions& options, KvmMachine& machine, Pause& pause,
                             EndBox& end, EventLog& log)
    : machine_(machine), parts_(std::make_unique<Parts>(options, machine, log)) {
  for (const std::string& text : options.faults) parts_->server.faults().set(text);
  try {
    for (const host::storvsp::DiskSpec& disk : options.disks) parts_->disks.add(disk);
    for (const host::netvsp::NicSpec& nic : options.nics) parts_->nics.add(nic);
    parts_->server.add(parts_->heartbeat).take();
  } catch (const host::storvsp::DiskError& error) {
    throw Failure(error.what());
  } catch (const host::BackendError& error) {
    throw Failure(error.what());
  } catch (const host::netvsp::NicError& error) {
    throw UsageFailure(std::string("--net: ") + error.what());
  } catch (const host::NetError& error) {
    throw UsageFailure(std::string("--net: ") + error.what());
  }
  parts_->server.drain();
  machine_.set_sink(&parts_->server);
  if (options.control.empty()) return;
  host::control::add_server_methods(parts_->methods, parts_->server);
  host::control::add_fault_methods(parts_->methods, parts_->server.faults());
  host::storvsp::add_disk_methods(parts_->methods, parts_->disks);
  host::netvsp::add_nic_methods(parts_->methods, parts_->nics);
  host::ic::add_ic_methods(parts_->methods, *parts_->heartbeat);
  add_machine_methods(parts_->methods, options, machine, pause, end);
  if (parts_->hostile)
    host::hostile::add_hostile_methods(parts_->methods, parts_->hostile->intent, *options.hostile);
  parts_->socket.emplace(options.control, parts_->methods);
}

HyperVDevices::~HyperVDevices() {
  parts_->socket.reset();
  machine_.stop();
  machine_.set_sink(nullptr);
}

}  // namespace hv::vmm
