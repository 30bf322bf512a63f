// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <atomic>
#include <string>

#include "host/vmbus/device.hpp"
#include "tests/support/doorbell.hpp"
#include "tests/support/ring_pages.hpp"

namespace hv::test {

/// An open channel without a bus: both rings in plain memory, both sides of them at hand, a
/// doorbell each way.
class FakeChannel final : public host::vmbus::OpenChannel {
 public:
  explicit FakeChannel(host::Machine& machine, uint16_t index = 0, size_t ring_bytes = 64 * 1024,
                       bool mirrored = false)
      : machine_(machine),
        index_(index),
        to_host_(ring_bytes, mirrored),
        to_guest_(ring_bytes, mirrored),
        incoming_(to_host_.reader()),
        outgoing_(to_guest_.writer()) {}

  uint16_t index() const override { return index_; }
  vmbus::RingReader& incoming() override { return incoming_; }
  vmbus::RingWriter& outgoing() override { return outgoing_; }
  int signal_fd() const override { return host_bell_.fd(); }
  void signal_guest() override {
    counters_.signals_out.add();
    guest_bell_.ring();
  }
  host::Machine& machine() override { return machine_; }
  uint32_t vp() const override { return 0; }
  void fail(const std::string& why) override {
    failure = why;
    failed.store(true, std::memory_order_release);
    guest_bell_.ring();
  }

  // The guest's side.
  RingPages& to_host() { return to_host_; }
  RingPages& to_guest() { return to_guest_; }
  Doorbell& host_bell() { return host_bell_; }
  Doorbell& guest_bell() { return guest_bell_; }
  std::atomic<bool> failed{false};
  std::string failure;  ///< behind `failed`

 private:
  host::Machine& machine_;
  uint16_t index_;
  RingPages to_host_;
  RingPages to_guest_;
  vmbus::RingReader incoming_;
  vmbus::RingWriter outgoing_;
  Doorbell host_bell_;
  Doorbell guest_bell_;
};

}  // namespace hv::test
