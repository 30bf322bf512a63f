// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "host/backends/net_backend.hpp"

namespace hv::host {

/// A TAP interface of this machine, with virtio-net headers: checksums and segments that the guest
/// leaves are left to the kernel, which does them or passes them on; segments that it has joined
/// are passed to a guest that takes them so. With several queues, where the interface has them
/// (made by `ip tuntap add ... multi_queue`, or by us), each has a descriptor and a thread of its
/// own, and the kernel sends a flow's answers to the queue that the flow was sent by.
class TapNet final : public NetBackend {
 public:
  /// Attaches to `interface`, made if it is not there, with up to `queues` queues. Throws NetError.
  TapNet(const std::string& interface, uint16_t queues);
  ~TapNet() override;
  TapNet(const TapNet&) = delete;
  TapNet& operator=(const TapNet&) = delete;

  void start(Receive receive) override;
  void stop() override;
  bool send(std::span<std::byte> frame, const net::Offload& offload, uint16_t queue) override;
  void join(bool joined) override;
  std::string describe() const override { return "tap=" + interface_; }
  size_t queues() const { return fds_.size(); }

 private:
  void read_frames(int fd);

  const std::string interface_;
  std::vector<int> fds_;  ///< by queue
  int stop_fd_ = -1;
  std::atomic<bool> stopping_{false};
  Receive receive_;
  std::vector<std::thread> readers_;
};

}  // namespace hv::host
