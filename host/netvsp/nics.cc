// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/netvsp/nics.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include "host/backends/tap_net.hpp"

namespace hv::host::netvsp {
namespace {

constexpr std::chrono::milliseconds kRemovalLimit{10000};
constexpr uint16_t kDefaultQueues = 8;
constexpr size_t kMostName = 32;
constexpr std::string_view kTap = "tap=";

/// In Microsoft's range, and the same for the same name at each start.
Mac mac_of(std::string_view name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return {std::byte{0x00},
          std::byte{0x15},
          std::byte{0x5d},
          static_cast<std::byte>(hash),
          static_cast<std::byte>(hash >> 8),
          static_cast<std::byte>(hash >> 16)};
}

std::unique_ptr<NetBackend> open_backend(const NicSpec& spec, uint16_t queues, uint8_t subnet) {
  if (spec.net == "user") return std::make_unique<UserNet>(spec.forwards, subnet);
  if (!spec.forwards.empty())
    throw NicError(fmt::format("net {}: ports are forwarded by user alone", spec.net));
  if (spec.net == "null") return std::make_unique<NullNet>();
  if (spec.net == "echo") return std::make_unique<EchoNet>();
  if (spec.net.starts_with(kTap))
    return std::make_unique<TapNet>(spec.net.substr(kTap.size()), queues);
  throw NicError(fmt::format("net {}: give user, tap=INTERFACE, null or echo", spec.net));
}

std::string version_text(uint32_t version) {
  return version == 0 ? "-" : fmt::format("{}.{}", version >> 16, version & 0xffff);
}

}  // namespace

NicSpec parse_nic(const std::string& text) {
  NicSpec spec;
  std::string_view rest = text;
  size_t comma = rest.find(',');
  spec.net = rest.substr(0, comma);
  while (comma != std::string_view::npos) {
    rest.remove_prefix(comma + 1);
    comma = rest.find(',');
    const std::string part(rest.substr(0, comma));
    if (part.starts_with("mac=")) {
      spec.mac = parse_mac(part.substr(4));
      if (!spec.mac)
        throw NicError(fmt::format("{}: no unicast address as 00:15:5d:01:02:03", part));
    } else if (part.starts_with("name=") && part.size() > 5) {
      spec.name = part.substr(5);
    } else if (part.starts_with("queues=")) {
      uint16_t queues = 0;
      const auto [end, error] = std::from_chars(part.data() + 7, part.data() + part.size(), queues);
      if (error != std::errc{} || end != part.data() + part.size())
        throw NicError(fmt::format("{}: give a number from 1 to 64", part));
      spec.queues = queues;
    } else {
      throw NicError(fmt::format("net {}: unknown property '{}'", spec.net, part));
    }
  }
  if (spec.queues && (*spec.queues < 1 || *spec.queues > wire::netvsc::kMaxQueues))
    throw NicError(fmt::format("queues={}: give a number from 1 to {}", *spec.queues,
                               wire::netvsc::kMaxQueues));
  return spec;
}

std::string NicManager::add(const NicSpec& spec) {
  const std::lock_guard lock(mutex_);
  std::string name = spec.name;
  for (size_t number = 0; name.empty(); number++) {
    if (std::string candidate = fmt::format("nic{}", number); !nics_.contains(candidate))
      name = std::move(candidate);
  }
  const bool plain =
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!plain || name.size() > kMostName)
    throw NicError(fmt::format("nic name {}: up to {} letters and digits", name, kMostName));
  if (nics_.contains(name))
    throw NicError(fmt::format("nic name {}: in use; choose another with name=", name));
  if (spec.queues && (*spec.queues < 1 || *spec.queues > wire::netvsc::kMaxQueues))
    throw NicError(fmt::format("nic {}: queues {}: give a number from 1 to {}", name, *spec.queues,
                               wire::netvsc::kMaxQueues));
  const auto queues =
      spec.queues.value_or(static_cast<uint16_t>(std::clamp<uint32_t>(vcpus_, 1, kDefaultQueues)));
  const DeviceFacts facts{.mac = spec.mac.value_or(mac_of(name)), .name = name};
  const uint8_t subnet = spec.net == "user" ? free_subnet() : uint8_t{0};
  auto nic = std::make_shared<Nic>(facts, SessionLimits{.newest = newest_, .queues = queues},
                                   open_backend(spec, queues, subnet), server_.faults());
  if (const auto added = server_.add(nic); !added) {
    if (added.error() == Error::BadId)
      throw NicError(fmt::format("nic {}: the address {} is in use", name, text(facts.mac)));
    throw NicError(fmt::format("nic {}: no room for one more ({})", name, hv::name(added.error())));
  }
  if (subnet != 0) subnets_.emplace(name, subnet);
  nics_.emplace(name, std::move(nic));
  return name;
}

