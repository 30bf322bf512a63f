// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/control/devices.hpp"

#include "core/wire/vmbus.hpp"
#include "host/vmbus/versions.hpp"

namespace hv::host::control {
namespace {

using nlohmann::json;

std::string text(const Guid& guid) {
  const auto characters = guid.text();
  return {characters.data(), characters.size()};
}

json channel_json(const vmbus::ChannelStatus& channel) {
  json out = {{"channel", channel.index},
              {"relid", channel.relid},
              {"state", channel.open ? "open" : "closed"}};
  if (channel.failed) out["state"] = "failed";
  if (channel.relid == 0) out["state"] = "not offered";
  if (!channel.open) return out;
  out["vp"] = channel.vp == wire::vmbus::kNoInterrupt ? json(nullptr) : json(channel.vp);
  out["signals_in"] = channel.signals_in;
  out["signals_out"] = channel.signals_out;
  out["packets_in"] = channel.packets_in;
  out["packets_out"] = channel.packets_out;
  out["bytes_in"] = channel.bytes_in;
  out["bytes_out"] = channel.bytes_out;
  return out;
}

}  // namespace

json devices_json(const vmbus::ServerStatus& status) {
  json devices = json::array();
  for (const auto& device : status.devices) {
    json channels = json::array();
    for (const auto& channel : device.channels) channels.push_back(channel_json(channel));
    json entry = {{"name", device.name},
                  {"class", text(device.class_id)},
                  {"instance", text(device.instance_id)},
                  {"channels", std::move(channels)}};
    if (device.leaving) entry["leaving"] = true;
    devices.push_back(std::move(entry));
  }
  return {{"vmbus", status.version ? json(vmbus::text(*status.version)) : json(nullptr)},
          {"devices", std::move(devices)}};
}

void add_server_methods(Methods& methods, vmbus::Server& server) {
  methods.add("devices", "devices and their channels, with counters (in: from the guest)", {},
              [&server](const json&) { return devices_json(server.status()); });
}

}  // namespace hv::host::control
