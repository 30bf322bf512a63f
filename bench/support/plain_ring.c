// SPDX-License-Identifier: GPL-2.0-only OR MIT
#include "bench/support/plain_ring.h"

#include <string.h>

enum { WRITE_INDEX, READ_INDEX, INTERRUPT_MASK, PENDING_SEND_SIZE };
enum { PAGE = 4096, TRAILER = 8 };

struct packet {
  uint16_t type;
  uint16_t data_offset8;
  uint16_t length8;
  uint16_t flags;
  uint64_t transaction_id;
};

/* The compiler must believe that all this is used, and that memory has changed. */
static inline void keep(const void* used) { __asm__ volatile("" : : "r"(used) : "memory"); }

static inline uint32_t used(uint32_t write, uint32_t read, uint32_t size) {
  return write >= read ? write - read : write + size - read;
}

/* memcpy, short ones without a call. */
static inline void copy(unsigned char* to, const unsigned char* from, size_t length) {
  if (length > 64) {
    memcpy(to, from, length);
  } else if (length > 32) {
    memcpy(to, from, 32);
    memcpy(to + length - 32, from + length - 32, 32);
  } else if (length > 16) {
    memcpy(to, from, 16);
    memcpy(to + length - 16, from + length - 16, 16);
  } else if (length >= 8) {
    memcpy(to, from, 8);
    memcpy(to + length - 8, from + length - 8, 8);
  } else if (length) {
    memcpy(to, from, length);
  }
}

void plain_ring_init(struct plain_ring* ring, void* memory, size_t bytes) {
  *ring = (struct plain_ring){
      .control = memory, .data = (unsigned char*)memory + PAGE, .size = (uint32_t)(bytes - PAGE)};
}

/* Stages a packet. 0: no room. */
static inline int stage(struct plain_ring* ring, uint16_t type, uint16_t flags, uint64_t id,
                        const void* payload, uint32_t length) {
  const uint32_t padded = (length + 7) & ~7u;
  const uint32_t total = (uint32_t)sizeof(struct packet) + padded + TRAILER;
  const struct packet packet = {type, sizeof(packet) / 8, (uint16_t)((sizeof(packet) + padded) / 8),
                                flags, id};
  const uint64_t trailer = (uint64_t)ring->at << 32;
  const uint64_t zeros = 0;
  unsigned char* const to = ring->data + ring->at;
  uint32_t at;

  /* A full ring would look like an empty one. */
  if (__builtin_expect(ring->size - used(ring->at, ring->peer, ring->size) <= total, 0)) {
    ring->peer = __atomic_load_n(&ring->control[READ_INDEX], __ATOMIC_ACQUIRE);
    if (ring->size - used(ring->at, ring->peer, ring->size) <= total) return 0;
  }
  memcpy(to, &packet, sizeof(packet));
  if (padded != length) memcpy(to + sizeof(packet) + padded - 8, &zeros, sizeof(zeros));
  copy(to + sizeof(packet), payload, length);
  memcpy(to + sizeof(packet) + padded, &trailer, sizeof(trailer));
  at = ring->at + total;
  ring->at = at >= ring->size ? at - ring->size : at;
  return 1;
}

/* Shows what is staged. Not 0: the reader has to be signalled. */
static inline int publish(struct plain_ring* ring) {
  const uint32_t before = ring->published;

  if (before == ring->at) return 0;
  ring->published = ring->at;
  __atomic_store_n(&ring->control[WRITE_INDEX], ring->at, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&ring->control[INTERRUPT_MASK], __ATOMIC_SEQ_CST)) return 0;
  return __atomic_load_n(&ring->control[READ_INDEX], __ATOMIC_SEQ_CST) == before;
}

/* Copies the next packet's descriptor, and what is behind it. 0: there is none. */
static inline int take(struct plain_ring* ring, struct packet* packet, void* buffer) {
  const unsigned char* const from = ring->data + ring->at;
  uint32_t at;

  if (ring->at == ring->peer) {
    ring->peer = __atomic_load_n(&ring->control[WRITE_INDEX], __ATOMIC_ACQUIRE);
    if (ring->at == ring->peer) return 0;
  }
  memcpy(packet, from, sizeof(*packet));
  copy(buffer, from + sizeof(*packet), packet->length8 * 8u - sizeof(*packet));
  at = ring->at + packet->length8 * 8u + TRAILER;
  ring->at = at >= ring->size ? at - ring->size : at;
  return 1;
}

/* Gives back the room of what was read. Not 0: the writer has to be signalled. */
static inline int give_back(struct plain_ring* ring) {
  const uint32_t before = ring->published;
  uint32_t wish, write;

  if (before == ring->at) return 0;
  ring->published = ring->at;
  __atomic_store_n(&ring->control[READ_INDEX], ring->at, __ATOMIC_SEQ_CST);
  wish = __atomic_load_n(&ring->control[PENDING_SEND_SIZE], __ATOMIC_SEQ_CST);
  if (!wish) return 0;
  write = __atomic_load_n(&ring->control[WRITE_INDEX], __ATOMIC_SEQ_CST);
  return ring->size - used(write, before, ring->size) <= wish &&
         ring->size - used(write, ring->at, ring->size) > wish;
}

int plain_ring_through(struct plain_ring* writer, struct plain_ring* reader, uint16_t type,
                       const void* payload, uint32_t length, void* buffer, unsigned count,
                       unsigned batch) {
  struct packet packet;
  int signal;

  for (unsigned done = 0; done < count; done += batch) {
    for (unsigned i = 0; i < batch; i++) {
      if (!stage(writer, type, 0, i, payload, length)) return 0;
    }
    signal = publish(writer);
    keep(&signal);
    for (unsigned i = 0; i < batch; i++) {
      if (!take(reader, &packet, buffer)) return 0;
      keep(&packet);
    }
    signal = give_back(reader);
    keep(&signal);
  }
  return 1;
}
