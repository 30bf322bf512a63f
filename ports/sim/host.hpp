// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "core/vmbus/ring.hpp"
#include "host/vmbus/control.hpp"
#include "ports/sim/memory.hpp"
#include "ports/sim/net/ledger.hpp"
#include "ports/sim/net/nic.hpp"
#include "ports/sim/support.hpp"

namespace hv::sim {

/// What the virtual processors are to the host: where messages and event flags go. The guest's
/// kernel implements it.
class Processors {
 public:
  virtual ~Processors() = default;
  virtual bool message_slot_free(uint32_t vp) const = 0;
  virtual void deliver(uint32_t vp, std::vector<std::byte> message) = 0;
  virtual void set_flag(uint32_t vp, uint32_t flag) = 0;
};

/// The Hyper-V side: the real control machine of host/vmbus, and devices that answer every request
/// once. With a hostile profile its messages and rings are tampered with on their way.
class Host final : public net::NicPort {
 public:
  Host(const Profile& profile, Rng& rng, Log& log, Memory& memory, Processors*& processors);

  // What the guest does.
  /// HvCallPostMessage: false when there is no such connection.
  bool posted(uint32_t connection_id, std::span<const std::byte> message);
  /// HvCallSignalEvent.
  void signalled(uint32_t connection_id);

  // The scheduler.
  void collect(Choices& choices) const;
  void run(Choice choice);
  /// More devices and removals may come.
  bool events_left() const { return events_left_ > 0; }
  void no_more_events();
  /// Frames for a guest that takes them.
  bool frames_left() const;

  // For oracles.
  bool has_page(uint32_t frame) const;
  bool waits_for_room() const;
  bool quiet() const;
  /// Packets of network adapters that the guest has not given back.
  size_t with_guest() const;
  net::Ledger& ledger() { return ledger_; }
  /// A frame of the guest comes by the virtual function of its network adapter.
  void function_sends(std::span<const std::byte> frame);
  size_t open_channels() const { return open_.size(); }
  size_t gpadl_count() const { return control_.gpadls().count(); }
  uint64_t unloads() const { return unloads_; }
  bool connected() const { return control_.version().has_value(); }
  /// As a virtual machine that is saved: offers a device less when it comes back.
  void lose_a_device();

 private:
  struct Reply {
    uint64_t transaction_id;
    std::vector<std::byte> payload;
    bool notification;
  };
  struct Open {
    uint32_t relid, vp;
    uint32_t in_first, out_first, pages_in, pages_out;
    hv::vmbus::RingReader in;
    hv::vmbus::RingWriter out;
    std::deque<Reply> replies;
    bool signalled = true;
    bool reading = true;  ///< masked, between wake-up and sleep
    bool waits_for_room = false;
    bool broken = false;
    uint32_t notifications = 0;
    net::SimNic* nic = nullptr;
    uint16_t index = 0;
  };
  void apply(host::vmbus::Actions& actions);
  void open(const host::vmbus::OpenRings& rings, host::vmbus::Actions& more);
  void handle();
  void deliver(uint32_t vp);
  void serve(Open& channel);
  void read_requests(Open& channel);
  void write_replies(Open& channel);
  void interrupt(Open& channel);
  void event();
  void offer();
  void check_message(std::span<const std::byte> message);
  /// Whether the host keeps to everything that the guest relies on. One slower than all limits
  /// after a rescind does not.
  bool keeps_word() const {
    return !profile_.hostile && !profile_.post_faults && !(profile_.slow && rescinded_any_);
  }
  void check_memory(const Open& channel) const;
  // net::NicPort
  void signal_guest(uint32_t relid) override;
  void offer_sub_channels(uint64_t primary, uint16_t count) override {
    sub_channels_due_.push_back({primary, count});
  }
  std::vector<uint64_t> gpadl_pages(uint32_t relid, uint32_t gpadl_id) override;
  // hostile.cc
  void tamper(std::deque<std::vector<std::byte>>& queue);
  std::vector<std::byte> forged();
  void scribble(Open& channel);

  const Profile& profile_;
  Rng& rng_;
  Log& log_;
  Memory& memory_;
  Processors*& processors_;
  host::vmbus::ControlMachine control_;
  struct Inbound {
    uint32_t connection_id;
    std::vector<std::byte> bytes;
  };
  std::deque<Inbound> inbound_;
  std::array<std::deque<std::vector<std::byte>>, 8> outbound_;
  std::map<host::vmbus::ChannelKey, Open> open_;
  std::vector<std::pair<host::vmbus::ChannelKey, uint8_t>>
      devices_;  ///< not rescinded: key and instance number
  uint8_t next_instance_ = 1;
  std::vector<uint8_t> gone_instances_;
  unsigned events_left_;
  unsigned forgeries_left_;
  uint64_t unloads_ = 0;
  bool rescinded_any_ = false;
  std::vector<std::byte> buffer_;
  net::Ledger ledger_;
  std::map<host::vmbus::ChannelKey, std::unique_ptr<net::SimNic>> nics_;  ///< by primary
  std::vector<std::pair<host::vmbus::ChannelKey, uint16_t>> sub_channels_due_;
};

}  // namespace hv::sim