void NicManager::remove(const std::string& name) {
  std::shared_ptr<Nic> nic;
  {
    const std::lock_guard lock(mutex_);
    find(name);
    nic = std::move(nics_.extract(name).mapped());
  }
  server_.remove(nic->offer().instance_id, kRemovalLimit);
  // Not before: another adapter in the same subnet would be mixed up with this one.
  const std::lock_guard lock(mutex_);
  if (!nics_.contains(name)) subnets_.erase(name);
}

/// Each adapter behind address translation has a subnet of its own: a guest with two of the same
/// could not tell by which to answer.
uint8_t NicManager::free_subnet() const {
  for (uint8_t subnet = UserNet::kFirstSubnet; subnet < 255; subnet++) {
    const bool used = std::any_of(subnets_.begin(), subnets_.end(),
                                  [subnet](const auto& one) { return one.second == subnet; });
    if (!used && subnet != UserNet::kNodeSubnet) return subnet;
  }
  throw NicError("net user: no subnet is free for one more");
}

void NicManager::set_link(const std::string& name, bool up) {
  const std::lock_guard lock(mutex_);
  find(name).set_link(up);
}

void NicManager::set_function(const std::string& name, std::optional<uint32_t> serial) {
  const std::lock_guard lock(mutex_);
  find(name).set_function(serial);
}

Nic& NicManager::find(const std::string& name) {
  const auto found = nics_.find(name);
  if (found == nics_.end())
    throw NicError(fmt::format("no nic named {}; nic.list shows those there are", name));
  return *found->second;
}

nlohmann::json NicManager::list() {
  const std::lock_guard lock(mutex_);
  auto nics = nlohmann::json::array();
  for (const auto& [name, nic] : nics_) {
    const NicCounters& counters = nic->counters();
    nics.push_back(
        {{"name", name},
         {"net", nic->backend().describe()},
         {"mac", text(nic->mac())},
         {"link", nic->link() ? "up" : "down"},
         {"nvsp", version_text(nic->protocol_version())},
         {"vf", nic->function() ? nlohmann::json(*nic->function()) : nlohmann::json()},
         {"data_path", nic->data_path() == wire::netvsc::DataPath::Vf ? "vf" : "synthetic"},
         {"path_switches", counters.path_switches.load()},
         {"sent", counters.sent.load()},
         {"sent_bytes", counters.sent_bytes.load()},
         {"sent_large", counters.sent_large.load()},
         {"sent_checksums", counters.sent_checksums.load()},
         {"received", counters.received.load()},
         {"received_bytes", counters.received_bytes.load()},
         {"received_joined", counters.received_joined.load()},
         {"bad_packets", counters.bad_packets.load()},
         {"stray_completions", counters.stray_completions.load()},
         {"dropped_sent", counters.dropped_sent.load()},
         {"dropped_halted", counters.dropped_halted.load()},
         {"dropped_filter", counters.dropped_filter.load()},
         {"dropped_no_room", counters.dropped_no_room.load()},
         {"dropped_too_long", counters.dropped_too_long.load()},
         {"dropped_link", counters.dropped_link.load()}});
  }
  return nics;
}

}  // namespace hv::host::netvsp
