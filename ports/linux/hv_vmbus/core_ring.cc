// SPDX-License-Identifier: GPL-2.0-only
// The C face of hv::vmbus::RingWriter and RingReader.

#include <cstddef>
#include <cstdint>
#include <new>
#include <span>

#include "core.h"
#include "core/vmbus/ring.hpp"

using hv::Error;
using hv::vmbus::RingMemory;
using hv::vmbus::RingReader;
using hv::vmbus::RingWriter;
using hv::vmbus::Signal;
using hv::wire::PacketDescriptor;

namespace {

/// With where the staged packet begins: its transaction id is filled in at last.
struct Writer {
  RingWriter ring;
  std::byte* data;
  uint32_t size;
  uint32_t at;    ///< of the staged packet, from the start of the data
  uint32_t next;  ///< behind it
};

/// While `peeked` the last packet read is still the next one for the driver.
struct Reader {
  RingReader ring;
  bool peeked;
};

static_assert(sizeof(Writer) <= sizeof(hvb_core_writer) &&
              alignof(Writer) <= alignof(hvb_core_writer));
static_assert(sizeof(Reader) <= sizeof(hvb_core_reader) &&
              alignof(Reader) <= alignof(hvb_core_reader));

Writer& of(hvb_core_writer* writer) { return *std::launder(reinterpret_cast<Writer*>(writer)); }
Reader& of(hvb_core_reader* reader) { return *std::launder(reinterpret_cast<Reader*>(reader)); }
hvb_error plain(Error error) { return static_cast<hvb_error>(1 + static_cast<int>(error)); }

}  // namespace

hvb_error hvb_core_writer_init(hvb_core_writer* writer, void* memory, size_t size) {
  auto ring_memory = RingMemory::create(std::span(static_cast<std::byte*>(memory), size), true);
  if (!ring_memory) return plain(ring_memory.error());
  ring_memory->reset();
  std::byte* const data = ring_memory->data();
  const uint32_t data_size = ring_memory->size();
  auto ring = RingWriter::create(ring_memory.take());
  if (!ring) return plain(ring.error());
  new (writer) Writer{ring.take(), data, data_size, 0, 0};
  return HVB_OK;
}

hvb_error hvb_core_stage(hvb_core_writer* writer, const hvb_packet* packet) {
  Writer& w = of(writer);
  const std::span extra(static_cast<const std::byte*>(packet->extra), packet->extra_size);
  const std::span payload(static_cast<const std::byte*>(packet->payload), packet->payload_size);
  const auto staged = w.ring.stage(static_cast<hv::wire::PacketType>(packet->type), packet->flags,
                                   0, extra, payload);
  if (!staged) return plain(staged.error());
  w.at = w.next;
  w.next +=
      static_cast<uint32_t>(RingWriter::packet_size(packet->extra_size, packet->payload_size));
  if (w.next >= w.size) w.next -= w.size;
  return HVB_OK;
}

bool hvb_core_publish(hvb_core_writer* writer, u64 transaction_id) {
  Writer& w = of(writer);
  // Only written, never read back: the bytes are shared.
  __builtin_memcpy(w.data + w.at + offsetof(PacketDescriptor, transaction_id), &transaction_id,
                   sizeof(transaction_id));
  return w.ring.commit() == Signal::Yes;
}

void hvb_core_unstage(hvb_core_writer* writer) {
  Writer& w = of(writer);
  w.ring.revert();
  w.next = w.at;
}

hvb_error hvb_core_reader_init(hvb_core_reader* reader, void* memory, size_t size) {
  auto ring_memory = RingMemory::create(std::span(static_cast<std::byte*>(memory), size), true);
  if (!ring_memory) return plain(ring_memory.error());
  ring_memory->reset();
  auto ring = RingReader::create(ring_memory.take());
  if (!ring) return plain(ring.error());
  new (reader) Reader{*ring, false};
  return HVB_OK;
}

hvb_error hvb_core_peek(hvb_core_reader* reader, void* buffer, size_t size) {
  Reader& r = of(reader);
  if (r.peeked) return HVB_OK;
  if (size < sizeof(PacketDescriptor)) return HVB_BAD_LENGTH;
  auto* const bytes = static_cast<std::byte*>(buffer);

  // What does not fit or has no known type is stepped over for good.
  const auto packet =
      r.ring.read(std::span(bytes + sizeof(PacketDescriptor), size - sizeof(PacketDescriptor)));
  if (!packet) return plain(packet.error());
  const size_t offset = sizeof(PacketDescriptor) + packet->extra.size();
  const PacketDescriptor descriptor{packet->type, static_cast<uint16_t>(offset / 8),
                                    static_cast<uint16_t>((offset + packet->payload.size()) / 8),
                                    packet->flags, packet->transaction_id};
  __builtin_memcpy(bytes, &descriptor, sizeof(descriptor));
  r.peeked = true;
  return HVB_OK;
}

void hvb_core_step(hvb_core_reader* reader) { of(reader).peeked = false; }

bool hvb_core_give_back(hvb_core_reader* reader) {
  Reader& r = of(reader);
  // What is only peeked stays in the ring; it is copied anew.
  if (r.peeked) r.ring.unread();
  r.peeked = false;
  return r.ring.commit() == Signal::Yes;
}
