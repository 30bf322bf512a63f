// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include "core/netvsc/queue.hpp"
#include "tests/support/ring_pages.hpp"
#include "tests/unit/netvsc/bytes.hpp"

namespace hv::test {

/// A queue over real rings, at whose other ends the test plays the host.
class QueuePair {
 public:
  static constexpr size_t kRing = 8192;
  static constexpr uint32_t kSection = 512;
  static constexpr size_t kReceive = 8192;

  explicit QueuePair(netvsc::SlotPlan plan = {.sections = 4, .pages = 4}, bool primary = true)
      : memory(netvsc::QueueMemory::bytes_needed(plan)),
        queue({out.writer(), in.reader()}, plan, netvsc::QueueMemory::create(memory, plan).take(),
              primary),
        host_in(out.reader()),
        host_out(in.writer()) {
    queue.sending().share({.bytes = send, .first = 100, .section_size = kSection}).take();
    queue.sending().adopt({.max_packets = 3, .max_transfer = 0x4000, .alignment = 8});
    queue.receiving().adopt(netvsc::Dialect(wire::netvsc::Version::V6));
    queue.receiving().share(receive);
  }

  vmbus::Packet host_reads() {
    const auto packet = host_in.read(buffer).take();
    (void)host_in.commit();
    return packet;
  }
  bool host_has_none() { return host_in.readable().take() == 0; }
  void host_sends(wire::PacketType type, uint64_t id, std::span<const std::byte> payload,
                  std::span<const std::byte> extra = {}) {
    host_out.stage(type, 0, id, extra, payload).take();
    (void)host_out.commit();
  }
  void host_completes(uint64_t id, wire::netvsc::Status status = wire::netvsc::Status::Success) {
    host_sends(wire::PacketType::Completion, id,
               join(wire::netvsc::Header{wire::netvsc::MessageType::SendRndisPacketComplete},
                    wire::netvsc::RndisPacketComplete{status}));
  }
  /// Messages in the receive buffer, from its front on, each on its own 1024 bytes.
  void host_delivers(uint64_t id, const std::vector<Bytes>& messages,
                     uint16_t set = wire::netvsc::kReceiveBufferId) {
    Bytes extra = join(wire::TransferPageHeader{set, 0, 0, static_cast<uint32_t>(messages.size())});
    for (uint32_t i = 0; i < messages.size(); i++) {
      std::memcpy(receive.data() + i * 1024, messages[i].data(), messages[i].size());
      const Bytes range =
          join(wire::TransferPageRange{static_cast<uint32_t>(messages[i].size()), i * 1024});
      extra.insert(extra.end(), range.begin(), range.end());
    }
    host_delivers_ranges(id, extra);
  }
  void host_delivers_ranges(uint64_t id, std::span<const std::byte> extra) {
    host_sends(wire::PacketType::DataUsingTransferPages, id,
               nvsp(wire::netvsc::MessageType::SendRndisPacket,
                    wire::netvsc::RndisPacket{wire::netvsc::RndisChannel::Data,
                                              wire::netvsc::kNoSection, 0}),
               extra);
  }

  RingPages out{kRing, true};
  RingPages in{kRing, true};
  alignas(8) Bytes memory;
  Bytes send = Bytes(4 * kSection);
  Bytes receive = Bytes(kReceive);
  netvsc::Queue queue;
  vmbus::RingReader host_in;
  vmbus::RingWriter host_out;
  alignas(8) std::array<std::byte, 8192> buffer;
};

}  // namespace hv::test
