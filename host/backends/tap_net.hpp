// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "host/backends/net_backend.hpp"

namespace hv::host {

/// A TAP interface of this machine, with virtio-net headers: checksums and segments that the guest leaves are left to the kernel, which
/// does them or passes them on.
class TapNet final : public NetBackend {
 public:
  /// Attaches to `interface`, made if it is not there. Throws NetError.
  explicit TapNet(const std::string& interface);
  ~TapNet() override;
  TapNet(const TapNet&) = delete;
  TapNet& operator=(const TapNet&) = delete;

  void start(Receive receive) override;
  void stop() override;
  bool send(std::span<std::byte> frame, const net::Offload& offload) override;
  std::string describe() const override { return "tap=" + interface_; }

 private:
  void read_frames();

  const std::string interface_;
  int fd_ = -1;
  int stop_fd_ = -1;
  Receive receive_;
  std::thread reader_;
};

}  // namespace hv::host
