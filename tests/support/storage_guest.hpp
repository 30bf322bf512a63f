// SPDX-License-Identifier: GPL-2.0-only OR MIT
#pragma once

#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "core/vmbus/gpa_direct.hpp"
#include "core/wire/storvsc.hpp"
#include "tests/support/fake_channel.hpp"

namespace hv::test {

/// The smallest storvsc there can be, written by hand from the protocol: builds packets, reads
/// completions. One thread.
class StorageGuest {
 public:
  struct Completion {
    uint64_t transaction_id;
    wire::PacketType type;
    wire::storvsc::Header header;
    std::vector<std::byte> body;

    template <typename T>
    T as() const {
      T value{};
      std::memcpy(&value, body.data(), std::min(body.size(), sizeof(T)));
      return value;
    }
    wire::storvsc::ScsiRequest scsi() const { return as<wire::storvsc::ScsiRequest>(); }
  };

  explicit StorageGuest(FakeChannel& channel)
      : channel_(channel),
        writer_(channel.to_host().writer()),
        reader_(channel.to_guest().reader()) {}

  size_t packet_size = wire::storvsc::kPacketSize;

  /// Sends a packet of the negotiation and waits for its answer.
  template <typename T = uint32_t>
  Completion control(wire::storvsc::Operation operation, const T& body = {}) {
    std::vector<std::byte> packet = header(operation);
    std::memcpy(packet.data() + sizeof(wire::storvsc::Header), &body, sizeof(body));
    send(wire::PacketType::DataInBand, next_id_, {}, packet);
    return wait(next_id_++);
  }

  /// Everything up to END_INITIALIZATION.
  wire::storvsc::ChannelProperties negotiate(
      wire::storvsc::Version version = wire::storvsc::Version::Win10) {
    using wire::storvsc::Operation;
    control(Operation::BeginInitialization);
    control(Operation::QueryProtocolVersion, wire::storvsc::ProtocolVersion{version, 0});
    const auto properties =
        control(Operation::QueryProperties).as<wire::storvsc::ChannelProperties>();
    control(Operation::EndInitialization);
    return properties;
  }

  struct Command {
    std::vector<uint8_t> cdb;
    wire::storvsc::Direction direction = wire::storvsc::Direction::None;
    uint32_t length = 0;
    std::vector<uint64_t> frames{};
    uint32_t offset = 0;
    uint8_t path = 0, target = 0, lun = 0;
  };

  /// Stages a command; `kick` shows it to the host. Returns its id, or nothing when the ring is
  /// full.
  std::optional<uint64_t> stage(const Command& command) {
    std::vector<std::byte> packet = header(wire::storvsc::Operation::ExecuteSrb);
    wire::storvsc::ScsiRequest request{};
    request.length = static_cast<uint16_t>(packet_size - sizeof(wire::storvsc::Header));
    request.path_id = command.path;
    request.target_id = command.target;
    request.lun = command.lun;
    request.cdb_length = static_cast<uint8_t>(command.cdb.size());
    request.sense_length = wire::storvsc::kSenseSize;
    request.direction = command.direction;
    request.transfer_length = command.length;
    std::memcpy(request.cdb_or_sense.data(), command.cdb.data(), command.cdb.size());
    std::memcpy(packet.data() + sizeof(wire::storvsc::Header), &request, sizeof(request));
    std::vector<std::byte> storage(vmbus::GpaDirectBuilder::size_for(command.frames.size()));
    std::span<const std::byte> extra;
    if (command.length > 0) {
      vmbus::GpaDirectBuilder builder(storage);
      builder.range(command.length, command.offset).take();
      for (const uint64_t frame : command.frames) builder.frame(frame).take();
      extra = builder.finish().take();
    }
    const auto type =
        extra.empty() ? wire::PacketType::DataInBand : wire::PacketType::DataUsingGpaDirect;
    if (!writer_.stage(type, wire::kPacketCompletionRequested, next_id_, extra, packet))
      return std::nullopt;
    return next_id_++;
  }
  void kick() {
    if (writer_.commit() == vmbus::Signal::Yes) channel_.host_bell().ring();
  }
  Completion execute(const Command& command) {
    const uint64_t id = stage(command).value();
    kick();
    return wait(id);
  }

  /// The next packet of the host, or nothing when there is none now.
  std::optional<Completion> poll() {
    const auto packet = reader_.read(buffer_);
    if (!packet) return std::nullopt;
    Completion completion{packet->transaction_id, packet->type, {}, {}};
    std::memcpy(&completion.header, packet->payload.data(), sizeof(completion.header));
    completion.body.assign(packet->payload.begin() + sizeof(completion.header),
                           packet->payload.end());
    if (reader_.commit() == vmbus::Signal::Yes) channel_.host_bell().ring();
    return completion;
  }
  /// Waits for any packet. Throws std::bad_optional_access when none comes.
  Completion next() {
    while (true) {
      if (auto packet = poll()) return std::move(*packet);
      if (reader_.unmask().take()) continue;
      if (!channel_.guest_bell().wait()) throw std::bad_optional_access();
    }
  }
  /// Sends any bytes at all.
  void send(wire::PacketType type, uint64_t id, std::span<const std::byte> extra,
            std::span<const std::byte> payload, bool completion = true) {
    writer_.stage(type, completion ? wire::kPacketCompletionRequested : 0, id, extra, payload)
        .take();
    kick();
  }

 private:
  std::vector<std::byte> header(wire::storvsc::Operation operation) const {
    std::vector<std::byte> packet(packet_size);
    const wire::storvsc::Header head{operation, wire::storvsc::kRequestCompletion, 0};
    std::memcpy(packet.data(), &head, sizeof(head));
    return packet;
  }
  Completion wait(uint64_t id) {
    while (true) {
      Completion completion = next();
      if (completion.transaction_id == id && completion.type == wire::PacketType::Completion)
        return completion;
    }
  }

  FakeChannel& channel_;
  vmbus::RingWriter writer_;
  vmbus::RingReader reader_;
  std::array<std::byte, 4096> buffer_{};
  uint64_t next_id_ = 1;
};

}  // namespace hv::test
