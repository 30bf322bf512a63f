// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "ports/sim/net/nic.hpp"

namespace hv::sim::net {

/// An open channel of a NIC, and who serves it.
class SimNic::Channel final : public host::vmbus::OpenChannel {
 public:
  Channel(SimNic& nic, uint16_t index, uint32_t relid, hv::vmbus::RingReader& in,
          hv::vmbus::RingWriter& out)
      : nic_(nic), index_(index), relid_(relid), in_(in), out_(out), service(*this, nic.shared_) {
    in_.mask();
  }
  uint16_t index() const override { return index_; }
  hv::vmbus::RingReader& incoming() override { return in_; }
  hv::vmbus::RingWriter& outgoing() override { return out_; }
  int signal_fd() const override { return -1; }
  void signal_guest() override { nic_.port_.signal_guest(relid_); }
  host::Machine& machine() override { return nic_.machine_; }
  uint32_t vp() const override { return 0; }
  void fail(const std::string& why) override {
    nic_.log_("host gives channel %u up: %s", index_, why.c_str());
    broken = true;
    if (!nic_.profile_.hostile) sim::fail("the host gives a network channel up: " + why);
  }
  uint32_t relid() const { return relid_; }

 private:
  SimNic& nic_;
  const uint16_t index_;
  const uint32_t relid_;
  hv::vmbus::RingReader& in_;
  hv::vmbus::RingWriter& out_;

 public:
  host::netvsp::ChannelService service;
  bool asleep = false;  ///< and unmasked
  bool woken = false;   ///< by something that is not a signal, while it was served
  bool broken = false;
};

}  // namespace hv::sim::net
