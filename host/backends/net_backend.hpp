// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>

#include "host/net/frame.hpp"

namespace hv::host {

/// Where a NIC's frames go to and come from.
class NetBackend {
 public:
  using Receive = std::function<void(net::Frame&&)>;

  virtual ~NetBackend() = default;
  /// From now on frames for the guest are given to `receive`, on any thread, until `stop` returns.
  virtual void start(Receive receive) = 0;
  virtual void stop() = 0;
  /// Takes a frame of the guest, which is used up by it, and does what `offload` says is left.
  /// `queue` is the channel that it came by: frames of one are kept in order. Any thread; does not
  /// wait for the network. False: it was not taken, now.
  virtual bool send(std::span<std::byte> frame, const net::Offload& offload, uint16_t queue) = 0;
  /// Whether the guest takes TCP segments joined (net::Frame::joined), from now on; at first it
  /// does not. Any thread. A backend need not join.
  virtual void join([[maybe_unused]] bool joined) {}
  virtual std::string describe() const = 0;
};

/// A backend that cannot be opened; the text names it and says what to do.
class NetError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Takes everything, gives nothing.
class NullNet final : public NetBackend {
 public:
  void start(Receive) override {}
  void stop() override {}
  bool send(std::span<std::byte>, const net::Offload&, uint16_t) override { return true; }
  std::string describe() const override { return "null"; }
};

/// Sends everything back, source and destination exchanged.
class EchoNet final : public NetBackend {
 public:
  void start(Receive receive) override { receive_ = std::move(receive); }
  void stop() override {}
  bool send(std::span<std::byte> frame, const net::Offload& offload, uint16_t queue) override;
  std::string describe() const override { return "echo"; }

 private:
  Receive receive_;
};

}  // namespace hv::host
