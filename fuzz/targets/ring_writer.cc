// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The producer's side of a ring: against a hostile consumer nothing is written outside the ring and
// no data is read back; with an honest consumer every packet arrives whole, whatever the order of
// steps.
#include <algorithm>
#include <array>
#include <deque>

#include "core/vmbus/ring.hpp"
#include "fuzz/support/input.hpp"
#include "fuzz/support/ring_buffers.hpp"
#include "fuzz/support/shared_hook.hpp"

using namespace hv;
using namespace hv::vmbus;

namespace {

struct Sent {
  uint64_t id;
  size_t extra, payload;
  uint8_t fill;
};

enum Step : uint8_t {
  Stage,
  CommitStaged,
  Revert,
  FreeBytes,
  WaitForSpace,
  PeerReads,
  PeerGivesBack,
  PeerMoves,
  PeerMasks,
  kSteps
};

void expect(const Packet& packet, const Sent& sent) {
  if (packet.transaction_id != sent.id || packet.extra.size() != sent.extra ||
      packet.payload.size() != align_up(sent.payload, 8))
    __builtin_trap();
  for (const auto byte : packet.extra)
    if (byte != std::byte{sent.fill}) __builtin_trap();
  for (size_t i = 0; i < packet.payload.size(); i++) {
    if (packet.payload[i] != (i < sent.payload ? std::byte{sent.fill} : std::byte{0}))
      __builtin_trap();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const auto mode = input.take<uint8_t>();
  const bool mirrored = mode & 1;
  const bool honest = mode & 2;
  const auto bytes = fuzz::ring_bytes(mirrored);
  const auto memory = RingMemory::create(bytes, mirrored).take();
  auto& control = memory.control();
  control.read_index = control.write_index = input.take<uint16_t>() % 512 * 8u;
  auto reader = RingReader::create(memory).take();
  const auto script = honest ? std::span<const uint8_t>() : input.bytes(input.take<uint8_t>());

  std::array<std::byte, 1024> content;
  std::array<std::byte, 4096> buffer;
  std::deque<Sent> staged, published;
  uint64_t id = 0;
  auto writer = RingWriter::create(memory).take();
  while (!input.empty()) {
    const auto step = input.take<uint8_t>() % kSteps;
    const auto argument = input.take<uint8_t>();
    if (step == PeerReads) {
      if (!honest) continue;
      auto packet = reader.read(buffer);
      if (packet.ok() == published.empty()) __builtin_trap();
      if (!packet) continue;
      expect(*packet, published.front());
      published.pop_front();
      continue;
    }
    if (step == PeerGivesBack) {
      if (honest) (void)reader.commit();
      continue;
    }
    if (step == PeerMoves) {
      if (!honest)
        control.read_index =
            (control.read_index + argument * 8u) % (fuzz::kRingData + (argument == 255 ? 8 : 0));
      continue;
    }
    if (step == PeerMasks) {
      control.interrupt_mask = argument & 1;
      continue;
    }

    fuzz::SharedRing shared(bytes, mirrored, fuzz::SharedRing::Side::Producer, script);
    if (step == Stage) {
      const Sent sent{id++, argument % 8 * 8u, input.take<uint16_t>() % 1000u,
                      static_cast<uint8_t>(argument + id)};
      content.fill(std::byte{sent.fill});
      const auto result = writer.stage(wire::PacketType::DataUsingGpaDirect, argument & 1, sent.id,
                                       std::span(content).first(sent.extra),
                                       std::span(content).first(sent.payload));
      if (result)
        staged.push_back(sent);
      else if (honest && result.error() != Error::RingFull)
        __builtin_trap();
    } else if (step == CommitStaged) {
      (void)writer.commit();
      published.insert(published.end(), staged.begin(), staged.end());
      staged.clear();
      if (control.write_index >= fuzz::kRingData || control.write_index % 8 != 0) __builtin_trap();
    } else if (step == Revert) {
      writer.revert();
      staged.clear();
    } else if (step == FreeBytes) {
      const auto free = writer.free_bytes();
      if (free && *free > writer.capacity()) __builtin_trap();
      if (honest && !free) __builtin_trap();
    } else {
      const auto room = writer.wait_for_space(argument * 16u);
      if (honest && !room) __builtin_trap();
    }
  }
  return 0;
}
