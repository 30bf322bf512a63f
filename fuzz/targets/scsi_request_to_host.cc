// SPDX-License-Identifier: GPL-2.0-only OR MIT
// A hostile guest against storvsp and its SCSI units: any packets, any CDBs, any page lists, over
// real rings. Every packet that asked for an answer is answered exactly once or the channel is
// broken off; no memory but the guest's is touched; the medium keeps its size.
#include <array>
#include <cstring>
#include <map>
#include <memory>

#include "fuzz/support/input.hpp"
#include "host/backends/memory_backend.hpp"
#include "host/scsi/disk.hpp"
#include "host/scsi/dvd.hpp"
#include "host/storvsp/channel_service.hpp"
#include "tests/support/fake_channel.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/support/storage_guest.hpp"

using namespace hv;
namespace proto = wire::storvsc;
using host::storvsp::ChannelService;
using host::storvsp::ControllerShared;

namespace {

constexpr size_t kPages = 24;

/// Made once: a machine maps memory.
test::FakeMachine& machine() {
  static test::FakeMachine one(kPages);
  return one;
}

struct Host {
  explicit Host(bool announce_first) {
    shared.luns.add({0, 0, 0}, std::make_shared<host::scsi::Disk>(disk, host::scsi::DiskOptions{}));
    shared.luns.add({0, 0, 1}, std::make_shared<host::scsi::Disk>(
                                   read_only, host::scsi::DiskOptions{.block_size = 4096}));
    shared.luns.add({0, 0, 2}, std::make_shared<host::scsi::Dvd>(image, host::scsi::DiskId{}));
    if (announce_first) service.luns_changed(true);
  }

  std::shared_ptr<host::MemoryBackend> disk = std::make_shared<host::MemoryBackend>(64 * 512);
  std::shared_ptr<host::MemoryBackend> read_only =
      std::make_shared<host::MemoryBackend>(4 * 4096, true);
  std::shared_ptr<host::MemoryBackend> image =
      std::make_shared<host::MemoryBackend>(8 * 2048, true);
  test::FakeChannel channel{machine(), 0, 4096};
  ControllerShared shared{{.max_transfer_bytes = 16 * 4096, .max_sub_channels = 2}};
  ChannelService service{channel, shared};
  host::IoQueue queue{false};
};

class Guest {
 public:
  Guest(Host& host, fuzz::Input& input)
      : host_(host),
        input_(input),
        writer_(host.channel.to_host().writer()),
        reader_(host.channel.to_guest().reader()) {}

  void run() {
    if (input_.take<uint8_t>() & 1) negotiate();
    while (!input_.empty()) {
      switch (input_.take<uint8_t>() % 8) {
        case 0:
          garbage();
          break;
        case 1:
          control();
          break;
        case 2:
          host_.disk->fail_next(input_.take<uint8_t>() & 1 ? 28 : 5);
          break;
        case 3:
          host_.service.step(host_.queue);
          break;
        case 4:
          drain();
          break;
        default:
          command();
          break;
      }
    }
    for (int i = 0; i < 200 && !owed_.empty() && host_.channel.failure.empty(); i++) {
      host_.service.step(host_.queue);
      drain();
    }
    // What was asked is answered, unless the guest broke the protocol.
    if (host_.channel.failure.empty() && !owed_.empty()) __builtin_trap();
    if (host_.disk->size() != 64 * 512 || host_.read_only->size() != 4 * 4096) __builtin_trap();
  }

 private:
  void send(wire::PacketType type, uint16_t flags, std::span<const std::byte> extra,
            std::span<const std::byte> payload) {
    const uint64_t id = next_id_;
    if (!writer_.stage(type, flags, id, extra, payload)) return;
    if (type != wire::PacketType::Completion) owed_[id] = true;
    next_id_++;
    (void)writer_.commit();
  }

  std::vector<std::byte> packet(proto::Operation operation) {
    std::vector<std::byte> bytes(proto::kPacketSize);
    const proto::Header header{operation, proto::kRequestCompletion, 0};
    std::memcpy(bytes.data(), &header, sizeof(header));
    return bytes;
  }

