// SPDX-License-Identifier: GPL-2.0-only OR MIT
// What one frame costs in protocol: the core's netvsc, both rings and the host's netvsp in one
// thread, with a backend that moves nothing, or one that sends every frame back; against memcpy of
// the same bytes as often as they have to be copied.
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "bench/support/compare.hpp"
#include "bench/support/copies.hpp"
#include "bench/support/port.hpp"
#include "core/netvsc/netvsc.h"
#include "host/backends/net_backend.hpp"
#include "host/netvsp/channel_service.hpp"
#include "tests/support/fake_machine.hpp"
#include "tests/support/network_guest.hpp"

namespace {

using namespace hv;
using bench::succeed;

constexpr size_t kPage = wire::kPageSize;
constexpr size_t kRing = 128 * 1024;
constexpr unsigned kBurst = 32;
constexpr uint32_t kLarge = 64 * 1024;
constexpr uint32_t kPieces = 2;  // a socket's memory comes in 32 KiB
constexpr hv_netvsc_plan kPlan{.sections = 128, .pages = 64};
// Guest memory, in pages: the buffers, a message, the headers of frames in pages, one such frame.
constexpr uint64_t kReceive = 0, kReceivePages = 512, kSend = kReceive + kReceivePages,
                   kSendPages = 256, kMessage = kSend + kSendPages, kHeaders = kMessage + 1,
                   kHeaderPages = kPlan.pages * HV_NETVSC_HEADER_ROOM / kPage,
                   kData = kHeaders + kHeaderPages, kDataPages = kLarge / kPage,
                   kPages = kData + kDataPages;

/// Guest and host take turns in one thread. The guest is what the kernel module is: the core by its
/// face for C, rings mapped twice.
struct Bed {
  explicit Bed(std::unique_ptr<host::NetBackend> backend) : net(std::move(backend)) {
    shared.handle = &handle;
    handle.machine = &machine;
    handle.service = &service;
    handle.gpadls[1] = test::frames_from(kReceive, kReceivePages);
    handle.gpadls[2] = test::frames_from(kSend, kSendPages);
    net->start(
        [this](host::net::Frame&& frame) { service.deliver(std::move(frame), std::nullopt); });
    const hv_port_rings rings = bench::rings_of(channel);
    succeed(hv_netvsc_queue_create(&queue, memory.data(), memory.size() * sizeof(memory[0]), &kPlan,
                                   &rings, 1));
    open();
    discover();
    write_large_frame();
  }

  void open() {
    const hv_netvsc_wishes wishes{.mtu = 1500, .virtual_function = 0, .isolated = 0};
    hv_netvsc_opening_create(&opening, &wishes);
    int state;
    while ((state = hv_netvsc_opening_state(&opening)) != HV_NETVSC_OPENED) {
      if (state == HV_NETVSC_AT_RECEIVE_BUFFER)
        succeed(hv_netvsc_opening_give(&opening, 1, kReceivePages * kPage));
      if (state == HV_NETVSC_AT_SEND_BUFFER)
        succeed(hv_netvsc_opening_give(&opening, 2, kSendPages * kPage));
      int wants_answer = 0;
      succeed(hv_netvsc_opening_send(&opening, &queue, &wants_answer));
      publish();
      if (wants_answer) await(HV_NETVSC_ANSWERED);
    }
    hv_netvsc_opened opened;
    hv_netvsc_opening_result(&opening, &opened);
    hv_netvsc_share_receive(&queue, at(kReceive),
                            opened.receive_sections * opened.receive_section_size, opened.version);
    succeed(
        hv_netvsc_share_send(&queue, at(kSend), opened.send_section_size, 0, opened.send_sections));
  }

