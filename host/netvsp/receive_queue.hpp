// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "core/base/slot_table.hpp"
#include "core/vmbus/ring.hpp"
#include "host/net/frame.hpp"
#include "host/netvsp/buffers.hpp"
#include "host/netvsp/counters.hpp"
#include "host/netvsp/packet.hpp"
#include "host/netvsp/rndis_device.hpp"
#include "host/vmbus/counters.hpp"

namespace hv::host::netvsp {

/// What waits for the guest on one channel, and what of the receive buffer it occupies. A channel
/// has its own share of the sections: channels do not wait for each other. Concurrency: `put` by
/// any thread, the others by the channel's.
class ReceiveQueue {
 public:
  static constexpr size_t kMostWaiting = 1024;  ///< frames
  static constexpr size_t kMostInFlight = 512;  ///< packets that the guest has not given back
  static constexpr size_t kMostFrames = 16;     ///< in one packet, but for joined ones
  static constexpr size_t kMostRanges =
      48;  ///< in one packet: sections, of which a joined frame takes several
  static constexpr size_t kMostControl = 64;

  ReceiveQueue(uint16_t channel, NicCounters& counters);

  /// A frame from the backend. `was_empty`: the channel's thread may sleep and has to be woken.
  /// False: too many wait.
  bool put(net::Frame&& frame, std::optional<uint32_t> hash, bool& was_empty);
  /// A control message, which goes before all frames.
  void put_control(std::vector<std::byte> message) { control_.push_back(std::move(message)); }
  bool control_full() const { return control_.size() >= kMostControl; }

  /// Puts what waits into the receive buffer and stages its packets: as much as ring and buffer
  /// take. Errors: the ring's, but RingFull.
  enum class Stop : uint8_t { Empty, NoRoom, NoSection };
  struct Staged {
    Stop stop;
    size_t packets;
  };
  Result<Staged> stage(const Buffers& buffers, const RndisDevice& device,
                       hv::vmbus::RingWriter& ring, vmbus::ChannelCounters& counters);

  /// Drops the frames that wait; they are counted. Control messages stay.
  void drop_frames();

  /// The guest gives a packet's sections back.
  void completed(uint64_t transaction_id);
  /// Packets that the guest has not given back.
  size_t with_guest() const { return kMostInFlight - free_slots_.size(); }

  /// Ring bytes of the largest packet that `stage` makes.
  static constexpr uint32_t most_packet_size() {
    return static_cast<uint32_t>(
        hv::vmbus::RingWriter::packet_size(kHeaderSize(kMostRanges), kPayloadSize));
  }

 private:
  static constexpr size_t kPayloadSize =
      sizeof(wire::netvsc::Header) + sizeof(wire::netvsc::RndisPacket);
  static constexpr size_t kHeaderSize(size_t ranges) {
    return sizeof(wire::TransferPageHeader) + ranges * sizeof(wire::TransferPageRange);
  }
  struct Waiting {
    net::Frame frame;
    std::optional<uint32_t> hash;
  };
  struct InFlight {
    std::array<uint32_t, kMostRanges> sections;
    size_t count = 0;
    uint64_t generation = 0;
  };
  /// Ranges of one packet, being filled.
  struct Batch {
    InFlight sections;
    std::array<wire::TransferPageRange, kMostRanges> ranges;
  };

  void adopt(const Buffers::Receive& buffer);
  bool take_waiting();
  size_t parts_of(const Buffers::Receive& buffer, const RndisDevice& device,
                  const net::Frame& frame) const;
  void cut_front();
  bool write_frame(const Buffers::Receive& buffer, const RndisDevice& device, Waiting& waiting,
                   Batch& batch);
  bool write_parts(const Buffers::Receive& buffer, std::span<const std::byte> frame,
                   ReceiveInfo info, Batch& batch);
  bool write(const Buffers::Receive& buffer, std::span<const std::byte> head,
             std::span<const std::byte> data, Batch& batch);
  Result<void> send(const Buffers::Receive& buffer, wire::netvsc::RndisChannel channel,
                    const Batch& batch, hv::vmbus::RingWriter& ring,
                    vmbus::ChannelCounters& counters);

  const uint16_t channel_;
  NicCounters& counters_;
  std::mutex mutex_;  ///< of arrived_
  std::deque<Waiting> arrived_;
  std::deque<Waiting> waiting_;  ///< taken from arrived_
  std::deque<std::vector<std::byte>> control_;

  uint64_t generation_ = 0;
  uint32_t share_ = 0;  ///< sections that are the channel's
  std::vector<uint32_t> free_sections_;
  std::vector<Slot> slots_;
  SlotTable table_;
  std::vector<InFlight> in_flight_;  ///< by slot
  std::vector<uint32_t> free_slots_;
};

}  // namespace hv::host::netvsp
