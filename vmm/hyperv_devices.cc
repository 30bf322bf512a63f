// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/hyperv_devices.hpp"

#include <cstdio>
#include <string>

#include "host/backends/file_backend.hpp"
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

}  // namespace

struct HyperVDevices::Parts {
  Parts(const RunOptions& options, KvmMachine& machine)
      : server(machine, server_options(options)), disks(server, machine.vp_count()) {}

  host::vmbus::Server server;
  host::storvsp::DiskManager disks;
};

HyperVDevices::HyperVDevices(const RunOptions& options, KvmMachine& machine, EndBox&)
    : machine_(machine), parts_(std::make_unique<Parts>(options, machine)) {
  try {
    for (const host::storvsp::DiskSpec& disk : options.disks) parts_->disks.add(disk);
  } catch (const host::storvsp::DiskError& error) {
    throw Failure(error.what());
  } catch (const host::BackendError& error) {
    throw Failure(error.what());
  }
  parts_->server.drain();
  machine_.set_sink(&parts_->server);
}

HyperVDevices::~HyperVDevices() {
  machine_.stop();
  machine_.set_sink(nullptr);
}

}  // namespace hv::vmm
