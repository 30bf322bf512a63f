// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/backends/net_backend.hpp"

namespace hv::host {

/// A port of this machine that leads to one of the guest.
struct PortForward {
  bool udp = false;
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  uint16_t guest_port = 0;
};

/// "tcp:127.0.0.1:2222-:22"; the address may be left out. Throws NetError, naming the text.
PortForward parse_forward(const std::string& text);

/// A network of the guest's own behind address translation (libslirp), for which no privilege is
/// needed: 10.0.2.0/24 with DHCP (10.0.2.15), a gateway that is this machine (10.0.2.2), and this
/// machine's DNS (10.0.2.3); fec0::/64 with router advertisements.
class UserNet final : public NetBackend {
 public:
  /// Throws NetError: a port that cannot be had.
  explicit UserNet(const std::vector<PortForward>& forwards);
  ~UserNet() override;
  UserNet(const UserNet&) = delete;
  UserNet& operator=(const UserNet&) = delete;

  void start(Receive receive) override;
  void stop() override;
  bool send(std::span<std::byte> frame, const net::Offload& offload, uint16_t queue) override;
  std::string describe() const override { return "user"; }

 private:
  class Stack;
  std::unique_ptr<Stack> stack_;
};

}  // namespace hv::host
