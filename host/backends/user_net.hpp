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
/// needed: 10.0.N.0/24 with DHCP (10.0.N.15), a gateway that is this machine (10.0.N.2), and this
/// machine's DNS (10.0.N.3); fec0:0:0:N::/64 with router advertisements (N is 0 there for the first
/// subnet).
class UserNet final : public NetBackend {
 public:
  static constexpr uint8_t kFirstSubnet = 2;
  /// Never given to a guest: a host in a nested machine is in it itself.
  static constexpr uint8_t kNodeSubnet = 3;

  /// `subnet`: N. Throws NetError: a port that cannot be had.
  explicit UserNet(const std::vector<PortForward>& forwards, uint8_t subnet = kFirstSubnet);
  ~UserNet() override;
  UserNet(const UserNet&) = delete;
  UserNet& operator=(const UserNet&) = delete;

  void start(Receive receive) override;
  void stop() override;
  bool send(std::span<std::byte> frame, const net::Offload& offload, uint16_t queue) override;
  std::string describe() const override;

 private:
  class Stack;
  const uint8_t subnet_;
  std::unique_ptr<Stack> stack_;
};

}  // namespace hv::host
