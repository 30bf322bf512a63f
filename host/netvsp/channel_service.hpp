// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "host/backends/net_backend.hpp"
#include "host/netvsp/counters.hpp"
#include "host/netvsp/message.hpp"
#include "host/netvsp/packet.hpp"
#include "host/netvsp/receive_queue.hpp"
#include "host/netvsp/rndis_device.hpp"
#include "host/netvsp/session.hpp"
#include "host/vmbus/device.hpp"
#include "host/vmbus/service_end.hpp"

namespace hv::host::netvsp {

inline constexpr uint64_t kFunction = uint64_t{1} << 32;

/// What all channels of one NIC share.
struct NicShared {
  NicShared(SessionLimits limits, DeviceFacts facts, NetBackend& net)
      : session(limits), device(std::move(facts), counters), backend(net) {}

  NicCounters counters;
  std::mutex session_mutex;
  Session session;
  RndisDevice device;
  Buffers buffers;
  NetBackend& backend;
  std::atomic<uint16_t> granted{0};  ///< sub-channels that the guest was promised
  std::atomic<bool> leaving{false};  ///< frames for the guest are dropped, and it is told nothing
                                     ///< that it has not asked for
  std::atomic<uint64_t> function{
      0};  ///< of a virtual function: kFunction and its serial; what the guest is told
  std::atomic<vmbus::DeviceHandle*> handle{nullptr};
};

/// Serves one open channel: the guest's frames to the backend, frames for it into its receive
/// buffer, and, on the primary, the set-up. Concurrency: one thread, but for `stop`, `deliver`,
/// `gpadl_found`, `gpadl_gone`, `link_changed`, `function_changed`, `fall_silent`, `silent` and
/// `announce_channels`, which any may call.
class ChannelService {
 public:
  ChannelService(vmbus::OpenChannel& channel, NicShared& shared);
  ChannelService(const ChannelService&) = delete;
  ChannelService& operator=(const ChannelService&) = delete;

  /// Serves until `stop`. Afterwards no memory of the guest is in use.
  void run();
  /// One round of it, without waiting. True: there is nothing to do but to wait.
  bool step();

  void stop() { end_.stop(); }
  /// A frame for the guest. False: too many wait already.
  bool deliver(net::Frame&& frame, std::optional<uint32_t> hash);
  /// The pages of a GPADL that was asked for; none: it is not there.
  void gpadl_found(uint32_t gpadl_id, std::optional<SharedPages> pages);
  void gpadl_gone(uint32_t gpadl_id);
  void link_changed();
  void function_changed() { end_.wake(); }
  /// NicShared::leaving was set.
  void fall_silent() { end_.wake(); }
  /// Since then: whether nothing of ours is with the guest any more.
  bool silent() const { return end_.broken() || silent_.load(std::memory_order_acquire); }
  /// So many channels are open now: the guest is told how to spread what it sends.
  void announce_channels(uint16_t count);
  /// Packets that the guest has not given back. The channel's thread.
  size_t with_guest() const { return receive_.with_guest(); }

 private:
  struct Reply {
    uint64_t transaction_id;
    Outgoing message;
    uint16_t then_offer = 0;  ///< sub-channels, once it is on its way
  };
  struct Asked {
    uint32_t gpadl_id;
    uint64_t transaction_id;
    bool wants_answer;
  };
  struct Found {
    uint32_t gpadl_id;
    std::optional<SharedPages> pages;
  };

  void take_packets();
  bool take_packet(const hv::vmbus::Packet& packet);
  void set_up(const Message& message, const hv::vmbus::Packet& packet);
  void take_found();
  void put_buffer(Buffer which, Found& found);
  wire::netvsc::Status take_rndis(const wire::netvsc::RndisPacket& message,
                                  const hv::vmbus::Packet& packet);
  Result<std::span<std::byte>> gather(const wire::netvsc::RndisPacket& message,
                                      const hv::vmbus::Packet& packet);
  wire::netvsc::Status control(std::span<const std::byte> message);
  wire::netvsc::Status transmit(std::span<std::byte> messages);
  bool transmit_one(std::span<std::byte> message, size_t at, size_t size, const PacketInfo& info);
  void reply(const hv::vmbus::Packet& packet, const Outgoing& message, uint16_t then_offer = 0);
  void send_replies();
  void send_notices();
  void tell_function();

  vmbus::ServiceEnd end_;
  NicShared& shared_;
  std::atomic<bool> silent_{false};
  std::atomic<bool> link_changed_{false};
  std::atomic<uint16_t> announce_{0};

  uint64_t told_function_ = 0;  ///< what the guest was told last of NicShared::function
  bool joins_ = false;          ///< told to the backend
  std::deque<Reply> replies_;
  std::array<std::optional<Asked>, 2> asked_;  ///< by Buffer
  ReceiveQueue receive_;
  std::vector<std::byte> message_;  ///< RNDIS, out of the guest's memory

  std::mutex found_mutex_;
  std::vector<Found> found_;
};

}  // namespace hv::host::netvsp
