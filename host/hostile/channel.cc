// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "host/hostile/channel.hpp"

#include <chrono>
#include <cstring>
#include <memory>
#include <thread>

#include "core/wire/ring.hpp"

namespace hv::host::hostile {
namespace {

using hv::vmbus::RingMemory;
using hv::vmbus::RingReader;
using hv::vmbus::RingWriter;

constexpr size_t kShadowBytes =
    wire::kPageSize + 256 * 1024;  // more than a device stages between two signals
constexpr size_t kPacketMost = 128 * 1024;
// So long a full ring is waited for; then a packet is lost.
constexpr auto kPatience = std::chrono::seconds(1);

RingMemory ring_in(std::vector<std::byte>& pages) {
  void* start = pages.data();
  size_t room = pages.size();
  std::align(alignof(uint64_t), kShadowBytes, start, room);
  const RingMemory ring =
      RingMemory::create(std::span(static_cast<std::byte*>(start), kShadowBytes)).take();
  ring.reset();
  return ring;
}

/// The index is in the guest's memory: what it says now need not be what it said when the channel
/// was opened.
uint32_t start_index(const RingMemory& ring) {
  return (ring.control().write_index % ring.size()) & ~7u;
}

}  // namespace

Channel::Channel(vmbus::OpenChannel& inner, Intent& intent, uint64_t place, ReceiveBuffer* buffer)
    : inner_(inner),
      intent_(intent),
      buffer_of_frames_(buffer),
      pages_(kShadowBytes + alignof(uint64_t)),
      shadow_writer_(RingWriter::create(ring_in(pages_)).take()),
      shadow_reader_(RingReader::create(ring_in(pages_)).take()),
      buffer_(kPacketMost),
      stream_(intent, place),
      forger_(buffer ? Protocol::Network : Protocol::Storage),
      write_index_(start_index(inner.outgoing().memory())) {}

void Channel::signal_guest() {
  {
    const std::lock_guard lock(mutex_);
    pass_on();
  }
  // The device may also have given room back: whether the guest waits for that is not known here.
  inner_.signal_guest();
}

void Channel::pass_on() {
  while (const auto read = shadow_reader_.read(buffer_)) {
    Packet packet = Packet::of(*read);
    forger_.listen(packet);
    if (!stream_.strikes()) {
      send(packet);
      continue;
    }
    if (buffer_of_frames_ && stream_.dice().chance(500) &&
        buffer_of_frames_->spoil(stream_.dice(), packet)) {
      intent_.did(Deed::SpoiltMessage);
      send(packet);
      continue;
    }
    intent_.did(Deed::TamperedPacket);
    for (const Packet& worse : forger_.tamper(stream_.dice(), std::move(packet))) send(worse);
  }
  (void)shadow_reader_.commit();
  (void)inner_.outgoing().commit();
}

void Channel::send(const Packet& packet) {
  RingWriter& ring = inner_.outgoing();
  const RingMemory& memory = ring.memory();
  const auto give_up = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    const auto staged =
        ring.stage(packet.type, packet.flags, packet.transaction_id, packet.extra, packet.payload);
    if (staged) break;
    if (staged.error() != Error::RingFull || std::chrono::steady_clock::now() > give_up) return;
    (void)ring.commit();
    inner_.signal_guest();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  if (packet.lie) {  // not published yet: the descriptor is still ours
    constexpr size_t kFields = offsetof(wire::PacketDescriptor, data_offset8);
    std::memcpy(memory.data() + write_index_ + kFields, &*packet.lie, sizeof *packet.lie);
  }
  write_index_ = static_cast<uint32_t>((write_index_ + packet.size()) % memory.size());
}

void Channel::attack(Dice& dice) {
  {
    const std::lock_guard lock(mutex_);
    if (buffer_of_frames_ && dice.chance(500) && attack_buffer(dice)) {
      (void)inner_.outgoing().commit();
    } else if (dice.chance(500)) {
      scribble(dice);
    } else {
      intent_.did(Deed::ForgedPacket);
      send(forger_.forge(dice));
      (void)inner_.outgoing().commit();
    }
  }
  inner_.signal_guest();
}

/// False: there is no buffer now.
bool Channel::attack_buffer(Dice& dice) {
  if (dice.chance(300)) {
    if (!buffer_of_frames_->scribble(dice)) return false;
    intent_.did(Deed::SpoiltMessage);
    return true;
  }
  const auto packet = buffer_of_frames_->forge(dice, forger_.transaction_id(dice));
  if (!packet) return false;
  intent_.did(Deed::ForgedRndis);
  send(*packet);
  return true;
}

/// Puts an awkward number into a word of a ring: of its data, or of its control page; an index,
/// which ends the channel, seldom. The indices that are the guest's stay: it does not read them,
/// and the honest device behind us does.
void Channel::scribble(Dice& dice) {
  intent_.did(Deed::Scribble);
  const bool out = dice.chance(700);
  const RingMemory& memory = out ? inner_.outgoing().memory() : inner_.incoming().memory();
  wire::RingControl& control = memory.control();
  uint32_t* word;
  switch (dice.below(16)) {
    case 0:
      word = out ? &control.write_index : &control.read_index;
      break;
    case 1:
    case 2:
      word = &control.interrupt_mask;
      break;
    case 3:
    case 4:
      word = &control.pending_send_size;
      break;
    case 5:
      word = &control.feature_bits;
      break;
    default:
      word =
          reinterpret_cast<uint32_t*>(memory.data()) + dice.below(memory.size() / sizeof(uint32_t));
      break;
  }
  const uint32_t value = dice.chance(300) ? 8 * dice.below(memory.size() / 8) : dice.awkward();
  __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

}  // namespace hv::host::hostile
