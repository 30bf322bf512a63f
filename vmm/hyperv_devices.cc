// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/hyperv_devices.hpp"

#include <cstdio>
#include <optional>
#include <string>

#include "host/backends/file_backend.hpp"
#include "host/control/devices.hpp"
#include "host/control/socket.hpp"
#include "host/storvsp/disk_methods.hpp"
#include "host/storvsp/disks.hpp"
#include "host/vmbus/server.hpp"
#include "host/vmbus/versions.hpp"
#include "vmm/failure.hpp"
#include "vmm/machine.hpp"

namespace hv::vmm {

namespace {

host::vmbus::ServerOptions server_options(const RunOptions& options) {
  const auto version = host::vmbus::parse_version(options.vmbus_version);
  if (!version) throw UsageFailure("--vmbus-version " + options.vmbus_version + ": not a version of this host");
  return {.max_version = *version,
          .log = [](const std::string& line) { std::fprintf(stderr, "enlighten-host: %s\n", line.c_str()); }};
}

void add_power_methods(host::control::Methods& methods, KvmMachine& machine, EndBox& end) {
  methods.add("power.off", "presses the power button; with force the machine stops at once",
              {{"force", host::control::ParameterType::Boolean, false, "do not wait for the guest"}},
              [&machine, &end](const nlohmann::json& params) {
                if (params.value("force", false)) {
                  end.report({EndReason::Stopped, "power.off", 0});
                } else {
                  machine.devices().press_power_button();
                }
                return nlohmann::json::object();
              });
}

}  // namespace

struct HyperVDevices::Parts {
  Parts(const RunOptions& options, KvmMachine& machine)
      : server(machine, server_options(options)), disks(server, machine.vp_count()) {}

  host::vmbus::Server server;
  host::storvsp::DiskManager disks;
  host::control::Methods methods;
  std::optional<host::control::ControlSocket> control;  ///< last: its thread uses all of the above
};

HyperVDevices::HyperVDevices(const RunOptions& options, KvmMachine& machine, EndBox& end)
    : machine_(machine), parts_(std::make_unique<Parts>(options, machine)) {
  try {
    for (const host::storvsp::DiskSpec& disk : options.disks) parts_->disks.add(disk);
  } catch (const host::storvsp::DiskError& error) {
    throw Failure(error.what());
  } catch (const host::BackendError& error) {
    throw Failure(error.what());
  }
  parts_->server.drain();
  if (!options.control.empty()) {
    host::control::add_server_methods(parts_->methods, parts_->server);
    host::storvsp::add_disk_methods(parts_->methods, parts_->disks);
    add_power_methods(parts_->methods, machine, end);
    parts_->control.emplace(options.control, parts_->methods);
  }
  machine_.set_sink(&parts_->server);
}

HyperVDevices::~HyperVDevices() {
  parts_->control.reset();
  machine_.stop();
  machine_.set_sink(nullptr);
}

}  // namespace hv::vmm