  void discover() {
    hv_netvsc_conversation_create(&conversation);
    hv_netvsc_discovery discovery;
    hv_netvsc_discovery_create(&discovery, &opening, 0);
    while (!hv_netvsc_discovery_done(&discovery)) {
      const int bytes = hv_netvsc_discovery_write(&discovery, &conversation, at(kMessage),
                                                  HV_NETVSC_MOST_CONTROL);
      if (bytes <= 0) __builtin_trap();
      succeed(hv_netvsc_send_control(&queue, kMessage * kPage, static_cast<uint32_t>(bytes)));
      publish();
      await(HV_NETVSC_CONTROL);
      succeed(hv_netvsc_discovery_answer(&discovery, &conversation));
    }
    hv_netvsc_facts facts;
    hv_netvsc_discovery_facts(&discovery, &facts);
    hv_netvsc_adopt_limits(&queue, &facts);
  }

  /// Of the dialogue: takes what comes until that has come.
  void await(int kind) {
    bool came = false;
    while (!came) {
      service.step();
      receive([&](const hv_netvsc_event& event) {
        came |= event.kind == kind;
        uint32_t value;
        if (event.kind == HV_NETVSC_ANSWERED)
          succeed(hv_netvsc_opening_answer(&opening, event.bytes, event.length));
        if (event.kind == HV_NETVSC_CONTROL)
          hv_netvsc_control(&conversation, event.bytes, event.length, &value);
      });
    }
  }

  void publish() { bench::signal_host(channel, hv_netvsc_publish(&queue)); }

  /// One round of polling, as the kernel module's.
  template <typename Understand>
  void receive(Understand understand) {
    hv_netvsc_mask(&queue);
    hv_netvsc_event event;
    int status;
    while ((status = hv_netvsc_next(&queue, &event)) == HV_OK) understand(event);
    if (status != HV_RING_EMPTY) __builtin_trap();
    bench::signal_host(channel, hv_netvsc_finish_round(&queue, 1, 0).signal);
    bench::signal_host(channel, hv_netvsc_give_back(&queue));
    if (hv_netvsc_unmask_behind(&queue, hv_netvsc_position(&queue)) != 0) __builtin_trap();
  }

  /// The host's turn, then ours: what was sent is completed, what came back is copied out.
  void turn() {
    service.step();
    receive([this](const hv_netvsc_event& event) {
      if (event.kind == HV_NETVSC_SENT) {
        if (!event.good) __builtin_trap();
        hv_netvsc_release(&queue, event.slot);
      } else if (event.kind == HV_NETVSC_FRAME) {
        std::byte* to = taken.data();
        for (uint32_t i = 0; i < event.fragment_count; i++) {
          std::memcpy(to, event.fragments[i].data, event.fragments[i].length);
          to += event.fragments[i].length;
        }
        bench::keep(taken);
        received++;
      }
    });
  }

  /// Frames that are copied into sections, as many in one as there is room for. `back`: each of
  /// them comes back.
  void copied(unsigned count, unsigned burst, uint32_t length, bool back) {
    hv_netvsc_frame frame{};
    frame.length = length;
    received = 0;
    for (unsigned done = 0; done < count; done += burst) {
      for (unsigned i = 0; i < burst; i++) {
        void* place;
        succeed(hv_netvsc_copy(&queue, &frame, &place));
        std::memcpy(place, payload.data(), length);
      }
      publish();
      do turn();
      while (back && received < done + burst);
    }
    if (hv_netvsc_in_flight(&queue) != 0) __builtin_trap();
  }

  /// Large frames, which the host reads where they lie.
  void by_pages(unsigned count, unsigned burst) {
    hv_netvsc_frame frame{};
    frame.length = kLarge;
    frame.offload = HV_NETVSC_LARGE_SEND;
    frame.transport_offset = 34;
    frame.segment = 1460;
    for (unsigned done = 0; done < count; done += burst) {
      for (unsigned i = 0; i < burst; i++) send_large(frame);
      publish();
      turn();
    }
    if (hv_netvsc_in_flight(&queue) != 0) __builtin_trap();
  }

  void send_large(const hv_netvsc_frame& frame) {
    const int slot = hv_netvsc_take_pages(&queue);
    if (slot < 0) __builtin_trap();
    const auto number = static_cast<uint32_t>(slot);
    const uint64_t header =
        kHeaders * kPage + hv_netvsc_page_index(&queue, number) * HV_NETVSC_HEADER_ROOM;
    succeed(hv_netvsc_list_header(&queue, &frame, header));
    for (uint32_t i = 0; i < kPieces; i++)
      succeed(hv_netvsc_list_piece(&queue, (kData + i * kDataPages / kPieces) * kPage,
                                   kLarge / kPieces));
    succeed(hv_netvsc_send_pages(&queue, number, &frame, at(header / kPage) + header % kPage));
  }

