// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "vmm/options.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "vmm/failure.hpp"

namespace hv::vmm {

namespace {

uint32_t parse_number(std::string_view text, const std::string& what, uint32_t most) {
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value > most) {
    throw UsageFailure(what + "=" + std::string(text) + ": give a number from 0 to " +
                       std::to_string(most));
  }
  return value;
}

bool starts_with_key(std::string_view part, std::string_view key) {
  return part.substr(0, key.size()) == key;
}

}  // namespace

uint64_t parse_size(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const std::string_view unit(end, static_cast<size_t>(text.data() + text.size() - end));
  const uint64_t factor = unit == "G" || unit == "g" ? kGiB : unit == "M" || unit == "m" ? kMiB : 0;
  if (error != std::errc{} || factor == 0 || value > UINT64_MAX / factor) {
    throw UsageFailure("--memory " + std::string(text) + ": give a size as 512M or 2G");
  }
  return value * factor;
}

host::storvsp::DiskSpec parse_disk(std::string_view text, bool dvd) {
  constexpr uint32_t kLunMost = 255;
  constexpr uint32_t kControllerMost = 63;
  const std::string option = dvd ? "--dvd " : "--disk ";
  using Bus = host::storvsp::ControllerOptions::Bus;
  host::storvsp::DiskSpec disk;
  disk.dvd = disk.read_only = dvd;
  size_t comma = text.find(',');
  disk.path = text.substr(0, comma);
  if (disk.path.empty()) throw UsageFailure(option + std::string(text) + ": no path");
  while (comma != std::string_view::npos) {
    text.remove_prefix(comma + 1);
    comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (part == "ro") {
      disk.read_only = true;
    } else if (part == "bus=ide" && !dvd) {
      disk.bus = Bus::Ide;
    } else if (part == "bus=scsi" && !dvd) {
      disk.bus = Bus::Scsi;
    } else if (starts_with_key(part, "lun=")) {
      disk.lun = parse_number(part.substr(4), option + disk.path + ": lun", kLunMost);
    } else if (starts_with_key(part, "controller=")) {
      disk.controller =
          parse_number(part.substr(11), option + disk.path + ": controller", kControllerMost);
    } else if (part == "block_size=512" && !dvd) {
      disk.block_size = 512;
    } else if (part == "block_size=4096" && !dvd) {
      disk.block_size = 4096;
    } else if (starts_with_key(part, "block_size=") && !dvd) {
      throw UsageFailure(option + disk.path + ": " + std::string(part) + ": give 512 or 4096");
    } else if (starts_with_key(part, "name=") && part.size() > 5) {
      disk.name = part.substr(5);
    } else {
      throw UsageFailure(option + disk.path + ": unknown property '" + std::string(part) + "'");
    }
  }
  return disk;
}

Timers parse_timers(std::string_view text) {
  if (text == "direct") return Timers::Direct;
  if (text == "message") return Timers::Message;
  if (text == "message,arat") return Timers::MessageArat;
  if (text == "none") return Timers::None;
  throw UsageFailure("--timers " + std::string(text) +
                     ": give direct, message, message,arat or none");
}

host::hostile::Plan parse_hostile(std::string_view text) {
  constexpr uint32_t kMaxSeconds = 86400;
  constexpr uint32_t kAlways = 1000;
  host::hostile::Plan hostile;
  size_t comma = text.find(',');
  hostile.seed = parse_number(text.substr(0, comma), "--hostile SEED", UINT32_MAX);
  while (comma != std::string_view::npos) {
    text.remove_prefix(comma + 1);
    comma = text.find(',');
    const std::string_view part = text.substr(0, comma);
    if (starts_with_key(part, "after=")) {
      hostile.after =
          std::chrono::seconds(parse_number(part.substr(6), "--hostile after", kMaxSeconds));
    } else if (starts_with_key(part, "rate=")) {
      hostile.rate = parse_number(part.substr(5), "--hostile rate", kAlways);
    } else {
      throw UsageFailure("--hostile: unknown property '" + std::string(part) + "'");
    }
  }
  return hostile;
}

PausePlan parse_pause(std::string_view text) {
  constexpr uint32_t kMaxSeconds = 86400;
  constexpr std::string_view kAfter = ",after=";
  PausePlan pause;
  if (const size_t at = text.find(','); at != std::string_view::npos) {
    if (!text.substr(at).starts_with(kAfter))
      throw UsageFailure("--pause " + std::string(text) + ": give SECONDS[,after=SECONDS]");
    pause.after = std::chrono::seconds(
        parse_number(text.substr(at + kAfter.size()), "--pause after", kMaxSeconds));
    text = text.substr(0, at);
  }
  pause.length = std::chrono::seconds(parse_number(text, "--pause SECONDS", kMaxSeconds));
  return pause;
}

std::vector<host::netvsp::NicSpec> parse_nics(const std::vector<std::string>& nets,
                                              const std::vector<std::string>& forwards) {
  std::vector<host::netvsp::NicSpec> nics;
  try {
    for (const std::string& net : nets) {
      if (net != "none") nics.push_back(host::netvsp::parse_nic(net));
    }
    const auto user =
        std::find_if(nics.begin(), nics.end(), [](const auto& nic) { return nic.net == "user"; });
    for (const std::string& forward : forwards) {
      if (user == nics.end()) throw UsageFailure("--forward " + forward + ": only with --net user");
      user->forwards.push_back(host::parse_forward(forward));
    }
  } catch (const host::netvsp::NicError& error) {
    throw UsageFailure(std::string("--net: ") + error.what());
  } catch (const host::NetError& error) {
    throw UsageFailure(std::string("--forward ") + error.what());
  }
  for (const auto& nic : nics) {
    const bool known = nic.net == "user" || nic.net == "null" || nic.net == "echo" ||
                       (nic.net.starts_with("tap=") && nic.net.size() > 4);
    if (!known)
      throw UsageFailure("--net " + nic.net + ": give user, tap=INTERFACE, null, echo or none");
  }
  return nics;
}

}  // namespace hv::vmm
