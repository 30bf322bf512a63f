// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstring>
#include <map>
#include <numeric>
#include <optional>
#include <span>
#include <vector>

#include "core/vmbus/gpa_direct.hpp"
#include "core/wire/netvsc.hpp"
#include "core/wire/rndis.hpp"
#include "host/netvsp/channel_service.hpp"
#include "tests/support/fake_channel.hpp"
#include "tests/support/fake_machine.hpp"

namespace hv::test {

/// Answers at once what a NIC asks the bus for: GPADL n is a run of pages that the test named.
class NetHandle final : public host::vmbus::DeviceHandle {
 public:
  bool offer_sub_channels(uint16_t count) override {
    offered = count;
    return true;
  }
  void find_gpadl(uint16_t, uint32_t gpadl_id) override {
    const auto at = gpadls.find(gpadl_id);
    if (service == nullptr) return;
    service->gpadl_found(gpadl_id, at == gpadls.end()
                                       ? std::nullopt
                                       : host::netvsp::SharedPages::resolve(*machine, at->second));
  }

  host::Machine* machine = nullptr;
  host::netvsp::ChannelService* service = nullptr;
  std::map<uint32_t, std::vector<uint64_t>> gpadls;
  uint16_t offered = 0;
};

/// The smallest netvsc there can be, written by hand from the protocol. It and the host's `step`
/// take turns in one thread. Guest memory: the receive buffer from page 0 on, the send buffer
/// behind it, then one page for messages.
class NetworkGuest {
 public:
  static constexpr uint64_t kReceivePages = 16, kSendPages = 6,
                            kMessagePage = kReceivePages + kSendPages;
  static constexpr size_t kPages = kMessagePage + 4;
  using Bytes = std::vector<std::byte>;

  explicit NetworkGuest(FakeChannel& channel, FakeMachine& machine)
      : channel_(channel),
        machine_(machine),
        writer_(channel.to_host().writer()),
        reader_(channel.to_guest().reader()) {}

  template <WireStruct Body>
  static Bytes nvsp(wire::netvsc::MessageType type, const Body& body) {
    Bytes out(wire::netvsc::kMessageSize);
    std::memcpy(out.data(), &type, sizeof(type));
    std::memcpy(out.data() + sizeof(type), &body, sizeof(body));
    return out;
  }
  template <WireStruct Body>
  static Bytes rndis(wire::rndis::MessageType type, const Body& body,
                     std::span<const std::byte> tail = {}) {
    const wire::rndis::Header header{
        type, static_cast<uint32_t>(sizeof(header) + sizeof(Body) + tail.size())};
    Bytes out(sizeof(header) + sizeof(Body));
    std::memcpy(out.data(), &header, sizeof(header));
    std::memcpy(out.data() + sizeof(header), &body, sizeof(body));
    out.insert(out.end(), tail.begin(), tail.end());
    return out;
  }
  /// A frame as a Packet without per-packet information.
  static Bytes packet(std::span<const std::byte> frame,
                      std::optional<std::array<uint32_t, 2>> info = {}) {
    wire::rndis::Packet head{};
    head.data_offset = info ? 52 : 36;
    head.data_length = static_cast<uint32_t>(frame.size());
    Bytes tail;
    if (info) {
      head.ppi_offset = 36;
      head.ppi_length = 16;
      const uint32_t words[] = {16, (*info)[0], 12, (*info)[1]};
      const auto bytes = std::as_bytes(std::span(words));
      tail.assign(bytes.begin(), bytes.end());
    }
    tail.insert(tail.end(), frame.begin(), frame.end());
    return rndis(wire::rndis::MessageType::Packet, head, tail);
  }

  /// Sends an NVSP message. Its id, or nothing: no room.
  std::optional<uint64_t> send(std::span<const std::byte> payload,
                               std::span<const std::byte> extra = {},
                               wire::PacketType type = wire::PacketType::DataInBand,
                               bool completion = true) {
    if (!writer_.stage(type, completion ? wire::kPacketCompletionRequested : 0, next_id_, extra,
                       payload))
      return std::nullopt;
    if (writer_.commit() == vmbus::Signal::Yes) channel_.host_bell().ring();
    return next_id_++;
  }
  /// An RNDIS message in pages of its own.
  std::optional<uint64_t> send_pages(wire::netvsc::RndisChannel channel,
                                     std::span<const std::byte> message) {
    std::memcpy(machine_.memory(kMessagePage * 4096, message.size())->data(), message.data(),
                message.size());
    std::array<std::byte, 256> storage;
    vmbus::GpaDirectBuilder builder(storage);
    builder.range(static_cast<uint32_t>(message.size()), 0).take();
    for (uint64_t page = 0; page < (message.size() + 4095) / 4096; page++)
      builder.frame(kMessagePage + page).take();
    return send(nvsp(wire::netvsc::MessageType::SendRndisPacket,
                     wire::netvsc::RndisPacket{channel, wire::netvsc::kNoSection, 0}),
                builder.finish().take(), wire::PacketType::DataUsingGpaDirect);
  }
  /// RNDIS messages in a section of the send buffer.
  std::optional<uint64_t> send_section(uint32_t section, std::span<const std::byte> messages) {
    const uint64_t at = kReceivePages * 4096 + section * wire::netvsc::kSendSectionSize;
    std::memcpy(machine_.memory(at, messages.size())->data(), messages.data(), messages.size());
    return send(nvsp(wire::netvsc::MessageType::SendRndisPacket,
                     wire::netvsc::RndisPacket{wire::netvsc::RndisChannel::Data, section,
                                               static_cast<uint32_t>(messages.size())}));
  }

  struct Received {
    wire::PacketType type;
    uint64_t id;
    Bytes payload;
    std::vector<Bytes> messages;  ///< out of the receive buffer
  };
  /// The next packet of the host, or nothing.
  std::optional<Received> poll() {
    const auto packet = reader_.read(buffer_);
    if (!packet) return std::nullopt;
    Received out{
        packet->type, packet->transaction_id, {packet->payload.begin(), packet->payload.end()}, {}};
    if (packet->type == wire::PacketType::DataUsingTransferPages) {
      ByteReader reader(packet->extra);
      const auto head = reader.take<wire::TransferPageHeader>().take();
      for (uint32_t i = 0; i < head.range_count; i++) {
        const auto range = reader.take<wire::TransferPageRange>().take();
        if (range.byte_offset + range.byte_count > kReceivePages * 4096) __builtin_trap();
        const auto bytes = *machine_.memory(range.byte_offset, range.byte_count);
        out.messages.emplace_back(bytes.begin(), bytes.end());
      }
    }
    (void)reader_.commit();
    return out;
  }
  /// Gives a received packet's sections back.
  void complete(uint64_t id) {
    const auto payload = nvsp(wire::netvsc::MessageType::SendRndisPacketComplete,
                              wire::netvsc::RndisPacketComplete{wire::netvsc::Status::Success});
    if (writer_.stage(wire::PacketType::Completion, 0, id, {}, std::span(payload).first(8)))
      (void)writer_.commit();
  }

 private:
  FakeChannel& channel_;
  FakeMachine& machine_;
  vmbus::RingWriter writer_;
  vmbus::RingReader reader_;
  alignas(8) std::array<std::byte, 4096> buffer_{};
  uint64_t next_id_ = 1;
};

/// Runs of pages, as GPADLs have them.
inline std::vector<uint64_t> frames_from(uint64_t first, uint64_t count) {
  std::vector<uint64_t> frames(count);
  std::iota(frames.begin(), frames.end(), first);
  return frames;
}

}  // namespace hv::test
