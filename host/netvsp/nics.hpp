// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/backends/user_net.hpp"
#include "host/netvsp/nic.hpp"
#include "host/vmbus/server.hpp"

namespace hv::host::netvsp {

/// A NIC as somebody asks for it.
struct NicSpec {
  std::string net;                      ///< "user", "tap=IF", "null", "echo"
  std::string name{};                   ///< empty: "nicN", the next free one
  std::optional<Mac> mac{};             ///< none: made from the name
  std::optional<uint16_t> queues{};     ///< 1 to 64; none: as Hyper-V, one per vCPU, 8 at most
  std::vector<PortForward> forwards{};  ///< of "user"
};

/// "user|tap=IF|null|echo[,mac=..][,name=..][,queues=N]". Throws NicError,
/// naming what is wrong.
NicSpec parse_nic(const std::string& text);

/// A NIC that cannot be added, removed or changed; the text names it and says what to do.
class NicError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// All NICs of one machine: what the command line and the control socket use. Concurrency: any
/// thread, but none of a device's.
class NicManager {
 public:
  NicManager(vmbus::Server& server, uint32_t vcpus, wire::netvsc::Version newest)
      : server_(server), vcpus_(vcpus), newest_(newest) {}

  /// Its name. Throws NicError, NetError.
  std::string add(const NicSpec& spec);
  void remove(const std::string& name);
  void set_link(const std::string& name, bool up);
  /// Tells the guest of a virtual function of the adapter in the slot `serial`, or that it is gone.
  void set_function(const std::string& name, std::optional<uint32_t> serial);
  nlohmann::json list();

 private:
  uint8_t free_subnet() const;
  Nic& find(const std::string& name);

  vmbus::Server& server_;
  const uint32_t vcpus_;
  const wire::netvsc::Version newest_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Nic>> nics_;
  std::map<std::string, uint8_t> subnets_;  ///< of the NICs of kind "user"
};

}  // namespace hv::host::netvsp
