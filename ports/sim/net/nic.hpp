// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include "host/netvsp/channel_service.hpp"
#include "ports/sim/memory.hpp"
#include "ports/sim/net/ledger.hpp"
#include "ports/sim/support.hpp"

namespace hv::sim::net {

/// The guest's memory as host/ sees it. Fails when an honest guest lets it touch what is freed or,
/// in a confidential VM, private.
class GuestMemory final : public host::Machine {
 public:
  GuestMemory(Memory& memory, const Profile& profile) : memory_(memory), profile_(profile) {}
  uint32_t vp_count() const override { return profile_.cpus; }
  std::optional<std::span<std::byte>> memory(uint64_t gpa, size_t length) override;
  std::unique_ptr<host::Mapping> map_pages(std::span<const uint64_t>) override { return nullptr; }
  bool post_message(uint32_t, uint32_t, uint32_t, std::span<const std::byte>) override {
    return false;
  }
  void signal_event(uint32_t, uint32_t, uint32_t) override {}
  bool bind_signal(uint32_t, int) override { return false; }

 private:
  Memory& memory_;
  const Profile& profile_;
};

/// What a NIC needs of the simulated host around it.
class NicPort {
 public:
  virtual ~NicPort() = default;
  virtual void signal_guest(uint32_t relid) = 0;
  virtual void offer_sub_channels(uint64_t primary, uint16_t count) = 0;
  /// The pages of a GPADL of that channel; empty: there is none.
  virtual std::vector<uint64_t> gpadl_pages(uint32_t relid, uint32_t gpadl_id) = 0;
};

/// A network adapter of the host: what host/netvsp/nic.cc is, without threads. The services, the
/// session and the RNDIS device are the product's.
class SimNic final : public host::NetBackend, public host::vmbus::DeviceHandle {
 public:
  SimNic(const Profile& profile, Rng& rng, Log& log, Memory& memory, Ledger& ledger, NicPort& port,
         unsigned frames);
  ~SimNic() override;

  /// The address of every adapter here.
  static constexpr std::array<uint8_t, 6> kMac{0x00, 0x15, 0x5d, 0x01, 0x02, 0x03};

  static constexpr uint32_t kSerial = 7;  ///< of every virtual function

  // The bus
  void opened(uint64_t primary, uint16_t index, uint32_t relid, hv::vmbus::RingReader& in,
              hv::vmbus::RingWriter& out);
  void closed(uint16_t index);
  void gpadl_gone(uint16_t index, uint32_t gpadl_id);
  void signalled(uint16_t index);

  // The scheduler
  bool runnable(uint16_t index) const;
  void serve(uint16_t index);
  /// Frames may come, the link may change.
  bool events_left() const { return frames_left_ > 0 && shared_.device.initialized(); }
  void event();
  void no_more_events() { frames_left_ = 0; }

  /// A frame of the guest comes by the virtual function. Fails: the guest was not told yet that it
  /// may.
  void function_sends(std::span<const std::byte> frame);
  bool open() const { return !channels_.empty(); }

  // For oracles: packets that the guest has not given back.
  size_t with_guest() const;

  // host::NetBackend
  void start(Receive) override {}
  void stop() override {}
  bool send(std::span<std::byte> frame, const host::net::Offload& offload, uint16_t queue) override;
  std::string describe() const override { return "the ledger"; }
  // host::vmbus::DeviceHandle
  bool offer_sub_channels(uint16_t count) override;
  void find_gpadl(uint16_t index, uint32_t gpadl_id) override;

 private:
  class Channel;
  void arrive();
  // hostile_nic.cc
  void harm(Channel& channel);

  const Profile& profile_;
  Rng& rng_;
  Log& log_;
  Memory& memory_;
  Ledger& ledger_;
  NicPort& port_;
  GuestMemory machine_;
  const host::netvsp::SessionLimits limits_;
  const host::netvsp::DeviceFacts facts_;
  host::netvsp::NicShared shared_;
  uint64_t primary_ = 0;
  std::map<uint16_t, std::unique_ptr<Channel>> channels_;
  std::vector<uint64_t> receive_pages_;  ///< as last told, for who means harm
  unsigned frames_left_;
  const uint32_t
      attention_;  ///< how often it looks, per mille: one that looks away lets rings fill
  uint64_t dropped_seen_ = 0;
};

}  // namespace hv::sim::net
