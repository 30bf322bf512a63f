// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The consumer's side of a ring whose producer is hostile, as guest and as host: nothing outside
// the ring is read, nothing is read twice, every view lies in the private copy, and what a host
// would read as GPA ranges is parsed too.
#include <array>
#include <cstring>

#include "core/vmbus/gpa_direct.hpp"
#include "core/vmbus/ring.hpp"
#include "fuzz/support/input.hpp"
#include "fuzz/support/ring_buffers.hpp"
#include "fuzz/support/shared_hook.hpp"

using namespace hv;
using namespace hv::vmbus;

namespace {

void check(const Packet& packet, std::span<const std::byte> buffer) {
  if (packet.extra.data() != buffer.data() || packet.extra.size() % 8 != 0 ||
      packet.payload.size() % 8 != 0)
    __builtin_trap();
  if (packet.payload.data() != packet.extra.data() + packet.extra.size()) __builtin_trap();
  if (packet.extra.size() + packet.payload.size() > buffer.size()) __builtin_trap();
  if (packet.type != wire::PacketType::DataUsingGpaDirect) return;
  auto ranges = GpaRanges::parse(packet.extra, {.ranges = 4, .frames = 65});
  if (!ranges) return;
  uint64_t sum = 0;
  while (const auto range = ranges->next()) sum += range->frames[range->frames.size() - 1];
  asm volatile("" : : "r"(sum));
}

enum Step : uint8_t {
  Read,
  Commit,
  Mask,
  Unmask,
  Readable,
  MoveWriteIndex,
  SetWish,
  SetFeatures,
  PutDescriptor,
  kSteps
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  const auto mode = input.take<uint8_t>();
  const bool mirrored = mode & 1;
  const auto bytes = fuzz::ring_bytes(mirrored);
  const auto memory = RingMemory::create(bytes, mirrored).take();
  auto& control = memory.control();
  control.feature_bits = wire::kRingFeaturePendingSendSize;
  const auto start = static_cast<uint32_t>(input.take<uint16_t>() % 512 * 8);
  control.read_index = start;
  control.write_index =
      static_cast<uint32_t>(start + input.take<uint16_t>() % 512 * 8) % fuzz::kRingData;
  const auto script = input.bytes(input.take<uint8_t>());
  const auto steps = input.bytes(input.take<uint8_t>());
  const auto content = input.rest();
  for (size_t i = 0; i < content.size(); i++)
    memory.data()[(start + i) % fuzz::kRingData] = std::byte{content[i]};

  fuzz::SharedRing shared(bytes, mirrored, fuzz::SharedRing::Side::Consumer, script);
  auto created = RingReader::create(memory);
  if (!created) return 0;
  auto reader = created.take();
  // Small as a guest's, or large as a host's.
  std::array<std::byte, 4096> storage;
  const auto buffer = std::span(storage).first(mode & 2 ? 256 : storage.size());

  bool corrupt = false;
  uint32_t since_commit = 0;
  for (size_t i = 0; i < steps.size(); i++) {
    const uint8_t argument = i + 1 < steps.size() ? steps[i + 1] : 0;
    switch (steps[i] % kSteps) {
      case Read: {
        auto packet = reader.read(buffer);
        if (corrupt && (packet || packet.error() != Error::RingCorrupt)) __builtin_trap();
        if (packet) check(*packet, buffer);
        if (!packet && packet.error() == Error::RingCorrupt) corrupt = true;
        if (packet || packet.error() == Error::BadLength || packet.error() == Error::BadValue)
          since_commit++;
        if (since_commit > fuzz::kRingData / 24) __builtin_trap();
        break;
      }
      case Commit:
        (void)reader.commit();
        shared.forget();
        since_commit = 0;
        if (control.read_index >= fuzz::kRingData || control.read_index % 8 != 0) __builtin_trap();
        break;
      case Mask:
        reader.mask();
        break;
      case Unmask:
        corrupt |= !reader.unmask();
        break;
      case Readable: {
        auto readable = reader.readable();
        if (readable && *readable >= fuzz::kRingData) __builtin_trap();
        corrupt |= !readable;
        break;
      }
      case MoveWriteIndex:
        control.write_index =
            (control.write_index + argument * 8) % (fuzz::kRingData + (argument == 255 ? 8 : 0));
        break;
      case SetWish:
        control.pending_send_size = argument * 16u + (argument & 1);
        break;
      case SetFeatures:
        control.feature_bits = argument;
        break;
      case PutDescriptor: {
        const std::array<uint16_t, 4> head{static_cast<uint16_t>(6 + argument % 8),
                                           static_cast<uint16_t>(2 + argument % 5),
                                           static_cast<uint16_t>(2 + argument), 1};
        std::memcpy(memory.data() + control.write_index % fuzz::kRingData / 8 * 8, head.data(),
                    sizeof(head));
        break;
      }
      default:
        break;
    }
  }
  return 0;
}