  void negotiate() {
    constexpr std::array steps = {
        proto::Operation::BeginInitialization, proto::Operation::QueryProtocolVersion,
        proto::Operation::QueryProperties, proto::Operation::EndInitialization};
    for (const auto step : steps) {
      auto bytes = packet(step);
      const proto::ProtocolVersion version{
          input_.take<uint8_t>() & 1 ? proto::Version::Win7 : proto::Version::Win10, 0};
      std::memcpy(bytes.data() + sizeof(proto::Header), &version, sizeof(version));
      send(wire::PacketType::DataInBand, wire::kPacketCompletionRequested, {}, bytes);
      host_.service.step(host_.queue);
      drain();
    }
  }

  void garbage() {
    constexpr std::array types = {wire::PacketType::DataInBand,
                                  wire::PacketType::DataUsingGpaDirect,
                                  wire::PacketType::Completion};
    const auto type = types[input_.number(2)];
    const auto extra = std::as_bytes(input_.bytes(input_.number(8) * 8u));
    const auto payload = std::as_bytes(input_.bytes(input_.number(80)));
    send(type, input_.take<uint8_t>() & 3, extra.first(extra.size() / 8 * 8), payload);
  }

  void control() {
    auto bytes = packet(static_cast<proto::Operation>(input_.number(16)));
    const auto body = input_.bytes(4);
    if (!body.empty()) std::memcpy(bytes.data() + sizeof(proto::Header), body.data(), body.size());
    if (input_.take<uint8_t>() & 1) bytes.resize(input_.number(64));
    send(wire::PacketType::DataInBand, wire::kPacketCompletionRequested, {}, bytes);
  }

  void command() {
    auto bytes = packet(proto::Operation::ExecuteSrb);
    proto::ScsiRequest request{};
    request.length = 52;
    request.lun = static_cast<uint8_t>(input_.number(3));
    request.target_id = input_.take<uint8_t>() == 7;
    request.direction = static_cast<proto::Direction>(input_.number(3));
    request.cdb_length = static_cast<uint8_t>(input_.take<uint8_t>() % 20);
    const auto cdb = input_.bytes(16);
    if (!cdb.empty()) std::memcpy(request.cdb_or_sense.data(), cdb.data(), cdb.size());
    const size_t frames = input_.number(20);
    request.transfer_length = frames == 0
                                  ? input_.number(1) * 512
                                  : input_.number(static_cast<uint32_t>(frames) * 4096 + 512);
    std::memcpy(bytes.data() + sizeof(proto::Header), &request, sizeof(request));
    std::vector<std::byte> extra(vmbus::GpaDirectBuilder::size_for(frames));
    const wire::GpaDirectHeader header{0, input_.take<uint8_t>() == 3 ? 2u : 1u};
    const uint32_t offset = input_.take<uint16_t>() % 5000;
    const wire::GpaRangeHeader range{
        static_cast<uint32_t>(frames * 4096) - (frames ? offset % 4096 : 0), offset};
    std::memcpy(extra.data(), &header, sizeof(header));
    std::memcpy(extra.data() + sizeof(header), &range, sizeof(range));
    for (size_t i = 0; i < frames; i++) {
      const uint64_t frame = input_.take<uint8_t>() % (kPages + 1);
      std::memcpy(extra.data() + sizeof(header) + sizeof(range) + i * 8, &frame, 8);
    }
    const auto type =
        frames == 0 ? wire::PacketType::DataInBand : wire::PacketType::DataUsingGpaDirect;
    send(type, wire::kPacketCompletionRequested, frames == 0 ? std::span<const std::byte>() : extra,
         bytes);
  }

  void drain() {
    while (true) {
      const auto packet = reader_.read(buffer_);
      if (!packet) {
        if (packet.error() != Error::RingEmpty) __builtin_trap();
        break;
      }
      if (packet->type == wire::PacketType::Completion) {
        if (owed_.erase(packet->transaction_id) != 1)
          __builtin_trap();  // answered twice, or never asked
        if (packet->payload.size() < sizeof(proto::Header)) __builtin_trap();
      } else if (packet->transaction_id != 0) {
        __builtin_trap();
      }
    }
    (void)reader_.commit();
  }

  Host& host_;
  fuzz::Input& input_;
  vmbus::RingWriter writer_;
  vmbus::RingReader reader_;
  std::map<uint64_t, bool> owed_;
  std::array<std::byte, 4096> buffer_{};
  uint64_t next_id_ = 1;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  Host host(input.take<uint8_t>() & 1);
  Guest(host, input).run();
  return 0;
}
