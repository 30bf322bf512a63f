// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What one 4 KiB read costs in protocol: the core's storvsc, both rings and the host's storvsp in one thread, with a backend that moves nothing;
// against the same bytes in packets through the same rings with nobody looking at them.
#include <array>
#include <memory>
#include <vector>

#include "bench/support/compare.hpp"
#include "core/storvsc/outcome.hpp"
#include "host/backends/memory_backend.hpp"
#include "host/scsi/disk.hpp"
#include "host/storvsp/channel_service.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/support/storvsc_guest.hpp"

namespace {

using namespace hv;
namespace proto = wire::storvsc;

constexpr size_t kSlots = 64;
constexpr uint32_t kPages = 1;
constexpr uint32_t kBytes = kPages * wire::kPageSize;

class Handle final : public host::vmbus::DeviceHandle {
 public:
  bool offer_sub_channels(uint16_t) override { return true; }
  void find_gpadl(uint16_t, uint32_t) override {}
};

/// Guest and host take turns in one thread.
struct Bed {
  Bed() {
    shared.handle = &handle;
    shared.luns.add({}, std::make_shared<host::scsi::Disk>(std::make_shared<host::NullBackend>(1ull << 30), host::scsi::DiskOptions{}));
    channel.incoming().mask();
    storvsc::Handshake handshake({});
    while (!handshake.done()) {
      guest.machine().submit(queue, storvsc::Machine::Control::Dialogue, handshake.packet()).take();
      queue.publish();
      service.step(io);
      queue.drain([&](const vmbus::Packet& packet) { handshake.answered(guest.machine().receive(packet).take().packet).take(); });
    }
    guest.machine().adopt(handshake.properties().dialect);
  }

  void submit(size_t slot) {
    std::array<std::byte, vmbus::GpaDirectBuilder::size_for(kPages)> storage;
    vmbus::GpaDirectBuilder ranges(storage);
    ranges.range(kBytes, 0).take();
    for (uint32_t i = 0; i < kPages; i++) ranges.frame(slot * kPages + i).take();
    const auto cdb = test::read_write_16(false, slot * 8, kBytes / 512);
    guest.machine().submit(queue, slot, {{0, 0, 0}, 0, proto::Direction::Read, true, kBytes, cdb}, ranges.finish().take()).take();
  }

  size_t complete() {
    return queue.drain([&](const vmbus::Packet& packet) {
      const auto event = guest.machine().receive(packet).take();
      const auto outcome = storvsc::judge({.opcode = 0x88, .fibre_channel = false, .length = kBytes, .least = kBytes}, event.completion);
      if (outcome.verdict != storvsc::Verdict::Done || outcome.moved != kBytes) __builtin_trap();
    });
  }

  void requests(unsigned count, unsigned depth) {
    for (unsigned done = 0; done < count; done += depth) {
      for (unsigned i = 0; i < depth; i++) submit(i);
      queue.publish();
      size_t back = 0;
      while (back < depth) {
        service.step(io);
        back += complete();
      }
    }
  }

  test::FakeMachine ram{kSlots * kPages};
  Handle handle;
  host::storvsp::ControllerShared shared{host::storvsp::SessionLimits{}};
  test::FakeChannel channel{ram, 0, 128 * 1024};
  host::IoQueue io;
  host::storvsp::ChannelService service{channel, shared};
  test::GuestQueue queue{channel};
  test::StorvscGuest guest{kSlots};
};

/// The same packets, as bytes.
struct RingsAlone {
  void requests(unsigned count, unsigned depth) {
    const std::array<std::byte, vmbus::GpaDirectBuilder::size_for(kPages)> extra{};
    const std::array<std::byte, proto::kPacketSize> packet{};
    const std::array<std::span<const std::byte>, 1> parts{packet};
    for (unsigned done = 0; done < count; done += depth) {
      for (unsigned i = 0; i < depth; i++) to_host.stage(wire::PacketType::DataUsingGpaDirect, 1, i, extra, parts).take();
      bench::keep(to_host.commit());
      for (unsigned i = 0; i < depth; i++) bench::keep(in_host.read(buffer).take());
      bench::keep(in_host.commit());
      for (unsigned i = 0; i < depth; i++) to_guest.stage(wire::PacketType::Completion, 0, i, {}, parts).take();
      bench::keep(to_guest.commit());
      for (unsigned i = 0; i < depth; i++) bench::keep(in_guest.read(buffer).take());
      bench::keep(in_guest.commit());
    }
  }

  test::RingPages a{128 * 1024}, b{128 * 1024};
  vmbus::RingWriter to_host = a.writer(), to_guest = b.writer();
  vmbus::RingReader in_host = a.reader(), in_guest = b.reader();
  std::array<std::byte, 256> buffer;
};

}  // namespace

int main(int argc, char** argv) {
  const auto bed = std::make_shared<Bed>();
  const auto rings = std::make_shared<RingsAlone>();
  std::vector<bench::Case> cases;
  for (const unsigned depth : {1u, 8u, 32u}) {
    cases.push_back({"4 KiB read, depth " + std::to_string(depth), "request", [bed, depth](unsigned count) { bed->requests(count, depth); },
                     [rings, depth](unsigned count) { rings->requests(count, depth); }});
  }
  return bench::run(argc, argv, "loop: a request from the core through the host and back, null backend",
                    "core storvsc, two rings, storvsp, SCSI disk", "two rings with packets of the same size", cases);
}
