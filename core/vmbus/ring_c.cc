// SPDX-License-Identifier: GPL-2.0-only OR MIT
// The rings' face for C.
#include <new>

#include "core/vmbus/face.hpp"
#include "core/vmbus/ring.hpp"
#include "core/vmbus/vmbus.h"

using namespace hv::vmbus;
using hv::face::bytes_at;
using hv::face::memory_at;
using hv::face::object;
using hv::face::signal_of;
using hv::face::status_of;
using hv::wire::PacketDescriptor;

namespace {

/// While `peeked` the last packet read is still the next one for the driver.
struct Reader {
  RingReader ring;
  bool peeked;
};

RingWriter& of(hv_vmbus_writer* writer) { return object<RingWriter>(writer); }
Reader& of(hv_vmbus_reader* reader) { return object<Reader>(reader); }

hv::Result<RingMemory> empty_ring(void* memory, size_t size) {
  auto ring = HV_TRY(RingMemory::create(memory_at(memory, size), true));
  ring.reset();
  return ring;
}

hv::Result<void> make_writer(hv_vmbus_writer* writer, void* memory, size_t size) {
  const auto ring = HV_TRY(empty_ring(memory, size));
  new (writer) RingWriter(HV_TRY(RingWriter::create(ring)));
  return {};
}

hv::Result<void> make_reader(hv_vmbus_reader* reader, void* memory, size_t size) {
  const auto ring = HV_TRY(empty_ring(memory, size));
  new (reader) Reader{HV_TRY(RingReader::create(ring)), false};
  return {};
}

}  // namespace

extern "C" {

int hv_vmbus_writer_create(hv_vmbus_writer* writer, void* memory, size_t size) {
  return status_of(make_writer(writer, memory, size));
}

int hv_vmbus_stage(hv_vmbus_writer* writer, const hv_vmbus_packet* packet,
                   hv_vmbus_staged* staged) {
  auto put = of(writer).stage(static_cast<hv::wire::PacketType>(packet->type), packet->flags, 0,
                              bytes_at(packet->extra, packet->extra_size),
                              bytes_at(packet->payload, packet->payload_size));
  if (!put) return status_of(put.error());
  new (staged) Staged(*put);
  return HV_OK;
}

void hv_vmbus_set_id(const hv_vmbus_staged* staged, uint64_t transaction_id) {
  object<Staged>(staged).set_id(transaction_id);
}

int hv_vmbus_publish(hv_vmbus_writer* writer) { return signal_of(of(writer).commit()); }

void hv_vmbus_unstage(hv_vmbus_writer* writer) { of(writer).revert(); }

int hv_vmbus_reader_create(hv_vmbus_reader* reader, void* memory, size_t size) {
  return status_of(make_reader(reader, memory, size));
}

int hv_vmbus_peek(hv_vmbus_reader* reader, void* buffer, size_t size) {
  Reader& r = of(reader);
  if (r.peeked) return HV_OK;
  if (size < sizeof(PacketDescriptor)) return HV_BAD_LENGTH;
  auto* const bytes = static_cast<std::byte*>(buffer);

  // What does not fit or has no known type is stepped over for good.
  const auto packet =
      r.ring.read(std::span(bytes + sizeof(PacketDescriptor), size - sizeof(PacketDescriptor)));
  if (!packet) return status_of(packet.error());
  const size_t offset = sizeof(PacketDescriptor) + packet->extra.size();
  const PacketDescriptor descriptor{packet->type, static_cast<uint16_t>(offset / 8),
                                    static_cast<uint16_t>((offset + packet->payload.size()) / 8),
                                    packet->flags, packet->transaction_id};
  __builtin_memcpy(bytes, &descriptor, sizeof(descriptor));
  r.peeked = true;
  return HV_OK;
}

void hv_vmbus_step(hv_vmbus_reader* reader) { of(reader).peeked = false; }

int hv_vmbus_give_back(hv_vmbus_reader* reader) {
  Reader& r = of(reader);
  // What is only peeked stays in the ring; it is copied anew.
  if (r.peeked) r.ring.unread();
  r.peeked = false;
  return signal_of(r.ring.commit());
}
}
