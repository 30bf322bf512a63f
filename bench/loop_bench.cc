// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What one 4 KiB read costs in protocol: the core's storvsc, both rings and the host's storvsp in
// one thread, with a backend that moves nothing; against the same bytes in packets through the same
// rings with nobody looking at them.
#include <array>
#include <memory>
#include <vector>

#include "bench/support/compare.hpp"
#include "bench/support/port.hpp"
#include "core/storvsc/storvsc.h"
#include "host/backends/memory_backend.hpp"
#include "host/scsi/disk.hpp"
#include "host/storvsp/channel_service.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/support/storvsc_guest.hpp"

namespace {

using namespace hv;
using bench::succeed;
namespace proto = wire::storvsc;

constexpr size_t kSlots = 64;
constexpr uint32_t kPages = 1;
constexpr uint32_t kBytes = kPages * wire::kPageSize;

class Handle final : public host::vmbus::DeviceHandle {
 public:
  bool offer_sub_channels(uint16_t) override { return true; }
  void find_gpadl(uint16_t, uint32_t) override {}
};

/// Guest and host take turns in one thread. The guest is what the kernel module is: the core by its
/// face for C, rings mapped twice.
struct Bed {
  Bed() {
    shared.handle = &handle;
    shared.luns.add(
        {}, std::make_shared<host::scsi::Disk>(std::make_shared<host::NullBackend>(1ull << 30),
                                               host::scsi::DiskOptions{}));
    host_end.incoming().mask();
    const hv_port_rings rings = bench::rings_of(host_end);
    succeed(hv_storvsc_create(&machine, slots.data(), slots.size()));
    succeed(hv_storvsc_channel_create(&channel, &rings));
    hv_storvsc_handshake handshake;
    succeed(hv_storvsc_handshake_create(&handshake, 0, 0));
    while (!hv_storvsc_handshake_done(&handshake)) {
      succeed(hv_storvsc_handshake_send(&handshake, &machine, &channel));
      publish();
      service.step(io);
      hv_storvsc_event event;
      succeed(hv_storvsc_receive(&machine, &channel, &event));
      succeed(hv_storvsc_handshake_answer(&handshake, event.packet, event.packet_length));
      give_back();
    }
    hv_storvsc_properties properties;
    hv_storvsc_adopt(&machine, &handshake, &properties);
  }

  void publish() { bench::signal_host(host_end, hv_storvsc_publish(&channel)); }

  void give_back() { bench::signal_host(host_end, hv_storvsc_give_back(&channel)); }

  void submit(size_t slot) {
    std::array<uint64_t, HV_STORVSC_RANGE_WORDS + kPages> range;
    for (uint32_t i = 0; i < kPages; i++) range[HV_STORVSC_RANGE_WORDS + i] = slot * kPages + i;
    const auto cdb = test::read_write_16(false, slot * 8, kBytes / 512);
    hv_storvsc_request request{};
    request.cdb = cdb.data();
    request.cdb_length = static_cast<uint8_t>(cdb.size());
    request.direction = HV_STORVSC_READ;
    request.tagged = 1;
    request.length = kBytes;
    request.range = range.data();
    request.frame_count = kPages;
    succeed(hv_storvsc_submit(&machine, &channel, slot, &request));
  }

  size_t complete() {
    size_t count = 0;
    hv_storvsc_event event;
    int status;
    while ((status = hv_storvsc_receive(&machine, &channel, &event)) == HV_OK) {
      hv_storvsc_outcome outcome;
      hv_storvsc_judge(0x88, 0, kBytes, kBytes, &event.completion, &outcome);
      if (outcome.verdict != HV_STORVSC_DONE || outcome.moved != kBytes) __builtin_trap();
      count++;
    }
    if (status != HV_RING_EMPTY) __builtin_trap();
    give_back();
    return count;
  }

  void requests(unsigned count, unsigned depth) {
    for (unsigned done = 0; done < count; done += depth) {
      for (unsigned i = 0; i < depth; i++) submit(i);
      publish();
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
  test::FakeChannel host_end{ram, 0, 128 * 1024, true};
  host::IoQueue io;
  host::storvsp::ChannelService service{host_end, shared};
  std::array<hv_storvsc_slot, kSlots + HV_STORVSC_CONTROL_SLOTS> slots{};
  hv_storvsc machine;
  hv_storvsc_channel channel;
};

/// The same packets, as bytes.
struct RingsAlone {
  void requests(unsigned count, unsigned depth) {
    const std::array<std::byte, vmbus::GpaDirectBuilder::size_for(kPages)> extra{};
    const std::array<std::byte, proto::kPacketSize> packet{};
    for (unsigned done = 0; done < count; done += depth) {
      for (unsigned i = 0; i < depth; i++)
        to_host.stage(wire::PacketType::DataUsingGpaDirect, 1, i, extra, packet).take();
      bench::keep(to_host.commit());
      for (unsigned i = 0; i < depth; i++) bench::keep(in_host.read(buffer).take());
      bench::keep(in_host.commit());
      for (unsigned i = 0; i < depth; i++)
        to_guest.stage(wire::PacketType::Completion, 0, i, {}, packet).take();
      bench::keep(to_guest.commit());
      for (unsigned i = 0; i < depth; i++) bench::keep(in_guest.read(buffer).take());
      bench::keep(in_guest.commit());
    }
  }

  test::RingPages a{128 * 1024, true}, b{128 * 1024, true};
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
    cases.push_back({"4 KiB read, depth " + std::to_string(depth), "request",
                     "the same packets in two rings",
                     [bed, depth](unsigned count) { bed->requests(count, depth); },
                     [rings, depth](unsigned count) { rings->requests(count, depth); }});
  }
  return bench::run(argc, argv,
                    "loop: a request from the core through the host and back, null backend",
                    "core storvsc, two rings, storvsp, SCSI disk", cases);
}