  /// As the stack hands it to a driver: TCP in IPv4, whose length and checksums the host is to fill
  /// in.
  void write_large_frame() {
    constexpr std::array<uint8_t, 54> kHead = {
        0x20, 0, 0,    0, 0,  1, 0x20, 0, 0,  0, 0,    2,    8,  0, 0x45, 0, 0, 0,
        0,    1, 0x40, 0, 64, 6, 0,    0, 10, 0, 0,    1,    10, 0, 0,    2, 4, 0,
        8,    0, 0,    0, 0,  1, 0,    0, 0,  1, 0x50, 0x10, 1,  0, 0,    0, 0, 0};
    std::memcpy(at(kData), kHead.data(), kHead.size());
  }

  std::byte* at(uint64_t page) { return machine.memory(page * kPage, kPage)->data(); }

  test::FakeMachine machine{kPages};
  test::FakeChannel channel{machine, 0, kRing, true};
  std::unique_ptr<host::NetBackend> net;
  host::netvsp::NicShared shared{
      {.newest = wire::netvsc::Version::V6_1, .queues = 1},
      {.mac = host::netvsp::parse_mac("00:15:5d:01:02:03").value(), .name = "nic0"},
      *net};
  host::netvsp::ChannelService service{channel, shared};
  test::NetHandle handle;
  std::vector<uint64_t> memory =
      std::vector<uint64_t>(hv_netvsc_queue_bytes(&kPlan) / sizeof(uint64_t) + 1);
  hv_netvsc_queue queue;
  hv_netvsc_opening opening;
  hv_netvsc_conversation conversation;
  std::vector<std::byte> payload = std::vector<std::byte>(2048, std::byte{7});
  std::vector<std::byte> taken = std::vector<std::byte>(kLarge);
  unsigned received = 0;
};

/// Memory that the floors under A copy into and out of: as large as the send buffer.
struct Floor {
  explicit Floor(size_t length) : copies(shared, length, (length + 44 + 31) / 32 * 32) {}
  std::vector<std::byte> shared = std::vector<std::byte>(kSendPages * kPage);
  bench::Copies copies;
};

}  // namespace

int main(int argc, char** argv) {
  const auto null = std::make_shared<Bed>(std::make_unique<host::NullNet>());
  const auto echo = std::make_shared<Bed>(std::make_unique<host::EchoNet>());
  std::vector<bench::Case> cases;
  for (const unsigned burst : {1u, kBurst}) {
    const std::string suffix = ", burst " + std::to_string(burst);
    for (const uint32_t length : {64u, 1500u}) {
      const auto floor = std::make_shared<Floor>(length);
      const std::string bytes = std::to_string(length) + " bytes";
      cases.push_back(
          {bytes + suffix, "packet", "memcpy in and out",
           [null, burst, length](unsigned count) { null->copied(count, burst, length, false); },
           [floor, burst](unsigned count) { floor->copies.in_and_out(count, burst); }});
      cases.push_back(
          {bytes + " echo" + suffix, "packet", "memcpy in and out, twice",
           [echo, burst, length](unsigned count) { echo->copied(count, burst, length, true); },
           [floor, burst](unsigned count) { floor->copies.in_and_out(2 * count, burst); }});
    }
    const auto floor = std::make_shared<Floor>(kLarge);
    cases.push_back({"64 KiB LSO" + suffix, "packet", "memcpy out",
                     [null, burst](unsigned count) { null->by_pages(count, burst); },
                     [floor](unsigned count) { floor->copies.out(count); }});
  }
  return bench::run(
      argc, argv,
      "netvsc: a frame from the core through the host, null backend; and back, echo backend",
      "core netvsc, two rings, netvsp", cases);
}
